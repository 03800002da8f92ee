"""Thumbnails for contact sheets, terminals and pages, and picture fingerprints for finding copies.

A fingerprint is imagehash's perceptual hash: the lowest frequencies (DCT of 32 x 32 grey values) compared with their
median, 64 bits that hardly change when a picture is resized or encoded again.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

THUMBNAIL_SIDE = 320  # pixels of the longer side


def thumbnail(image: Image.Image, side: int = THUMBNAIL_SIDE) -> tuple[bytes, int]:
    """Return the picture as WebP, its longer side at most `side` pixels, and its fingerprint."""
    small = image.copy()
    small.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=1.5)
    out = io.BytesIO()
    small.save(out, "WEBP", quality=75, method=2)
    return out.getvalue(), fingerprint(small)


def fingerprint(image: Image.Image) -> int:
    """Return the perceptual hash of a picture as a 64-bit integer."""
    import imagehash

    return int.from_bytes(np.packbits(imagehash.phash(image).hash).tobytes(), "big")


def fingerprint_of(thumbnail: bytes) -> int:
    """Return a picture's fingerprint from its thumbnail; a bit or two may differ from the picture's own."""
    with Image.open(io.BytesIO(thumbnail)) as image:
        return fingerprint(image.convert("RGB"))
