"""Small pictures of a picture, for sheets, terminals and pages."""

from __future__ import annotations

import io

from PIL import Image

from ..records import Picture

THUMBNAIL_SIDE = 320  # pixels of the longer side


def thumbnail(picture: Picture, side: int = THUMBNAIL_SIDE) -> bytes:
    """The picture as WebP, its longer side at most `side` pixels."""
    small = picture.image.copy()
    small.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=2.0)
    out = io.BytesIO()
    small.save(out, "WEBP", quality=75, method=2)
    return out.getvalue()
