"""Indexes thousands of broken files of every format, and counts what became of each: used, named as a problem, or lost.

    python -m benchmarks.mutations --files 2000 --seed 1

Files are made by this package's own code and mutated by a seeded generator: cut, bytes flipped, blocks zeroed, swapped,
repeated or put in. Each batch is indexed by a process of its own, so that a crash of a decoder is seen as one. The last
line says how many crashes, hangs and unnamed files there were; all should be 0.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from retrieval import Library, Settings
from retrieval.errors import RetrievalError

BATCH = 100  # files of one process
ROWS = 20  # of a caption file
LONGEST = 300.0  # seconds of one batch, after which it counts as a hang
PICTURES = {
    "jpg": "JPEG", "png": "PNG", "webp": "WEBP", "gif": "GIF", "tif": "TIFF", "bmp": "BMP", "avif": "AVIF",
    "heic": "HEIF", "jxl": "JXL", "jp2": "JPEG2000", "ppm": "PPM", "tga": "TGA",
}  # fmt: skip
FILMS = ("mp4", "mov", "mkv", "avi")
SIDECARS = ("xmp", "txt", "json")
TABLES = ("csv", "jsonl", "coco.json")
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
    b'xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/">'
    b'<rdf:Description xmp:Rating="4" xmp:CreateDate="2019-05-06T10:11:12"><dc:subject><rdf:Bag><rdf:li>zebra</rdf:li>'
    b"</rdf:Bag></dc:subject></rdf:Description></rdf:RDF></x:xmpmeta>"
)
TAKEOUT = (
    b'{"title": "a.jpg", "description": "zebra", "photoTakenTime": {"timestamp": "1557136800"}, '
    b'"geoData": {"latitude": 48.137, "longitude": 11.575}, "people": [{"name": "Anna"}]}'
)


def originals() -> dict[str, bytes]:
    """Return a whole file of each format, by its ending."""
    import piexif
    import pillow_heif
    import pillow_jxl  # noqa: F401  # registers JPEG XL

    pillow_heif.register_heif_opener()
    exif = piexif.dump(
        {
            "0th": {piexif.ImageIFD.Model: b"Box", piexif.ImageIFD.ImageDescription: "Größe".encode()},
            "Exif": {piexif.ExifIFD.DateTimeOriginal: b"2019:05:06 10:11:12"},
            "GPS": {piexif.GPSIFD.GPSLatitude: ((48, 1), (8, 1), (13, 1)), piexif.GPSIFD.GPSLatitudeRef: b"N"},
        }
    )
    picture = Image.effect_noise((160, 120), 60).convert("RGB")
    files: dict[str, bytes] = {}
    for end, form in PICTURES.items():
        out = io.BytesIO()
        more: dict[str, Any] = {} if form in ("GIF", "BMP", "TGA", "PPM", "JPEG2000") else {"exif": exif}
        picture.save(out, form, **more)
        files[end] = out.getvalue()
    preview = io.BytesIO()
    picture.resize((800, 600)).save(preview, "JPEG", exif=exif)
    from tests import dng

    files["dng"] = dng.make((200, 40, 40), (640, 480), preview.getvalue())
    files |= {end: _film(end) for end in FILMS}
    files |= {"xmp": XMP, "txt": "eine Größe\n".encode(), "json": TAKEOUT}
    rows = [{"image": f"p{number}.jpg", "caption": f"the {number}th Größe"} for number in range(ROWS)]
    files["csv"] = ("image,caption\n" + "".join(f'{r["image"]},"{r["caption"]}"\n' for r in rows)).encode()
    files["jsonl"] = "".join(json.dumps(row) + "\n" for row in rows).encode()
    coco = {
        "images": [{"id": k, "file_name": row["image"]} for k, row in enumerate(rows)],
        "annotations": [{"image_id": k, "caption": row["caption"]} for k, row in enumerate(rows)],
    }
    files["coco.json"] = json.dumps(coco).encode()
    return files


def _film(end: str) -> bytes:
    import av

    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, f"a.{end}")
        with av.open(str(place), "w") as container:
            stream: Any = container.add_stream("mpeg4", 10)
            stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
            frame: Any = av.VideoFrame
            for number in range(20):
                container.mux(stream.encode(frame.from_image(Image.new("RGB", (96, 64), (number * 12, 80, 90)))))
            container.mux(stream.encode())
        return place.read_bytes()


# --- mutations ----------------------------------------------------------------------------------------------------


def cut(data: bytearray, chance: random.Random) -> bytearray:
    return data[: chance.randrange(len(data))]


def flip(data: bytearray, chance: random.Random) -> bytearray:
    for _ in range(chance.choice((1, 3, 20, 200))):
        data[chance.randrange(len(data))] = chance.randrange(256)
    return data


def flip_head(data: bytearray, chance: random.Random) -> bytearray:
    """Change bytes where headers and metadata are."""
    for _ in range(chance.choice((1, 4, 16))):
        data[chance.randrange(min(len(data), 600))] = chance.choice((0, 0xFF, 0x7F, 0x80, chance.randrange(256)))
    return data


def zero(data: bytearray, chance: random.Random) -> bytearray:
    start, size = chance.randrange(len(data)), chance.choice((4, 64, 1024))
    data[start : start + size] = bytes(len(data[start : start + size]))
    return data


def repeat(data: bytearray, chance: random.Random) -> bytearray:
    start = chance.randrange(len(data))
    return data[:start] + data[start : start + 256] * chance.choice((2, 40)) + data[start:]


def put_in(data: bytearray, chance: random.Random) -> bytearray:
    start = chance.randrange(len(data))
    return data[:start] + chance.randbytes(chance.choice((1, 3, 500))) + data[start:]


def swap(data: bytearray, chance: random.Random) -> bytearray:
    a, b = sorted(chance.randrange(len(data)) for _ in range(2))
    return data[:a] + data[b:] + data[a:b]


MUTATIONS: tuple[Callable[[bytearray, random.Random], bytearray], ...] = (
    cut, flip, flip_head, zero, repeat, put_in, swap,
)  # fmt: skip


def write(folder: Path, files: int, seed: int) -> list[Path]:
    """Write mutated files of all formats in turn, each sidecar beside a whole picture; return the mutated ones."""
    chance, whole = random.Random(seed), originals()
    made: list[Path] = []
    for number in range(files):
        end = list(whole)[number % len(whole)]
        data = bytearray(whole[end])
        for _ in range(chance.choice((1, 1, 2))):
            data = chance.choice(MUTATIONS)(data, chance) or data
        place = folder / f"batch-{number // BATCH:03}" / f"f{number}.{end}"
        if not place.parent.exists():
            place.parent.mkdir(parents=True)
            for row in range(ROWS):  # what caption files name
                (place.parent / f"p{row}.jpg").write_bytes(whole["jpg"])
        if end in SIDECARS:
            place = place.with_name(f"f{number}.jpg.{end}")
            place.with_suffix("").write_bytes(whole["jpg"])
        place.write_bytes(data)
        made.append(place)
    return made


# --- one batch ----------------------------------------------------------------------------------------------------


def index(folder: Path) -> dict[str, str]:
    """Index a batch, and return what became of each file: used, damaged, a problem's reason, or nothing."""
    tables = sorted(path for path in folder.iterdir() if path.name.endswith(tuple(f".{end}" for end in TABLES)))
    tables = [path for path in tables if ".jpg." not in path.name]
    with (
        tempfile.TemporaryDirectory() as place,
        Library.create(Path(place) / "library", Settings(model="colours", file_timeout=60.0)) as library,
    ):
        report = library.index([folder])
        fate = {str(item.path): "damaged" if item.facts.damaged else "used" for item in library}
        fate |= {str(p.path): str(p.reason) for p in report.problems if fate.get(str(p.path)) != "damaged"}
        for table in tables:
            try:
                found = library.index([], captions=[table])
            except RetrievalError as exc:  # the file as a whole cannot be read, and the message names it
                fate[str(table)] = "unreadable" if str(table) in str(exc) else ""
            else:
                fate[str(table)] = "used" if found.captions else "bad-row" if found.problems else "empty"
        for sidecar in folder.glob("*.jpg.*"):
            fate.setdefault(str(sidecar), "used" if fate.get(str(sidecar.with_suffix(""))) == "used" else "")
    return fate


