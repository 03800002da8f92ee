"""Indexing photos: how many a second, against other programs on the same files, model and cores; and each stage's part.

Also the first run on a few large photos, where loading counts, and a run in which nothing has changed.

    python benchmarks/indexing.py [--rclip PROGRAM] [--peer-python PYTHON] [--at FOLDER] [--write] [--quick]

The photos are made from the data beside the checkout (see `photos.py`), the model is a ViT-B/32 with random weights.
Each program runs by itself, as a whole process, the model's loading and our calibration on a new machine included.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from dataclasses import astuple, dataclass
from pathlib import Path

from PIL import Image

from benchmarks import peers, photos, report, synthetic
from benchmarks.processes import Cost, medians, once
from retrieval import Library, Settings
from retrieval.indexing.decode_ahead import DecodedFile, Decoder, read_ahead
from retrieval.library import backends
from retrieval.runtime.timing import LISTENER
from retrieval.sources import folders
from retrieval.types.records import ScannedFile

PICTURE = report.PAGE.parent / "timeline.svg"
STAGES = ("scan", "read", "decode", "prepare", "thumbnail", "encode", "store")
COLOURS = ("grey", "tab:cyan", "tab:blue", "tab:green", "tab:olive", "tab:red", "tab:purple")
PART = 5  # slow peers run on one photo of so many
SHOWN = (10.0, 16.0)  # seconds of a run that its picture shows


@dataclass(frozen=True)
class Stage:
    """Something that a thread did."""

    name: str
    start: float
    seconds: float
    thread: int


def whole(model: str, folder: Path, place: Path) -> float:
    """Seconds of `retrieval index` as a process, on a machine that never saw the model."""
    with tempfile.TemporaryDirectory(dir=place) as fresh:
        command = [sys.executable, "-m", "retrieval", "index", str(folder), "--index", f"{fresh}/library"]
        environment = {**os.environ, "XDG_CACHE_HOME": f"{fresh}/cache"}
        return report.seconds(lambda: _run([*command, "--model", model, "-q"], environment, place))


def first(models: dict[str, str], folder: Path, place: Path, found: argparse.Namespace) -> list[list[object]]:
    """What the first run on a few photos costs, on a machine that never saw the model: our medians of three runs."""
    costs: dict[str, list[Cost]] = {}
    for name, model in models.items():
        command = [sys.executable, "-m", "retrieval", "index", str(folder), "--model", model, "-q", "--index"]
        for _ in range(1 if found.quick else 3):
            with tempfile.TemporaryDirectory(dir=place) as fresh:
                environment = {**os.environ, "XDG_CACHE_HOME": f"{fresh}/cache"}
                costs.setdefault(name, []).append(once([*command, f"{fresh}/library"], environment, place))
    if found.rclip and not found.quick:
        for _ in range(3):  # `commands` begins anew each time
            command, environment, where = peers.commands(found, place, folder, folder)["rclip 3.3"]
            costs.setdefault("rclip 3.3, ViT-B/32", []).append(once(command, environment, where))
    middle = {name: astuple(medians(runs)) for name, runs in costs.items()}
    theirs = list(middle.values())[-1]
    return [
        [name, *each, *((None, None) if each is theirs else (each[0] / theirs[0], each[1] / theirs[1]))]
        for name, each in middle.items()
    ]


def traced(model: str, folder: Path, place: Path) -> tuple[float, list[Stage]]:
    """Seconds of indexing in this process, its model loaded before, and what each thread did."""
    found: list[Stage] = []
    started = time.perf_counter()

    def listen(name: str, seconds: float) -> None:
        found.append(Stage(name, time.perf_counter() - started - seconds, seconds, threading.get_ident()))

    with (
        tempfile.TemporaryDirectory(dir=place) as fresh,
        Library.create(Path(fresh) / "library", Settings(model=model)) as library,
    ):
        encoder = library.services.encoder(model)
        encoder.images([encoder.prepare(_blank())] * 16)
        started = time.perf_counter()
        token = LISTENER.set(listen)
        library.index([folder])
        LISTENER.reset(token)
    return max(stage.start + stage.seconds for stage in found), found


def alone(model: str, folder: Path) -> tuple[float, float]:
    """Photos a second of everything before the model, and of the model, each with the machine for itself."""
    with tempfile.TemporaryDirectory() as fresh, Library.create(fresh, Settings(model=model)) as library:
        encoder, options = library.services.encoder(model), library.services.indexer(lambda _: None).options
        encoder.images([encoder.prepare(_blank())] * 16)
        reader = Decoder(encoder.prepare, encoder.image_size, options.max_megapixels)
        files = [found for found in folders.scan([folder]) if isinstance(found, ScannedFile)][:400]
        started = time.perf_counter()
        read = [ready for _, ready in read_ahead(files, reader, options.threads, 64)]
        decoding = len(files) / (time.perf_counter() - started)
        pixels = [shot.pixels for ready in read if isinstance(ready, DecodedFile) for shot in ready.shots]
        started = time.perf_counter()
        for k in range(0, len(pixels), options.batch_size):
            encoder.images([each for each in pixels[k : k + options.batch_size] if each is not None])
        return decoding, len(pixels) / (time.perf_counter() - started)


def rescan(count: int, place: Path, found: argparse.Namespace, model: str) -> list[list[object]]:
    """Seconds to see that nothing has changed in a folder, for each 10,000 files."""
    folder = place / f"unchanged-{count}"
    if not folder.is_dir():
        folder.mkdir()
        for number in range(count):
            (folder / f"{number:06}.jpg").write_bytes(b"\xff\xd8")
    files = sorted(folder.iterdir())
    space = backends.encoder(Settings(), model).space
    known = synthetic.library(place / f"library-unchanged-{count}", count, space, files)
    start = synthetic.library(place / "library-unchanged-1", 1, space, _one(place))
    command = [sys.executable, "-m", "retrieval", "index", "-q"]
    whole = report.median(lambda: _run([*command, str(folder), "--index", str(known)], dict(os.environ), place), 3)
    nothing = report.median(
        lambda: _run([*command, str(place / "unchanged-1"), "--index", str(start)], dict(os.environ), place), 3
    )
    ours = whole - nothing
    rows: list[list[object]] = [
        ["retrieval, the whole process", whole, whole / count * 1e4, None],
        ["retrieval, less that of one file", ours, ours / count * 1e4, None],
    ]
    if found.rclip:
        home = peers.rclip_home(place)
        statuses = ((str(file), file.stat()) for file in files)
        peers.fill_rclip(home, ((name, status.st_mtime, status.st_size, bytes(2048)) for name, status in statuses))
        search = [found.rclip, "-t", "1", "a dog"]
        environment = {**os.environ, "HOME": str(home)}
        with_scan = report.median(lambda: _run(search, environment, folder), 3)
        without = report.median(lambda: _run([*search[:1], "-n", *search[1:]], environment, folder), 3)
        theirs = with_scan - without
        rows.append(["rclip 3.3, less that without a scan", theirs, theirs / count * 1e4, theirs / ours])
    return rows


def _one(place: Path) -> list[Path]:
    folder = place / "unchanged-1"
    folder.mkdir(exist_ok=True)
    (folder / "0.jpg").write_bytes(b"\xff\xd8")
    return [folder / "0.jpg"]


def draw(stages: list[Stage]) -> None:
    """What each thread did in some seconds of a run."""
    from matplotlib.figure import Figure

    shown = [stage for stage in stages if SHOWN[0] <= stage.start <= SHOWN[1]]
    lanes = sorted({stage.thread for stage in shown}, key=lambda t: min(s.start for s in shown if s.thread == t))
    figure = Figure(figsize=(10, 0.6 + 0.5 * len(lanes)), layout="constrained")
    axes = figure.add_subplot()
    colours = dict(zip(STAGES, COLOURS, strict=True))
    for name in STAGES:
        for lane, thread in enumerate(lanes):
            some = [(stage.start, stage.seconds) for stage in shown if (stage.name, stage.thread) == (name, thread)]
            axes.broken_barh(some, (lane - 0.4, 0.8), color=colours[name], label=name if not lane else None)
    axes.set_yticks(range(len(lanes)), [f"thread {lane + 1}" for lane in range(len(lanes))])
    axes.set_xlabel("seconds")
    figure.legend(loc="outside right upper", frameon=False)
    figure.savefig(PICTURE)


def _blank() -> Image.Image:
    return Image.new("RGB", (320, 240))


def _run(command: list[str], environment: dict[str, str], folder: Path) -> None:
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {done.stderr[-2000:]}")


def main() -> None:
    parser = report.parser(__doc__)
    peers.options(parser)
    found = parser.parse_args()
    model = "builtin" if found.quick else f"local-dir:{peers.checkpoint(found.at)}"
    sizes = (4, 24, 100) if found.quick else (2000, 7000, 50_000)
    sets = {
        f"{sizes[0]:,} of 12 megapixels": photos.large(found.at, sizes[0]),
        f"{sizes[1]:,} of 224 x 224": photos.small(found.at, sizes[1]),
    }
    speed: list[list[object]] = []
    parts: list[list[object]] = []
    for name, folder in sets.items():
        count = len(list(folder.iterdir()))
        ours = count / whole(model, folder, found.at)
        decode, encode = alone(model, folder)
        seconds, stages = traced(model, folder, found.at)
        steady, bound, shared = count / seconds, min(decode, encode), 1 / (1 / decode + 1 / encode)
        speed.append([f"**{name}**", None, None])
        speed.append(["retrieval", ours, None])
        speed.append(["retrieval, built-in model", count / whole("builtin", folder, found.at), None])
        speed.append(["retrieval, its model loaded", steady, None])
        few = max(1, count // PART)
        part = photos.part(folder, few, found.at)
        for peer, (command, environment, place) in peers.commands(found, found.at, folder, part).items():
            seconds = report.seconds(lambda: _run(command, environment, place))  # noqa: B023  # called at once
            theirs = (count if place == folder else few) / seconds
            speed.append([peer, theirs, ours / theirs])
        speed.append(["all before the model, alone", decode, None])
        speed.append(["the model, alone", encode, None])
        speed.append(["bound: the slower of the two", bound, steady / bound])
        speed.append(["bound: both on the same cores", shared, steady / shared])
        sums: dict[str, float] = defaultdict(float)
        for stage in stages:
            sums[stage.name] += stage.seconds
        parts.append([name, *(1000 * sums[stage] / count for stage in STAGES[1:])])
        if not found.quick and folder == next(iter(sets.values())):
            draw(stages)
    text = report.table(("program", "photos a second", "retrieval against it"), speed)
    text += "\n\nMilliseconds a photo that each stage lasts, while the others run beside it:\n\n"
    text += report.table(("photos", *STAGES[1:]), parts)
    some = photos.part(next(iter(sets.values())), 4 if found.quick else 60, found.at)
    models = {"retrieval, built-in": "builtin"} | ({} if found.quick else {"retrieval, ViT-B/32": model})
    text += f"\n\nThe first run, on {len(list(some.iterdir()))} photos of 12 megapixels:\n\n"
    columns = ("program", "seconds", "processor seconds", "peak MiB", "time of rclip's", "processor time of rclip's")
    text += report.table(columns, first(models, some, found.at, found))
    text += f"\n\nA folder of {sizes[2]:,} files in which nothing has changed:\n\n"
    unchanged = rescan(sizes[2], found.at, found, model)
    text += report.table(("program", "seconds", "for 10,000 files", "retrieval against it"), unchanged)
    report.publish("indexing", text, write=found.write)


if __name__ == "__main__":
    main()
