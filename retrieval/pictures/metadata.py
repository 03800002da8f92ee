"""EXIF, IPTC and XMP to `Facts`; an XMP sidecar takes precedence over the file itself.

Knows the standards' fields; does not know pixels. Broken metadata is ignored and never an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, cast
from xml.etree.ElementTree import Element, ParseError

from PIL import ExifTags, Image, ImageFile, IptcImagePlugin

from ..types.records import Facts

Base, Gps = ExifTags.Base, ExifTags.GPS
CAMERA_DEFAULTS = frozenset({"OLYMPUS DIGITAL CAMERA", "SONY DSC", "DCIM", "DIGITAL CAMERA", "MINOLTA DIGITAL CAMERA"})
RATING = 0x4746  # EXIF tag of Windows' rating, 0 to 5
NAMESPACES = {
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "dc": "http://purl.org/dc/elements/1.1/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "exif": "http://ns.adobe.com/exif/1.0/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "retrieval": "urn:x-retrieval:xmp:1.0/",
}


def facts_of(image: Image.Image, known: Facts) -> Facts:
    """Return the facts already known, updated with those in the opened file."""
    exif = _exif(image.getexif)
    width, height = (known.width, known.height) if known.width else _size(image, exif)
    facts = replace(known, format=known.format or image.format or "", width=width, height=height)
    facts = _with(facts, exif)
    facts = _with(facts, _iptc(image))
    packet = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    return _with(facts, xmp_fields(packet)) if packet else facts


def sidecar_facts(path: Path, facts: Facts) -> Facts:
    """Return `facts` updated with the `.xmp` file beside the picture, if there is one."""
    for place in (path.with_name(path.name + ".xmp"), path.with_suffix(".xmp")):
        try:
            return _with(facts, xmp_fields(place.read_bytes()))
        except OSError:
            continue
    return facts


def _with(facts: Facts, found: Mapping[str, Any]) -> Facts:
    return replace(facts, **{name: value for name, value in found.items() if value not in (None, "", ())})


def _size(image: Image.Image, exif: Mapping[str, Any]) -> tuple[int, int]:
    return image.size[::-1] if exif.get("orientation", 1) >= 5 else image.size


# --- EXIF --------------------------------------------------------------------------------------------------


def tiff_facts(data: bytes) -> Facts:
    """Return the facts in the TIFF header that most RAW formats share; empty facts for other containers."""

    def load() -> Image.Exif:
        exif = Image.Exif()
        exif.load(data)
        return exif

    return _with(Facts(), _exif(load))


def _exif(load: Callable[[], Image.Exif]) -> dict[str, Any]:
    try:
        exif = load()
        details, gps = exif.get_ifd(ExifTags.IFD.Exif), exif.get_ifd(ExifTags.IFD.GPSInfo)
    except Exception:  # a broken EXIF block raises many kinds of errors; the picture is usable without it
        return {}
    camera = " ".join(dict.fromkeys(f"{_text(exif.get(Base.Make))} {_text(exif.get(Base.Model))}".split()))
    description = _text(exif.get(Base.ImageDescription))
    rating = exif.get(RATING)
    return {
        "taken_at": _exif_time(exif, details),
        "camera": camera,
        "lens": _text(details.get(Base.LensModel)),
        "latitude": _degrees(gps.get(Gps.GPSLatitude), gps.get(Gps.GPSLatitudeRef), "S", 90),
        "longitude": _degrees(gps.get(Gps.GPSLongitude), gps.get(Gps.GPSLongitudeRef), "W", 180),
        "orientation": _whole(exif.get(Base.Orientation), 1, 8) or 1,
        "description": "" if description.upper() in CAMERA_DEFAULTS else description,
        "rating": _whole(rating, 0, 5) if rating else None,
    }


def _text(value: object) -> str:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return str(value).replace("\0", " ").strip() if value is not None else ""


def _whole(value: object, least: int, most: int) -> int | None:
    try:
        number = int(float(str(value)))
    except ValueError:
        return None
    return number if least <= number <= most else None


def _exif_time(exif: Mapping[int, Any], details: Mapping[int, Any]) -> datetime | None:
    pairs = (
        (details.get(Base.DateTimeOriginal), details.get(Base.OffsetTimeOriginal)),
        (details.get(Base.DateTimeDigitized), details.get(Base.OffsetTimeDigitized)),
        (exif.get(Base.DateTime), details.get(Base.OffsetTime)),
    )
    for moment, offset in pairs:
        try:
            found = datetime.strptime(_text(moment)[:19], "%Y:%m:%d %H:%M:%S")  # the time zone is added below
        except ValueError:
            continue
        return found.replace(tzinfo=_zone(_text(offset)))
    return None


def _zone(offset: str) -> timezone | None:
    found = re.fullmatch(r"([+-])(\d\d):?(\d\d)", offset)
    if not found:
        return UTC if offset == "Z" else None
    span = timedelta(hours=int(found[2]), minutes=int(found[3]))
    return timezone(-span if found[1] == "-" else span) if span < timedelta(hours=24) else None


def _degrees(parts: Any, reference: object, negative: str, most: float) -> float | None:
    try:
        degrees, minutes, seconds = (float(part) for part in parts)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    value = degrees + minutes / 60 + seconds / 3600
    if not 0 <= value <= most:  # also rejects NaN, which cameras without a GPS fix write
        return None
    return -value if _text(reference).upper().startswith(negative) else value


# --- IPTC and XMP ------------------------------------------------------------------------------------------


def _iptc(image: Image.Image) -> dict[str, Any]:
    try:
        found = IptcImagePlugin.getiptcinfo(cast(ImageFile.ImageFile, image)) or {}
    except Exception:  # as above: a broken block is ignored
        return {}

    def texts(field: int) -> tuple[str, ...]:
        value = found.get((2, field), [])
        return tuple(_text(part) for part in (value if isinstance(value, list) else [value]))

    return {"title": " ".join(texts(5)), "description": " ".join(texts(120)), "keywords": texts(25)}


def xmp_root(packet: bytes | str) -> Element | None:
    """Return the packet's root element; None if it is not valid, safe XML."""
    from defusedxml import ElementTree
    from defusedxml.common import DefusedXmlException

    try:
        root: Element = ElementTree.fromstring(packet.strip(b"\0 \n") if isinstance(packet, bytes) else packet)
    except (ParseError, ValueError, DefusedXmlException):
        return None
    return root