def run(files: int, seed: int, folder: Path) -> dict[str, Counter[str]]:
    """Index all batches, each in a process of its own; return the fates of the mutated files by format."""
    made = write(folder, files, seed)
    fates: dict[str, Counter[str]] = defaultdict(Counter)
    for batch in sorted({path.parent for path in made}):
        mine = [path for path in made if path.parent == batch]
        found: dict[str, str] = {}
        try:
            command = [sys.executable, "-m", "benchmarks.mutations", "--batch", str(batch)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST, check=False)
            found = json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else {}
            lost = "crash" if done.returncode else ""
            if done.returncode:
                print(f"{batch.name}: exit code {done.returncode}: {done.stderr[-2000:]}", file=sys.stderr)
        except subprocess.TimeoutExpired:
            lost = "hang"
        for path in mine:
            fates[path.name.split(".")[-1]][found.get(str(path), lost) or "unnamed"] += 1
    return fates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--batch", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.batch:
        print(json.dumps(index(given.batch)))
        return
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        fates = run(given.files, given.seed, Path(folder))
    print("| format | files | used | damaged | problem | unnamed |\n| --- | --- | --- | --- | --- | --- |")
    total: Counter[str] = Counter()
    for end, counts in fates.items():
        total += counts
        used, damaged = counts["used"], counts["damaged"]
        bad = counts["unnamed"] + counts["crash"] + counts["hang"]
        print(f"| {end} | {counts.total()} | {used} | {damaged} | {counts.total() - used - damaged - bad} | {bad} |")
    print(
        f"{total.total()} files (seed {given.seed}): {total['crash']} in crashed batches, {total['hang']} in hung "
        f"ones, {total['unnamed']} unnamed; {time.perf_counter() - started:.0f} s"
    )
    sys.exit(1 if total["crash"] or total["hang"] or total["unnamed"] else 0)


if __name__ == "__main__":
    main()
