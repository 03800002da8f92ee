"""Coordinates as EXIF, XMP, films and other programs spell them, in degrees; what cannot be a place is none."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

NUMBER = re.compile(r"\d+(?:\.\d+)?(?:/\d+)?")
ISO_6709 = re.compile(r"([+-])(\d+)(\.\d+)?([+-])(\d+)(\.\d+)?")


def place(latitude: float | None, longitude: float | None) -> tuple[float | None, float | None]:
    """Return both coordinates, or none: half a place is none, nor is one out of range, nor 0,0 (a device without fix).

    Coordinates are rounded to 1e-7 degrees, a centimetre.
    """
    if latitude is None or longitude is None or not (math.isfinite(latitude) and math.isfinite(longitude)):
        return None, None
    if abs(latitude) > 90 or abs(longitude) > 180 or (abs(latitude) < 1e-6 and abs(longitude) < 1e-6):
        return None, None
    return round(latitude, 7), round(longitude, 7)


def from_parts(parts: object, reference: str) -> float | None:
    """Return degrees from EXIF's degrees, minutes and seconds (or fewer of them), and `N`, `S`, `E` or `W`."""
    if isinstance(parts, str):
        return from_text(parts + reference)
    numbers: Sequence[object] = parts if isinstance(parts, tuple | list) else (parts,)
    if not 1 <= len(numbers) <= 3:
        return None
    try:
        values = [float(number) for number in numbers]  # type: ignore[arg-type]  # what is no number raises
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return _signed(values, reference, negative=False)


def from_text(text: str) -> float | None:
    """Return degrees from `38,42.5N`, `38,42,30N`, `-9.14`, `9.14 W` or `48 deg 8' 13.2" N`; None for other text."""
    text = text.strip().upper().replace("−", "-")
    try:
        return float(text) if math.isfinite(float(text)) else None  # also 4.8137e1
    except ValueError:
        pass
    letters = re.findall(r"(?<![A-Z])[NSEW](?:ORTH|OUTH|AST|EST)?(?![A-Z])", text)
    if re.fullmatch(r"[+-]?\d{1,3},\d{3,}\s*[NSEW]?", text):
        text = text.replace(",", ".")  # a decimal comma
    found = NUMBER.findall(text)
    if not 1 <= len(found) <= 3 or len(letters) > 1:
        return None
    try:
        values = [int(n.split("/")[0]) / int(n.split("/")[1]) if "/" in n else float(n) for n in found]
    except (ValueError, ZeroDivisionError):
        return None
    return _signed(values, letters[0] if letters else "", negative=text.startswith("-"))


def from_iso_6709(text: str) -> tuple[float, float] | None:
    """Return latitude and longitude from `+48.1371+011.5754/`, as films have them; None for other text."""
    match = ISO_6709.match(text.strip())
    if match is None:
        return None
    latitude = _packed(match[1], match[2], match[3] or "", 2)
    longitude = _packed(match[4], match[5], match[6] or "", 3)
    return latitude, longitude


def _packed(sign: str, digits: str, fraction: str, width: int) -> float:
    """Return degrees from DD.d, DDMM.m or DDMMSS.s, where degrees take `width` digits."""
    groups = [digits[:width], *(digits[k : k + 2] for k in range(width, len(digits), 2))]
    values = [float(group + fraction) if k == len(groups) - 1 else float(group) for k, group in enumerate(groups)]
    value: float = sum(number / 60**k for k, number in enumerate(values))
    return -value if sign == "-" else value


def _signed(values: list[float], reference: str, *, negative: bool) -> float | None:
    values = [values[0], *(0.0 if math.isnan(number) else number for number in values[1:])]  # seconds of 0/0
    if any(not math.isfinite(number) for number in values) or any(number > 60 for number in values[1:]):
        return None
    value: float = abs(values[0]) + sum(number / 60**k for k, number in enumerate(values) if k)
    minus = negative or values[0] < 0 or reference.strip().upper()[:1] in ("S", "W")
    return -value if minus else value
