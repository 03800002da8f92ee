"""Camera RAW files: the embedded preview if it is large enough, otherwise a development, half-size if possible.

Knows LibRaw; does not know what the picture is used for.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from PIL import ExifTags, Image, UnidentifiedImageError

from ..errors import PictureError
from ..types.records import RAW_SUFFIXES, DatePrecision, Reason
from .metadata import read_metadata, read_tiff_header
from .metadata.exif import positive, whole
from .metadata.found import Found
from .metadata.text_decoding import clean
from .metadata.timestamps import Moment, Rank, is_placeholder

LARGE_ENOUGH = 512  # minimum pixels of a preview's shorter side


def is_raw(name: str) -> bool:
    """Return whether a file of this name is opened as RAW."""
    return PurePath(name).suffix.lower() in RAW_SUFFIXES


@dataclass
class OpenedRaw:
    """A RAW file that LibRaw has opened."""

    found: Found
    _opened: Any  # rawpy ships no types
    _preview: Image.Image | None

    def picture(self) -> Image.Image:
        """Return the preview or the development; it may still carry an EXIF orientation."""
        sizes = self._opened.sizes
        if self._preview is not None and min(self._preview.size) >= LARGE_ENOUGH:
            return _turned(self._preview, sizes.flip)
        half = min(sizes.width, sizes.height) >= 4 * LARGE_ENOUGH
        return Image.fromarray(self._opened.postprocess(half_size=half, use_camera_wb=True))  # LibRaw turns it upright


def open_raw(data: bytes, max_megapixels: float) -> OpenedRaw | None:
    """Open a RAW file and read its metadata; None if it is a JPEG or TIFF that only has a RAW file's name.

    What the file's own header and XMP say counts more than what its preview says.

    Raises:
        PictureError: it has too many pixels, or neither LibRaw nor Pillow can read it.
    """
    import rawpy

    try:
        opened = rawpy.imread(io.BytesIO(data))
    except rawpy.LibRawError as exc:
        _another_format(data, exc)
        return None
    sizes = opened.sizes
    if sizes.raw_width * sizes.raw_height / 1e6 > max_megapixels:
        raise PictureError(Reason.TOO_LARGE, f"{sizes.raw_width} x {sizes.raw_height} pixels are more than allowed")
    preview = _preview(opened)
    found = read_metadata(preview) if preview is not None else Found()
    found.put(_shot(opened.other, opened.lens))
    found.put(read_tiff_header(data))
    width, height = (sizes.width, sizes.height)[:: -1 if sizes.flip in (5, 6) else 1]
    found.add({"width": width, "height": height, "format": "RAW"})
    return OpenedRaw(found, opened, preview)


def _shot(other: Any, lens: Any) -> Found:
    """Return what LibRaw has read of the exposure, in containers that are not TIFF, too."""
    found = Found()
    taken = other.timestamp
    moment = None if is_placeholder(taken) else Moment(taken, DatePrecision.SECOND, Rank.CHANGED)
    found.add(
        {
            "iso": whole(other.iso_speed, 1, 10_000_000),
            "aperture": positive(other.aperture),
            "focal_length": positive(other.focal_length),
            "exposure": positive(other.shutter_speed),
            "lens": clean(lens.model),
        },
        [moment],
    )
    return found


def _another_format(data: bytes, cause: Exception) -> None:
    """Make sure that it is a JPEG or TIFF that only has a RAW file's name."""
    try:
        Image.open(io.BytesIO(data)).close()
    except UnidentifiedImageError:
        raise PictureError(Reason.NOT_A_PICTURE, f"not a RAW file that LibRaw knows: {cause}") from cause


def _preview(opened: Any) -> Image.Image | None:
    import rawpy

    try:
        found = opened.extract_thumb()
        if found.format == rawpy.ThumbFormat.JPEG:
            return Image.open(io.BytesIO(found.data))
    except (rawpy.LibRawError, UnidentifiedImageError):  # there is none, or it is broken
        return None
    return Image.fromarray(found.data) if found.format == rawpy.ThumbFormat.BITMAP else None


def _turned(preview: Image.Image, flip: int) -> Image.Image:
    """Return the preview upright if only the RAW file, and not the preview, says how the camera was held."""
    if preview.getexif().get(ExifTags.Base.Orientation, 1) != 1:
        return preview  # it has its own orientation, which `decode` applies
    if flip in (5, 6) and preview.width < preview.height:
        return preview  # it was stored upright
    turn = {3: Image.Transpose.ROTATE_180, 5: Image.Transpose.ROTATE_90, 6: Image.Transpose.ROTATE_270}.get(flip)
    return preview if turn is None else preview.transpose(turn)
