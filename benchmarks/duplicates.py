"""The rule for duplicates: which changes of a picture it sees through, and which different pictures it takes for one.

    python -m benchmarks.duplicates PHOTOS [--among FOLDER] [--sheet pairs.png]

PHOTOS are changed in a dozen ways, and each result is compared with its original by the product's own rule. The
pictures of FOLDER are compared with each other: how many pairs there are, how long it takes, and a sheet of the pairs
(left, right) with the lowest cosines, for a person to judge.
"""

from __future__ import annotations

import argparse
import io
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance

from retrieval import Library, Settings
from retrieval.search.near_duplicates import Similarity, group_near_duplicates
from retrieval.types.records import Kind

Pair = tuple[int, int]  # contents
Change = Callable[[Image.Image], Image.Image]
TILE = 150


def encoded(image: Image.Image, kind: str, quality: int) -> Image.Image:
    out = io.BytesIO()
    image.save(out, kind, quality=quality)
    return Image.open(io.BytesIO(out.getvalue())).convert("RGB")


def cropped(image: Image.Image, part: float) -> Image.Image:
    width, height = image.size
    return image.crop((int(width * part), int(height * part), int(width * (1 - part)), int(height * (1 - part))))


def signed(image: Image.Image) -> Image.Image:
    image = image.copy()
    ImageDraw.Draw(image).text((image.width * 0.7, image.height * 0.92), "(c) someone", fill="white")
    return image


CHANGES: dict[str, Change] = {
    "JPEG, quality 50": lambda image: encoded(image, "JPEG", 50),
    "JPEG, quality 15": lambda image: encoded(image, "JPEG", 15),
    "WebP, quality 60": lambda image: encoded(image, "WEBP", 60),
    "half the size": lambda image: image.resize((image.width // 2, image.height // 2)),
    "a quarter": lambda image: image.resize((image.width // 4, image.height // 4)),
    "greys": lambda image: image.convert("L").convert("RGB"),
    "15% brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.15),
    "a signature": signed,
    "turned by 1 degree": lambda image: image.rotate(1),
    "1% cropped each side": lambda image: cropped(image, 0.01),
    "3% cropped each side": lambda image: cropped(image, 0.03),
    "8% cropped each side": lambda image: cropped(image, 0.08),
    "mirrored": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
}


def seen_through(photos: list[Path], change: Change) -> float:
    """The share of photos whose changed copy is found to be the same."""
    with tempfile.TemporaryDirectory() as folder, Library.create(Path(folder) / "library", Settings()) as library:
        place = Path(folder) / "photos"
        place.mkdir()
        for number, path in enumerate(photos):
            image = Image.open(path).convert("RGB")
            image.save(place / f"{number}-a.png")
            change(image).save(place / f"{number}-b.png")
        library.index([place])
        content = {item.path.name: item.content for item in library}
        found = {tuple(sorted(pair)) for pair in every_pair(library)}
        wanted = [
            tuple(sorted((content[f"{number}-a.png"], content[f"{number}-b.png"]))) for number in range(len(photos))
        ]
        return float(np.mean([pair in found or pair[0] == pair[1] for pair in wanted]))


def every_pair(library: Library) -> list[Pair]:
    """The first of each stack with each that stands under it."""
    contents = sorted({item.content for item in library})
    found = group_near_duplicates(library.storage, contents, frozenset({Similarity.SAME}))
    return [(first, other) for first, under in found.items() for other, _ in under]


def sheet(library: Library, found: list[Pair], path: Path, most: int = 60) -> None:
    """The pairs with the lowest cosines, three in a row."""
    rows = {pair: library.storage.vectors.rows(Kind.PICTURE, pair) for pair in found}
    shown = sorted(found, key=lambda pair: float(rows[pair][0] @ rows[pair][1]))[:most]
    thumbnails = library.thumbnails([content for pair in shown for content in pair])
    drawn = Image.new("RGB", (6 * TILE, TILE * ((len(shown) + 2) // 3)))
    for place, content in enumerate(content for pair in shown for content in pair):
        tile = Image.open(io.BytesIO(thumbnails[content])).resize((TILE, TILE))
        drawn.paste(tile, (TILE * (place % 6), TILE * (place // 6)))
    drawn.save(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--among", type=Path)
    parser.add_argument("--sheet", type=Path)
    given = parser.parse_args()
    photos = sorted(given.photos.glob("*.jpg"))
    print(f"{len(photos)} photos, changed:")
    for name, change in CHANGES.items():
        print(f"  {name:22} {seen_through(photos, change):6.1%} found")
    if given.among:
        with tempfile.TemporaryDirectory() as folder, Library.create(folder, Settings()) as library:
            library.index([given.among])
            started = time.perf_counter()
            found = every_pair(library)
            print(f"{len(library)} pictures: {len(found)} pairs, {time.perf_counter() - started:.1f} s")
            if given.sheet:
                sheet(library, found, given.sheet)


if __name__ == "__main__":
    main()