def xmp_fields(packet: bytes | str) -> dict[str, Any]:
    """Return the values of an XMP packet by the field names of `Facts`; empty if the packet is broken.

    A description that the library wrote itself (see `sidecars.py`) is ignored until someone changes it.
    """
    root = xmp_root(packet)
    if root is None:
        return {}
    latitude, longitude = (_xmp_degrees(_value(root, f"exif:GPS{name}")) for name in ("Latitude", "Longitude"))
    taken = _value(root, "exif:DateTimeOriginal") or _value(root, "photoshop:DateCreated")
    description = " ".join(_list(root, "dc:description"))
    return {
        "title": " ".join(_list(root, "dc:title")),
        "description": "" if description == _value(root, "retrieval:Caption") else description,
        "keywords": tuple(_list(root, "dc:subject")),
        "rating": _whole(_value(root, "xmp:Rating"), -1, 5),
        "taken_at": _iso(taken),
        "latitude": latitude,
        "longitude": longitude,
    }


def _name(short: str) -> str:
    prefix, name = short.split(":")
    return f"{{{NAMESPACES[prefix]}}}{name}"


def _value(root: Element, short: str) -> str:
    """Return a simple property, written as an attribute or as an element; empty if it is missing."""
    name = _name(short)
    for element in root.iter():
        if name in element.attrib:
            return element.attrib[name].strip()
        if element.tag == name and element.text:
            return element.text.strip()
    return ""


def _list(root: Element, short: str) -> Iterable[str]:
    """Return the entries of a bag, or the first of the alternatives in several languages."""
    for element in root.iter(_name(short)):
        entries = [(entry.text or "").strip() for entry in element.iter(_name("rdf:li"))]
        alternatives = element.find("rdf:Alt", NAMESPACES) is not None
        return [entry for entry in entries if entry][: 1 if alternatives else None]
    return []


def _iso(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if len(text) >= 10 else None
    except ValueError:
        return None


def _xmp_degrees(text: str) -> float | None:
    """Return `38,42.5N` or `38,42,30N` in degrees, negative for south and west; None for any other form."""
    found = re.fullmatch(r"(\d+),(\d+(?:\.\d+)?)(?:,(\d+(?:\.\d+)?))?([NSEW])", text)
    if not found:
        return None
    value = int(found[1]) + float(found[2]) / 60 + float(found[3] or 0) / 3600
    return -value if found[4] in "SW" else value
