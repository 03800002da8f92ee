"""Decodes bytes of every supported format to upright sRGB pixels; a failure is a `PictureError` with a reason.

Knows formats, orientation and colour; of the picture's use it knows only the minimum size.
"""

from __future__ import annotations

import io
import logging
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import cast

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from ..errors import PictureError
from ..types.records import Facts, Picture, Reason
from . import raw, video
from .files import read_file
from .metadata import read_metadata
from .metadata.found import Found

Image.MAX_IMAGE_PIXELS = None  # `_check` tests the size itself, after the header and before any pixel is decoded
LEAST_PART = 0.1  # of a damaged picture's rows that must be there
NEARLY_ALL = 0.9  # of its rows
JPEG_END = b"\xff\xd9"
COMPRESSED = (b"zTXt", b"iTXt", b"iCCP")  # chunks of a PNG that may be larger than Pillow takes
PNG = b"\x89PNG\r\n\x1a\n"
SIGNATURES = (  # first bytes of formats, for messages about files that no decoder takes
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF (of the large kind)"),
    (b"MM\0+", "TIFF (of the large kind)"),
    (b"\xff\xd8", "JPEG"),
    (PNG, "PNG"),
    (b"GIF8", "GIF"),
    (b"BM", "BMP"),
    (b"8BPS", "PSD"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000 picture"),
    (b"%PDF", "PDF"),
    (b"PK\x03\x04", "ZIP archive"),
)

log = logging.getLogger(__name__)


@dataclass
class OpenedPicture:
    """A picture whose header and metadata were read; its pixels are decoded on demand."""

    found: Found
    _load: Callable[[int], tuple[Image.Image, bool]]

    def pixels(self, least: int = 0) -> Image.Image:
        """Return the upright sRGB pixels; with a minimum side, the shorter side may be reduced to twice that.

        If a part of the file is missing, the rows that are there are returned, and the facts say `damaged`.

        Raises:
            PictureError: nothing can be decoded; `reason` says why.
        """
        with _errors():
            image, damaged = self._load(2 * least)
            self.found.add({"damaged": damaged} if damaged else {})
            return _upright_srgb(image, 2 * least)


def open_picture(data: bytes, name: str = "", max_megapixels: float = 250.0) -> OpenedPicture:
    """Open a picture of any format; its name tells RAW files from others.

    Raises:
        PictureError: it is broken, too large, or in an unknown format; `reason` says which.
    """
    _register_plugins()
    with _errors(data):
        if raw.is_raw(name):
            opened = raw.open_raw(data, max_megapixels)
            if opened is not None:
                return OpenedPicture(opened.found, lambda _least: (opened.picture(), False))
        image = _opened(data)
        _check(image, max_megapixels)
        return OpenedPicture(read_metadata(image, data), lambda least: _loaded(image, data, least))


def decode(data: bytes, name: str = "", least: int = 0, max_megapixels: float = 250.0) -> Picture:
    """Decode one picture; if a minimum side is given, the shorter side may be reduced to no less than twice that.

    JPEGs are reduced during decoding (1/2, 1/4 or 1/8), other formats right afterwards by averaging whole blocks.

    Raises:
        PictureError: the picture is broken, too large, or in an unknown format; `reason` says which.
    """
    opened = open_picture(data, name, max_megapixels)
    image = opened.pixels(least)
    return Picture(image, opened.found.facts(name))


def load(path: Path, least: int = 0, max_megapixels: float = 250.0, second: float | None = None) -> Picture:
    """Read and decode one file, or one frame of a video at a time in seconds; see `decode`.

    Raises:
        PictureError: the file or frame cannot be read or decoded; `reason` says why.
    """
    if second is not None:
        return Picture(video.frame_at(path, second, least), Facts())
    return decode(read_file(path)[0], path.name, least, max_megapixels)


@contextmanager
def _errors(data: bytes = b"") -> Iterator[None]:
    """Translate the errors of decoders."""
    try:
        yield
    except PictureError:
        raise
    except UnidentifiedImageError as exc:
        raise _unknown(data) from exc
    except MemoryError as exc:
        raise PictureError(Reason.TOO_LARGE, "there is not enough memory to decode it") from exc
    except Exception as exc:
        # Decoders raise many kinds of errors on broken bytes (OSError, SyntaxError, struct.error, RuntimeError ...):
        # each means that this file is broken, and none may end the run.
        truncated = "truncated" in str(exc).lower() or isinstance(exc, EOFError)
        raise PictureError(
            Reason.TRUNCATED if truncated else Reason.UNREADABLE, f"broken picture: {_line(exc)}"
        ) from exc


def _line(exc: Exception) -> str:
    """Return the message of a decoder in one line."""
    return " ".join(str(exc).split())[:200]


def _unknown(data: bytes) -> PictureError:
    """Return the error for bytes that no decoder takes; it names the format if the first bytes tell it."""
    name = next((name for start, name in SIGNATURES if data.startswith(start)), "")
    if data[4:8] == b"ftyp":
        name = "HEIF, AVIF or MP4 file"
    elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        name = "WebP file"
    if name:
        return PictureError(Reason.UNREADABLE, f"it is a {name}, but broken or of a kind that cannot be read")
    if data.lstrip()[:1] == b"<":
        return PictureError(Reason.NOT_A_PICTURE, "it is a web page or another text, not a picture")
    return PictureError(Reason.NOT_A_PICTURE, "the file is not in a known picture format")


def _opened(data: bytes) -> Image.Image:
    """Open a picture; blocks of a PNG that are not needed to show it never cost it."""
    try:
        return Image.open(io.BytesIO(data))
    except Exception:  # too large a text, a wrong checksum, a block that is cut off: each raises another error
        if not data.startswith(PNG):
            raise
    try:
        return Image.open(io.BytesIO(_critical_chunks(data, sound_too=True)))
    except Exception:  # as above
        return Image.open(io.BytesIO(_critical_chunks(data, sound_too=False)))


def _critical_chunks(data: bytes, *, sound_too: bool) -> bytes:
    """Return a PNG with the chunks that it needs, and on demand those others that are sound and not compressed."""
    kept, at = [data[: len(PNG)]], len(PNG)
    while at + 12 <= len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        kind = data[at + 4 : at + 8]
        sound = zlib.crc32(data[at + 4 : end - 4]) == int.from_bytes(data[end - 4 : end], "big")
        if kind[:1].isupper() or (sound_too and sound and kind not in COMPRESSED):
            kept.append(data[at:end])
        at = end
    return b"".join(kept)


def _loaded(image: Image.Image, data: bytes, least: int) -> tuple[Image.Image, bool]:
    """Return the picture with its pixels, and whether it is damaged: then only the rows that could be decoded."""
    if least:
        image.draft(None, (least, least))  # JPEG: the largest reduction that keeps both sides at least this long
    try:
        image.load()
    except (OSError, EOFError, SyntaxError, ValueError) as exc:
        part = _decoded_part(image, data, least)
        if part is None:
            raise
        log.info("a part is missing: %s", exc)
        return part, True
    return image, False


def _decoded_part(image: Image.Image, data: bytes, least: int) -> Image.Image | None:
    """Return the rows of a picture that were decoded before an error; None if they are too few to show anything."""
    try:
        part = image._new(image.im)  # what the decoder has filled so far
        box = part.convert("RGB").getbbox()  # what was not decoded is black
        rows = 0 if box is None else box[3]
        # With an end marker, the last rows of a JPEG come, too, and what there is of a progressive one.
        if image.format == "JPEG" and (rows >= NEARLY_ALL * part.height or image.info.get("progressive")):
            whole = Image.open(io.BytesIO(data + JPEG_END))
            whole.draft(None, (least, least) if least else None)
            whole.load()
            return whole if whole.convert("L").getextrema() != (128, 128) else None  # grey: nothing was decoded
        return part.crop((0, 0, part.width, rows)) if rows >= LEAST_PART * part.height else None
    except Exception:  # as above: broken bytes raise many kinds of errors
        return None


@cache
def _register_plugins() -> None:
    import pillow_heif
    import pillow_jxl  # noqa: F401  # registers JPEG XL

    pillow_heif.register_heif_opener()


def _check(image: Image.Image, max_megapixels: float) -> None:
    megapixels = image.width * image.height / 1e6
    if megapixels > max_megapixels:
        message = (
            f"{image.width} x {image.height} is {megapixels:.0f} megapixels, more than the {max_megapixels:.0f} allowed"
        )
        raise PictureError(Reason.TOO_LARGE, f"{message} (raise RETRIEVAL_MAX_MEGAPIXELS to take it)")


def _upright_srgb(image: Image.Image, least: int) -> Image.Image:
    profile = image.info.get("icc_profile")
    upright = ImageOps.exif_transpose(image)
    factor = min(upright.size) // least if least else 1
    if factor > 1 and upright.mode in ("1", "P", "PA"):  # blocks of palette indices cannot be averaged
        upright = _without_palette(upright)
    if factor > 1 and upright.mode in ("L", "LA", "RGB", "RGBA", "CMYK", "La", "RGBa"):
        upright = upright.reduce(factor)
    return _to_srgb(upright, profile)


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert any mode to RGB: deep channels are scaled, transparency is laid on white, the profile is applied."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return _from_deep(image).convert("RGB")
    if image.mode in ("P", "PA"):
        image = _without_palette(image)
    alpha = image.getchannel("A") if image.mode in ("RGBA", "LA") else None
    flat = image.convert("RGB" if image.mode == "RGBA" else "L") if alpha else image
    converted = _by_profile(flat, profile) if profile else flat.convert("RGB")
    if alpha is None:
        return converted
    white = Image.new("RGB", image.size, "white")
    white.paste(converted, mask=alpha)
    return white


def _without_palette(image: Image.Image) -> Image.Image:
    return image.convert("RGBA" if "transparency" in image.info or image.mode == "PA" else "RGB")


def _by_profile(image: Image.Image, profile: bytes) -> Image.Image:
    """Convert colours to sRGB; a profile that is broken or of another colour model is ignored."""
    if image.mode not in ("RGB", "L", "CMYK", "LAB"):
        return image.convert("RGB")
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        found = ImageCms.profileToProfile(image, source, _srgb(), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image.convert("RGB")
    return cast(Image.Image, found)


@cache
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def _from_deep(image: Image.Image) -> Image.Image:
    """Convert 16 or more bits per pixel, integer or floating point, to 8 bits."""
    values = np.asarray(image, dtype=np.float32)
    values = np.nan_to_num(values)
    low, high = (0.0, 65535.0) if image.mode != "F" and values.max() > 255 else (min(0.0, float(values.min())), 255.0)
    if image.mode == "F":
        low, high = float(values.min()), float(values.max())
    scaled = (values - low) * (255 / max(high - low, 1e-6))
    return Image.fromarray(scaled.clip(0, 255).astype(np.uint8))
