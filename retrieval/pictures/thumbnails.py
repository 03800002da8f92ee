"""Small pictures of a picture, for sheets, terminals and pages; and its fingerprint, for finding copies.

A fingerprint is imagehash's perceptual hash: the signs of the lowest frequencies (DCT of 32 x 32 greys) against their
median, 64 bits that hardly change when a picture is resized or encoded again.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

THUMBNAIL_SIDE = 320  # pixels of the longer side


def thumbnail(image: Image.Image, side: int = THUMBNAIL_SIDE) -> tuple[bytes, int]:
    """The picture as WebP, its longer side at most `side` pixels, and its fingerprint."""
    small = image.copy()
    small.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=1.5)
    out = io.BytesIO()
    small.save(out, "WEBP", quality=75, method=2)
    return out.getvalue(), fingerprint(small)


def fingerprint(image: Image.Image) -> int:
    """The 64 bits of a picture as one number."""
    import imagehash

    return int.from_bytes(np.packbits(imagehash.phash(image).hash).tobytes(), "big")


def fingerprint_of(thumbnail: bytes) -> int:
    """The same of a picture whose thumbnail is at hand; a bit or two may differ."""
    with Image.open(io.BytesIO(thumbnail)) as image:
        return fingerprint(image.convert("RGB"))
