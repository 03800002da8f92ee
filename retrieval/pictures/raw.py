"""Camera RAW files: the embedded preview when it is large enough, else a half-size development.

Knows LibRaw; does not know what becomes of the picture.
"""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import PurePath

from PIL import ExifTags, Image, UnidentifiedImageError

from ..errors import PictureError
from ..types.records import RAW_SUFFIXES, Facts, Reason
from .metadata import tiff_facts

LARGE_ENOUGH = 512  # pixels of a preview's shorter side


def is_raw(name: str) -> bool:
    """Whether a file of this name is opened as RAW."""
    return PurePath(name).suffix.lower() in RAW_SUFFIXES


def develop(data: bytes, max_megapixels: float) -> tuple[Image.Image, Facts]:
    """The picture of a RAW file, not yet turned upright unless LibRaw did it, and what its own header says.

    Raises:
        PictureError: LibRaw does not know the file, and neither does Pillow.
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
    """A JPEG or TIFF that only carries a RAW file's name."""
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
    """Upright, where only the RAW file says how the camera was held and the preview does not."""
    if preview.getexif().get(ExifTags.Base.Orientation, 1) != 1:
        return preview  # it says so itself; `decode` turns it
    if flip in (5, 6) and preview.width < preview.height:
        return preview  # it was stored upright
    turn = {3: Image.Transpose.ROTATE_180, 5: Image.Transpose.ROTATE_90, 6: Image.Transpose.ROTATE_270}.get(flip)
    return preview if turn is None else preview.transpose(turn)
