"""Decodes bytes of every supported format to upright sRGB pixels; a failure is a `PictureError` with a reason.

Knows formats, orientation and colour; of the picture's use it knows only the minimum size.
"""

from __future__ import annotations

import hashlib
import io
from functools import cache
from pathlib import Path
from typing import cast

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from ..errors import PictureError
from ..types.records import Facts, Picture, Reason
from . import raw, video
from .metadata import facts_of

Image.MAX_IMAGE_PIXELS = None  # `_check` tests the size itself, after the header and before any pixel is decoded


def read(path: Path) -> tuple[bytes, str]:
    """Return a file's bytes and their content hash (BLAKE2b, 128 bits, hexadecimal).

    Raises:
        PictureError: the file has vanished, cannot be read or is empty.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError as exc:
        raise PictureError(Reason.VANISHED, "the file is no longer there") from exc
    except OSError as exc:
        raise PictureError(Reason.UNREADABLE, f"cannot read the file: {exc.strerror}") from exc
    if not data:
        raise PictureError(Reason.EMPTY, "the file is empty")
    return data, hashlib.blake2b(data, digest_size=16).hexdigest()


def decode(data: bytes, name: str = "", least: int = 0, max_megapixels: float = 250.0) -> Picture:
    """Decode one picture; if a minimum side is given, the shorter side may be reduced to no less than twice that.

    JPEGs are reduced during decoding (1/2, 1/4 or 1/8), other formats right afterwards by averaging whole blocks.

    Raises:
        PictureError: the picture is broken, too large, or in an unknown format; `reason` says which.
    """
    _register_heif()
    try:
        raw_file = raw.is_raw(name)
        image, known = raw.develop(data, max_megapixels) if raw_file else (Image.open(io.BytesIO(data)), Facts())
        _check(image, max_megapixels)
        said = facts_of(image, known)
        return Picture(_upright_srgb(image, 2 * least), said)
    except PictureError:
        raise
    except UnidentifiedImageError as exc:
        raise PictureError(Reason.NOT_A_PICTURE, "the file is not in a known picture format") from exc
    except MemoryError as exc:
        raise PictureError(Reason.TOO_LARGE, "there is not enough memory to decode it") from exc
    except Exception as exc:
        # Decoders raise many kinds of errors on broken bytes (OSError, SyntaxError, struct.error, RuntimeError ...):
        # each means that this file is broken, and none may end the run.
        truncated = "truncated" in str(exc).lower() or isinstance(exc, EOFError)
        raise PictureError(Reason.TRUNCATED if truncated else Reason.UNREADABLE, f"broken picture: {exc}") from exc


def load(path: Path, least: int = 0, max_megapixels: float = 250.0, second: float | None = None) -> Picture:
    """Read and decode one file, or one frame of a video at a time in seconds; see `decode`.

    Raises:
        PictureError: the file or frame cannot be read or decoded; `reason` says why.
    """
    if second is not None:
        return Picture(video.frame_at(path, second, least), Facts())
    return decode(read(path)[0], path.name, least, max_megapixels)


def facts(data: bytes) -> Facts:
    """Return the facts in a picture's bytes without decoding its pixels; empty facts if they cannot be read."""
    _register_heif()
    try:
        with Image.open(io.BytesIO(data)) as image:
            return facts_of(image, Facts())
    except Exception:  # as in `decode`; the picture itself was decoded before
        return Facts()


@cache
def _register_heif() -> None:
    import pillow_heif

    pillow_heif.register_heif_opener()


def _check(image: Image.Image, max_megapixels: float) -> None:
    megapixels = image.width * image.height / 1e6
    if megapixels > max_megapixels:
        message = (
            f"{image.width} x {image.height} is {megapixels:.0f} megapixels, more than the {max_megapixels:.0f} allowed"
        )
        raise PictureError(Reason.TOO_LARGE, f"{message} (raise RETRIEVAL_MAX_MEGAPIXELS to take it)")


def _upright_srgb(image: Image.Image, least: int) -> Image.Image:
    if least:
        image.draft(None, (least, least))  # JPEG: the largest reduction that keeps both sides at least this long
    image.load()
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
