"""Collections to measure with, made from the real photos of a data folder; made once, then found again.

Large: photos of 12 megapixels with a sensor's grain, so that their JPEGs weigh what a camera's do (3.5 MB). Each is
used several times, with a comment of its own inside, so that no two files are the same. Small: 224 x 224 pixels.
"""

from __future__ import annotations

import io
import itertools
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

DATA = Path(__file__).parent.parent.parent / "shared" / "data"
SIZE = (4000, 3000)
GRAIN = 6.0  # standard deviation of 256 levels
QUALITY = 90


def large(folder: Path, count: int, data: Path = DATA) -> Path:
    """A folder with `count` photos of 12 megapixels."""
    sources = sorted((data / "photos").glob("*.jpg"))[:count]
    return _made(folder / f"large-{count}", sources, count, _twelve_megapixels)


def small(folder: Path, count: int, data: Path = DATA) -> Path:
    """A folder with `count` photos of 224 x 224 pixels, all of them different."""
    sources = sorted(itertools.chain(*((data / "flickr8k" / part).iterdir() for part in ("train", "dev"))))[:count]
    return _made(folder / f"small-{count}", sources, count, _as_jpeg)


def part(folder: Path, count: int, place: Path) -> Path:
    """A folder with the first `count` of another's."""
    some = place / f"{folder.name}-{count}"
    some.mkdir(exist_ok=True)
    for file in sorted(folder.iterdir())[:count]:
        if not (some / file.name).exists():
            os.link(file, some / file.name)
    return some


def _made(folder: Path, sources: list[Path], count: int, make: Callable[[Path], bytes]) -> Path:
    """The folder, filled by so many processes as there are cores."""
    if folder.is_dir():
        return folder
    if not sources:
        raise SystemExit(f"no photos below {DATA}")
    unfinished = folder.with_name(folder.name + ".part")
    unfinished.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for number, encoded in enumerate(pool.map(make, sources)):
            for copy in range(number, count, len(sources)):
                (unfinished / f"{copy:05}.jpg").write_bytes(_commented(encoded, f"photo {copy}"))
    return unfinished.rename(folder)


def _twelve_megapixels(path: Path) -> bytes:
    image = Image.open(path).convert("RGB")
    if image.height > image.width:
        image = image.transpose(Image.Transpose.ROTATE_90)
    pixels = np.asarray(image.resize(SIZE, Image.Resampling.BICUBIC), np.float32)
    grain = np.random.default_rng(0).normal(0, GRAIN, (*pixels.shape[:2], 1)).astype(np.float32)
    return _encoded(Image.fromarray((pixels + grain).clip(0, 255).astype(np.uint8)))


def _as_jpeg(path: Path) -> bytes:
    return _encoded(Image.open(path).convert("RGB"))


def _encoded(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=QUALITY)
    return out.getvalue()


def _commented(jpeg: bytes, comment: str) -> bytes:
    """The same JPEG with a comment segment after its start."""
    said = comment.encode()
    return jpeg[:2] + b"\xff\xfe" + (len(said) + 2).to_bytes(2, "big") + said + jpeg[2:]
