"""Camera RAW files: the embedded preview if it is large enough, otherwise a development, half-size if possible.

Knows LibRaw; does not know what the picture is used for.
"""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import PurePath

from PIL import ExifTags, Image, UnidentifiedImageError

from ..errors import PictureError
from ..types.records import RAW_SUFFIXES, Facts, Reason
from .metadata import tiff_facts

LARGE_ENOUGH = 512  # minimum pixels of a preview's shorter side


def is_raw(name: str) -> bool:
    """Return whether a file of this name is opened as RAW."""
    return PurePath(name).suffix.lower() in RAW_SUFFIXES


def develop(data: bytes, max_megapixels: float) -> tuple[Image.Image, Facts]:
    """Return the picture of a RAW file and the facts in its header; the picture may still carry an EXIF orientation.

    Raises:
        PictureError: it has too many pixels, or neither LibRaw nor Pillow can read it.
    """
    import rawpy

    try:
        opened = rawpy.imread(io.BytesIO(data))
    except rawpy.LibRawError as exc:
        return _as_another_format(data, exc), Facts()
    with opened:
        sizes = opened.sizes
        if sizes.raw_width * sizes.raw_height / 1e6 > max_megapixels:
            raise PictureError(Reason.TOO_LARGE, f"{sizes.raw_width} x {sizes.raw_height} pixels are more than allowed")
        upright = (sizes.width, sizes.height)[:: -1 if sizes.flip in (5, 6) else 1]
        facts = replace(tiff_facts(data), width=upright[0], height=upright[1], format="RAW")
        preview = _preview(opened)
        if preview is not None and min(preview.size) >= LARGE_ENOUGH:
            return _turned(preview, sizes.flip), facts
        pixels = opened.postprocess(half_size=min(sizes.width, sizes.height) >= 4 * LARGE_ENOUGH, use_camera_wb=True)
        return Image.fromarray(pixels), facts  # LibRaw has turned it upright


def _as_another_format(data: bytes, cause: Exception) -> Image.Image:
    """Open a JPEG or TIFF that only has a RAW file's name."""
    try:
        return Image.open(io.BytesIO(data))
    except UnidentifiedImageError:
        raise PictureError(Reason.NOT_A_PICTURE, f"not a RAW file that LibRaw knows: {cause}") from cause


def _preview(opened: object) -> Image.Image | None:
    import rawpy

    try:
        found = opened.extract_thumb()  # type: ignore[attr-defined]  # rawpy ships no types
    except (rawpy.LibRawNoThumbnailError, rawpy.LibRawUnsupportedThumbnailError):
        return None
    if found.format == rawpy.ThumbFormat.JPEG:
        return Image.open(io.BytesIO(found.data))
    return Image.fromarray(found.data) if found.format == rawpy.ThumbFormat.BITMAP else None


def _turned(preview: Image.Image, flip: int) -> Image.Image:
    """Return the preview upright if only the RAW file, and not the preview, says how the camera was held."""
    if preview.getexif().get(ExifTags.Base.Orientation, 1) != 1:
        return preview  # it has its own orientation, which `decode` applies
    if flip in (5, 6) and preview.width < preview.height:
        return preview  # it was stored upright
    turn = {3: Image.Transpose.ROTATE_180, 5: Image.Transpose.ROTATE_90, 6: Image.Transpose.ROTATE_270}.get(flip)
    return preview if turn is None else preview.transpose(turn)
