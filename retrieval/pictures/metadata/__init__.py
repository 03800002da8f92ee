"""The metadata of a picture: EXIF, IPTC, XMP, comments, and the sidecars beside it; docs/metadata.md has the table.

Knows the standards' fields; does not know pixels. A block that is broken never costs the picture.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from PIL import Image, ImageFile, IptcImagePlugin

from ...errors import PictureError
from ...runtime.charset import decode_text
from ...types.plain_text import plain
from ...types.records import Problem, Reason
from ..files import read_file
from .exif import own_words, read_exif
from .found import Found
from .iptc import parse_iptc, read_iptc
from .takeout import read_takeout
from .text_decoding import clean
from .timestamps import Rank, read_moment
from .xmp import read_xmp

LARGEST = 64 << 20  # bytes of a sidecar that are read
XMP_TAG, IPTC_TAG = 700, 33723  # of TIFF files, and of RAW files that are TIFF
PHOTOSHOP_IPTC, PHOTOSHOP_EXIF, PHOTOSHOP_XMP = 1028, 1058, 1060  # image resources of PSD files
SCANNED = frozenset({"GIF", "JXL", "JPEG2000"})  # formats whose XMP Pillow does not hand out
XMP_END = b"</x:xmpmeta>"
PNG_TEXTS = {"Title": "title", "Description": "description", "Comment": "comments", "Keywords": "keywords"}


@dataclass(frozen=True)
class SidecarText:
    """What the `.txt` beside a picture says, and which sidecars could not be used."""

    text: str = ""
    problems: tuple[Problem, ...] = ()


def read_metadata(image: Image.Image, data: bytes = b"") -> Found:
    """Return what the metadata blocks of an opened picture say.

    `data` is the file itself, for formats of which Pillow reads less.
    """
    found = read_exif(image.getexif)
    orientation = found.values.get("orientation", 1)
    width, height = image.size[::-1] if orientation >= 5 else image.size
    found.add({"width": width, "height": height, "format": image.format or ""})
    resources = {number: data for number, _, data in getattr(image, "resources", ()) or ()}  # of PSD
    _quietly(lambda: found.add(*_said(_iptc(image, resources))))
    if PHOTOSHOP_EXIF in resources:
        _quietly(lambda: found.put(read_exif(lambda: _exif_of(resources[PHOTOSHOP_EXIF]))))
    packet = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or resources.get(PHOTOSHOP_XMP)
    if not packet and image.format in SCANNED:
        packet = _packet_in(data)
    if packet:
        _quietly(lambda: found.add(*_said(read_xmp(packet))))
    _quietly(lambda: _comments(image.info, found))
    return found


def read_tiff_header(data: bytes) -> Found:
    """Return what the TIFF header says that most RAW formats share; nothing for other containers."""

    def load() -> Image.Exif:
        return _exif_of(data)

    found = read_exif(load)
    try:
        exif = load()
        packet, block = exif.get(XMP_TAG), exif.get(IPTC_TAG)
    except Exception:  # as for EXIF itself
        return found
    if isinstance(block, tuple) and all(isinstance(number, int) for number in block):  # exiftool writes it as LONG
        block = struct.pack(f"{'>' if data[:2] == b'MM' else '<'}{len(block)}I", *block)
    if isinstance(block, bytes):
        _quietly(lambda: found.add(*_said(read_iptc(parse_iptc(block)))))
    if packet:
        data_of = packet if isinstance(packet, bytes | str) else bytes(packet)
        _quietly(lambda: found.add(*_said(read_xmp(data_of))))
    return found


def read_sidecars(places: Sequence[Path], found: Found) -> SidecarText:
    """Add what sidecars say to what was found in the file, and return the text beside it.

    Of each kind, the first that can be used counts; XMP comes last, since it is what people edit.
    """
    problems: list[Problem] = []
    text = ""
    for kind in (".json", ".txt", ".xmp"):
        for place in (place for place in places if place.suffix.lower() == kind):
            try:
                data = read_file(place, LARGEST)[0]
                if kind == ".txt":
                    text = plain(decode_text(data.removeprefix(b"\xef\xbb\xbf"), _utf16(data)))
                    said: Found | None = Found()
                else:
                    said = read_takeout(data) if kind == ".json" else read_xmp(data, Rank.SIDECAR)
            except PictureError as exc:
                problems += [] if exc.reason is Reason.EMPTY else [Problem(place, Reason.BAD_METADATA, str(exc))]
                continue
            except ValueError as exc:
                problems.append(Problem(place, Reason.BAD_METADATA, f"the sidecar was not used: {exc}"))
                continue
            if said is not None:
                found.put(said) if kind == ".xmp" else found.add(*_said(said))
                break
    return SidecarText(text, tuple(problems))


def _packet_in(data: bytes) -> bytes:
    """Return the XMP packet that lies somewhere in a file, or nothing."""
    start, end = data.find(b"<x:xmpmeta"), data.rfind(XMP_END)
    return data[start : end + len(XMP_END)] if 0 <= start < end else b""


def _utf16(data: bytes) -> str:
    return "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else ""


def _said(found: Found) -> tuple[Mapping[str, Any], Iterable[Any]]:
    return found.values, found.moments


def _quietly(read: Callable[[], object]) -> None:
    """Read a block; one that is broken says nothing. Decoders raise many kinds of errors, and none may cost more."""
    try:
        read()
    except Exception:
        return


def _exif_of(data: bytes) -> Image.Exif:
    exif = Image.Exif()
    exif.load(data)
    return exif


def _iptc(image: Image.Image, resources: Mapping[int, bytes]) -> Found:
    if PHOTOSHOP_IPTC in resources:
        return read_iptc(parse_iptc(resources[PHOTOSHOP_IPTC]))
    return read_iptc(IptcImagePlugin.getiptcinfo(cast(ImageFile.ImageFile, image)) or {})


def _comments(info: Mapping[Any, Any], found: Found) -> None:
    """Add the comment of a JPEG or GIF, and the text blocks of a PNG."""
    comment = info.get("comment")
    if isinstance(comment, bytes | str):
        found.add({"comments": [own_words(clean(comment))]})
    texts = {key.lower(): value for key, value in info.items() if isinstance(key, str)}
    for key, field in PNG_TEXTS.items():
        text = texts.get(key.lower())
        if isinstance(text, str) and text.strip():
            words = own_words(clean(text))
            found.add({field: [words] if field == "comments" else words.split(",") if field == "keywords" else words})
    for key in ("creation time", "creation_time", "date:create"):
        if isinstance(texts.get(key), str):
            found.add({}, [read_moment(texts[key], Rank.CREATED)])
