"""EXIF: camera, exposure, place, dates and texts. A block that is broken says nothing."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from PIL import ExifTags, Image

from . import coordinates
from .found import Found
from .text_decoding import clean, user_comment, utf16
from .timestamps import Rank, read_moment

Base, Gps = ExifTags.Base, ExifTags.GPS
CAMERA_DEFAULTS = frozenset({"OLYMPUS DIGITAL CAMERA", "SONY DSC", "DCIM", "DIGITAL CAMERA", "MINOLTA DIGITAL CAMERA"})
FROM_PROGRAMS = re.compile(  # comments that programs leave by themselves
    r"creator:|created (with|by|using)|lead technologies|file written by|compressed by|optimi[sz]ed (by|with|using)"
    r"|lavc|applemark|intel\(r\)|processed (by|with)|edited with|jpeg encoder|\*|ascii$|software:|handbrake",
    re.IGNORECASE,
)
RATING, RATING_PERCENT = 0x4746, 0x4749  # tags of Windows: 0 to 5, and 0 to 99
XP_TITLE, XP_COMMENT, XP_KEYWORDS, XP_SUBJECT = 0x9C9B, 0x9C9C, 0x9C9E, 0x9C9F
SPEEDS = (Base.ISOSpeedRatings, Base.ISOSpeed, Base.RecommendedExposureIndex, Base.StandardOutputSensitivity)


def read_exif(load: Callable[[], Image.Exif]) -> Found:
    """Return what an EXIF block says; nothing if it is broken."""
    found = Found()
    try:
        exif = load()
        details, gps = exif.get_ifd(ExifTags.IFD.Exif), exif.get_ifd(ExifTags.IFD.GPSInfo)
    except Exception:  # a broken EXIF block raises many kinds of errors; the picture is usable without it
        return found
    latitude, longitude = coordinates.place(
        coordinates.from_parts(gps.get(Gps.GPSLatitude), clean(gps.get(Gps.GPSLatitudeRef))),
        coordinates.from_parts(gps.get(Gps.GPSLongitude), clean(gps.get(Gps.GPSLongitudeRef))),
    )
    big_endian = exif.endian == ">"
    comments = (
        user_comment(details.get(Base.UserComment), big_endian=big_endian),
        utf16(exif.get(XP_COMMENT)),
        utf16(exif.get(XP_SUBJECT)),
    )
    found.add(
        {
            "camera": " ".join(dict.fromkeys(f"{clean(exif.get(Base.Make))} {clean(exif.get(Base.Model))}".split())),
            "lens": clean(details.get(Base.LensModel)),
            "latitude": latitude,
            "longitude": longitude,
            "orientation": whole(exif.get(Base.Orientation), 1, 8) or 1,
            "title": utf16(exif.get(XP_TITLE)),
            "description": own_words(clean(exif.get(Base.ImageDescription))),
            "comments": [own_words(each) for each in comments],
            "keywords": [each.strip() for each in utf16(exif.get(XP_KEYWORDS)).split(";")],
            "rating": _rating(exif),
            "iso": next((value for tag in SPEEDS if (value := whole(details.get(tag), 1, 10_000_000))), None),
            "aperture": positive(details.get(Base.FNumber)),
            "focal_length": positive(details.get(Base.FocalLength)),
            "exposure": positive(details.get(Base.ExposureTime)),
        },
        (
            read_moment(clean(exif_time), rank, clean(offset))
            for exif_time, offset, rank in (
                (details.get(Base.DateTimeOriginal), details.get(Base.OffsetTimeOriginal), Rank.ORIGINAL),
                (details.get(Base.DateTimeDigitized), details.get(Base.OffsetTimeDigitized), Rank.DIGITIZED),
                (exif.get(Base.DateTime), details.get(Base.OffsetTime), Rank.CHANGED),
            )
        ),
    )
    return found


def own_words(text: str) -> str:
    """Return a text, or nothing if a camera or program put it there by itself."""
    return "" if text.upper() in CAMERA_DEFAULTS or FROM_PROGRAMS.match(text) else text


def whole(value: object, least: int, most: int) -> int | None:
    """Return a value as a whole number between two limits; None if it is none."""
    if isinstance(value, tuple | list) and value:
        value = value[0]
    try:
        number = int(float(str(value)))
    except (ValueError, OverflowError):
        return None
    return number if least <= number <= most else None


def positive(value: object) -> float | None:
    """Return a value as a number above zero, in six digits; None if it is none."""
    try:
        number = float(value)  # type: ignore[arg-type]  # what is no number raises
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    return float(f"{number:.6g}") if math.isfinite(number) and number > 0 else None


def _rating(exif: Mapping[int, Any]) -> int | None:
    stars = whole(exif.get(RATING), 1, 5)
    return stars if stars is not None else stars_of_percent(whole(exif.get(RATING_PERCENT), 1, 99))


def stars_of_percent(percent: int | None) -> int | None:
    """Return the stars, 1 to 5, that Windows writes as 1, 25, 50, 75 or 99 percent."""
    return None if percent is None else min(5, 1 + round(percent / 25))
