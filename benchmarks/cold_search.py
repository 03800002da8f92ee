"""A search as a whole process, from nothing to the answer: seconds, processor seconds and peak memory.

    python benchmarks/cold_search.py [--rclip PROGRAM] [--at FOLDER] [--write] [--quick]

Libraries hold clustered vectors that no photo belongs to (see `synthetic.py`), some of which look like what is asked
for, and files that are there but hold nothing; what a model needs once was made before. rclip searches as many vectors
of the same size, with the same towers (`rclip -n`). By a picture: one of 12 megapixels. What rclip cannot do is
measured on a library of real photos: a search that is reranked, and captions for a picture.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks import peers, photos, report, synthetic
from benchmarks.processes import Cost, cost
from retrieval import Library, Settings, pictures
from retrieval.library import backends

QUERY = "a dog"


def _answered(place: Path, count: int, name: str, model: str, picture: Path) -> Path:
    """A library that has answers to both queries; made once."""
    encoder = backends.encoder(Settings(), model)
    image = pictures.load(picture, encoder.image_size).image
    like = np.concatenate([encoder.texts([QUERY]), encoder.images([encoder.prepare(image)])])
    files = place / f"files-{count}"
    if not files.is_dir():
        files.mkdir()
        for number in range(count):
            (files / f"{number:08}.jpg").touch()
    return synthetic.library(place / f"library-{name}-{count}", count, encoder.space, sorted(files.iterdir()), like)


def _library(place: Path, count: int) -> Path:
    """A library of real photos with captions by the built-in model; made once."""
    folder = place / f"library-photos-{count}"
    if not folder.is_dir():
        with Library.create(folder, Settings(vlm="builtin")) as library:
            library.index([photos.large(place, count)])
            library.captions.generate()
    return folder


def main() -> None:
    parser = report.parser(__doc__)
    peers.options(parser)
    found = parser.parse_args()
    models = {"built-in": "builtin"}
    if not found.quick:
        models["ViT-B/32"] = f"local-dir:{peers.checkpoint(found.at)}"
    times = 1 if found.quick else 9
    picture = found.at / "example.jpg"
    Image.effect_noise((4000, 3000), 60).convert("RGB").save(picture, quality=90)
    words, example = ("words", QUERY, [QUERY]), ("a picture", str(picture), ["--image", str(picture)])
    cases = ((1000, words), (1000, example)) if found.quick else ((8000, words), (8000, example), (100_000, words))
    rows: list[list[object]] = []
    for count, (by, query, arguments) in cases:
        costs: dict[str, Cost] = {}
        for name, model in models.items():
            place = _answered(found.at, count, name.replace("/", ""), model, picture)
            command = [sys.executable, "-m", "retrieval", "search", *arguments, "--index", str(place)]
            costs[f"retrieval, {name}"] = cost(command, dict(os.environ), found.at, times)
        if found.rclip and not found.quick:
            home = peers.rclip_home(found.at)
            vectors = enumerate(synthetic.pictures(count))
            peers.fill_rclip(home, ((f"{found.at}/{n:08}.jpg", 0.0, 0, row.tobytes()) for n, row in vectors))
            theirs = cost([found.rclip, "-n", query], {**os.environ, "HOME": str(home)}, found.at, times)
            costs["rclip 3.3, ViT-B/32"] = theirs
        last = list(costs.values())[-1]
        for name, each in costs.items():
            against = (None, None) if each is last else (each.seconds / last.seconds, each.mebibytes / last.mebibytes)
            rows.append([f"{name}, {count:,} vectors, by {by}", each.seconds, each.processor, each.mebibytes, *against])
    library = _library(found.at, 4 if found.quick else 80)
    alone = {"reranked": ["search", QUERY, "--rerank"], "captions for a picture": ["captions", str(picture)]}
    for name, arguments in alone.items():
        command = [sys.executable, "-m", "retrieval", *arguments, "--index", str(library)]
        each = cost(command, dict(os.environ), found.at, times)
        rows.append([f"retrieval, built-in, {name}", each.seconds, each.processor, each.mebibytes, None, None])
    columns = ("program", "seconds", "processor seconds", "peak MiB", "time of rclip's", "memory of rclip's")
    report.publish("cold_search", report.table(columns, rows), write=found.write)


if __name__ == "__main__":
    main()
