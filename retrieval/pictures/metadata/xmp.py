"""XMP packets, in files and in sidecars, as Lightroom, digiKam, darktable, Windows and phones write them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any
from xml.etree.ElementTree import Element

from ...types.plain_text import plain
from . import coordinates
from .exif import positive, stars_of_percent, whole
from .found import Found
from .timestamps import Rank, read_moment

NAMESPACES = {
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "dc": "http://purl.org/dc/elements/1.1/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "exif": "http://ns.adobe.com/exif/1.0/",
    "exifEX": "http://cipa.jp/exif/1.0/",
    "aux": "http://ns.adobe.com/exif/1.0/aux/",
    "tiff": "http://ns.adobe.com/tiff/1.0/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "lr": "http://ns.adobe.com/lightroom/1.0/",
    "digiKam": "http://www.digikam.org/ns/1.0/",
    "MicrosoftPhoto": "http://ns.microsoft.com/photo/1.0/",
    "MPReg": "http://ns.microsoft.com/photo/1.2/t/Region#",
    "mwg-rs": "http://www.metadataworkinggroup.com/schemas/regions/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "mwg-kw": "http://www.metadataworkinggroup.com/schemas/keywords/",
    "acdsee": "http://ns.acdsee.com/iptc/1.0/",
    "mediapro": "http://ns.iview-multimedia.com/mediapro/1.0/",
    "pdf": "http://ns.adobe.com/pdf/1.3/",
    "retrieval": "urn:x-retrieval:xmp:1.0/",
}
LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
PLACE = (("photoshop:City", "City"), ("photoshop:State", "ProvinceState"), ("photoshop:Country", "CountryName"))


def xmp_root(packet: bytes | str) -> Element:
    """Return the packet's root element.

    Raises:
        ValueError: it is not valid, safe XML; the message says why.
    """
    from defusedxml import ElementTree

    data = packet.encode() if isinstance(packet, str) else packet
    if data[:2] not in (b"\xff\xfe", b"\xfe\xff") and b"\0" not in data[:4]:  # in UTF-16, zeros belong to characters
        data = data.removeprefix(b"\xef\xbb\xbf").strip(b"\0 \r\n\t")
    data = data.replace(b'"http://ns.microsoft.com/photo/1.0"', b'"http://ns.microsoft.com/photo/1.0/"')  # exiftool's
    data = data.replace(b"'http://ns.microsoft.com/photo/1.0'", b"'http://ns.microsoft.com/photo/1.0/'")
    try:
        root: Element = ElementTree.fromstring(data)
    except Exception as exc:  # the parser raises many kinds: unknown encodings, depth, forbidden entities
        raise ValueError(f"it is not valid XML: {exc}") from exc
    return root


def read_xmp(packet: bytes | str, rank: Rank = Rank.XMP) -> Found:
    """Return what an XMP packet says; `rank` is that of its original dates.

    A description that the library wrote itself (see `sidecars.py`) is ignored until someone changes it.

    Raises:
        ValueError: it is not valid XML.
    """
    root = xmp_root(packet)
    found = Found()
    latitude, longitude = coordinates.place(*_coordinates(root))
    description = _alternative(root, "dc:description") or _alternative(root, "tiff:ImageDescription")
    description = description or _value(root, "acdsee:caption")
    found.add(
        {
            "title": _alternative(root, "dc:title") or _value(root, "photoshop:Headline"),
            "description": "" if description == _value(root, "retrieval:Caption") else description,
            "comments": [_alternative(root, "exif:UserComment")],
            "keywords": list(_keywords(root)),
            "people": list(_people(root)),
            "rating": _rating(root),
            "latitude": latitude,
            "longitude": longitude,
            "place": _place(root),
            "camera": _camera(root),
            "lens": _value(root, "exifEX:LensModel") or _value(root, "aux:Lens"),
            "iso": whole(
                _first(root, "exif:ISOSpeedRatings") or _value(root, "exifEX:PhotographicSensitivity"), 1, 10**7
            ),
            "aperture": _fraction(_value(root, "exif:FNumber")),
            "focal_length": _fraction(_value(root, "exif:FocalLength")),
            "exposure": _fraction(_value(root, "exif:ExposureTime")),
        },
        (
            read_moment(_value(root, "exif:DateTimeOriginal"), rank),
            read_moment(_value(root, "photoshop:DateCreated"), rank),
            read_moment(_value(root, "xmp:CreateDate"), Rank.CREATED),
            read_moment(_value(root, "exif:DateTimeDigitized"), Rank.DIGITIZED),
        ),
    )
    return found


def _name(short: str) -> str:
    prefix, name = short.split(":")
    return f"{{{NAMESPACES[prefix]}}}{name}"


def _value(root: Element, short: str) -> str:
    """Return a simple property, written as an attribute or as an element; empty if it is missing."""
    name = _name(short)
    for element in root.iter():
        if name in element.attrib:
            return plain(element.attrib[name])
        if element.tag == name and element.text and element.text.strip():
            return plain(element.text)
    return ""


def _entries(root: Element, short: str) -> list[Element]:
    """Return the entries of the first list with this name."""
    for element in root.iter(_name(short)):
        return list(element.iter(_name("rdf:li")))
    return []


def _list(root: Element, short: str) -> list[str]:
    """Return the texts of a list, or a simple property as a list of one."""
    found = [plain(entry.text or "") for entry in _entries(root, short)]
    return [entry for entry in found if entry] or [each for each in [_value(root, short)] if each]


def _first(root: Element, short: str) -> str:
    return next(iter(_list(root, short)), "")


def _alternative(root: Element, short: str) -> str:
    """Return a text that may be given in several languages: the default one, else the first."""
    entries = [entry for entry in _entries(root, short) if (entry.text or "").strip()]
    if not entries:
        return _value(root, short)
    default = (entry for entry in entries if entry.get(LANGUAGE, "").lower() == "x-default")
    return plain(next(default, entries[0]).text or "")


def _keywords(root: Element) -> Iterator[str]:
    """Yield keywords from everywhere that programs put them; each level of a hierarchy is one."""
    for short in ("dc:subject", "photoshop:SupplementalCategories", "acdsee:keywords", "mediapro:CatalogSets"):
        yield from _list(root, short)
    for each in root.iter(_name("mwg-kw:Keyword")):
        yield plain(each.text or "")
    yield from (part.strip() for part in re.split(r"[,;]", _value(root, "pdf:Keywords")))
    for short, separator in (
        ("lr:hierarchicalSubject", "|"),
        ("digiKam:TagsList", "/"),
        ("MicrosoftPhoto:LastKeywordXMP", "/"),
        ("MicrosoftPhoto:LastKeywordIPTC", "/"),
    ):
        for entry in _list(root, short):
            yield from reversed([part.strip() for part in entry.split(separator) if part.strip()])


def _people(root: Element) -> Iterator[str]:
    """Yield the names of people: as IPTC lists them, and of face regions (MWG's and Microsoft's)."""
    yield from _list(root, "Iptc4xmpExt:PersonInImage")
    for person in root.iter(_name("Iptc4xmpExt:PersonName")):
        yield _alternative(person, "rdf:Alt") or plain("".join(person.itertext()))
    kind, name = _name("mwg-rs:Type"), _name("mwg-rs:Name")
    for region in root.iter():
        if _property(region, name) and _property(region, kind).lower() in ("face", ""):
            yield _property(region, name)
        display = region.attrib.get(_name("MPReg:PersonDisplayName"), "")
        if region.tag == _name("MPReg:PersonDisplayName"):
            display = region.text or ""
        if display.strip():
            yield plain(display)


def _property(element: Element, name: str) -> str:
    """Return a property of one structure, written as an attribute or as a child."""
    child = element.find(name)
    return plain(element.attrib.get(name, "") or (child.text or "" if child is not None else ""))


def _place(root: Element) -> tuple[str, str, str]:
    """Return city, region and country: where the picture was made, else what it shows, else Photoshop's fields."""
    for short in ("Iptc4xmpExt:LocationCreated", "Iptc4xmpExt:LocationShown"):
        for location in root.iter(_name(short)):
            parts = [_alternative(location, f"Iptc4xmpExt:{field}") for _, field in PLACE]
            if any(parts):
                return parts[0], parts[1], parts[2]
    city, region, country = (_value(root, short) for short, _ in PLACE)
    return city, region, country


def _coordinates(root: Element) -> Iterable[float | None]:
    for axis in ("Latitude", "Longitude"):
        text = _value(root, f"exif:GPS{axis}")
        reference = "" if any(sign in text.upper() for sign in "NSEW") else _value(root, f"exif:GPS{axis}Ref")
        yield coordinates.from_text(f"{text} {reference}")


def _rating(root: Element) -> int | None:
    stars = whole(_value(root, "xmp:Rating") or _value(root, "acdsee:rating"), -1, 5)
    return stars if stars is not None else stars_of_percent(whole(_value(root, "MicrosoftPhoto:Rating"), 1, 99))


def _camera(root: Element) -> str:
    return " ".join(dict.fromkeys(f"{_value(root, 'tiff:Make')} {_value(root, 'tiff:Model')}".split()))


def _fraction(text: str) -> float | None:
    """Return `28/10` or `2.8` as a number above zero."""
    above, _, below = text.partition("/")
    over: Any = positive(above)
    under = positive(below) if below else 1.0
    return positive(over / under) if over and under else None
