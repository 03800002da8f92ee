"""The metadata of a film: container tags of phones and cameras, and XMP inside MP4 and QuickTime files.

A film's clock is the camera's own where a zone is known, or follows from the place; else the user's zone is assumed.
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import BinaryIO
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from .. import geocoding
from ..types.records import DatePrecision
from . import video
from .metadata import coordinates
from .metadata.exif import own_words, whole
from .metadata.found import Found
from .metadata.text_decoding import clean
from .metadata.timestamps import Moment, Rank, in_file_name, read_moment
from .metadata.xmp import read_xmp

XMP_UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
FARTHEST, ZONES = timedelta(hours=14), timedelta(minutes=15)  # time zones are multiples of these
LATE = timedelta(seconds=5)  # between the name of a film and what is written into it
LARGEST = 16 << 20  # bytes of an XMP packet
PLACES = ("com.apple.quicktime.location.iso6709", "location", "location-eng", "geo", "gps", "xyz")
ISO_BASE_MEDIA = frozenset(".mp4 .m4v .mov .qt .3gp .3g2 .insv".split())


def read_video_metadata(path: Path) -> Found:
    """Return what a film's container says, with the upright size in pixels.

    Raises:
        PictureError: the file cannot be opened.
    """
    with video.opened(path) as (container, stream):
        width, height = stream.codec_context.width, stream.codec_context.height
        frame = next(container.decode(stream), None)
        if frame is not None and frame.rotation % 180:
            width, height = height, width
        tags = {name.lower(): value for name, value in {**container.metadata, **stream.metadata}.items()}
    found = Found()
    found.add({"width": width, "height": height, "format": path.suffix[1:].upper()})
    _add_tags(tags, found)
    if path.suffix.lower() in ISO_BASE_MEDIA:
        for packet in _xmp_packets(path):
            try:
                said = read_xmp(packet)
            except ValueError:
                continue
            found.put(said)
    latitude, longitude = found.values.get("latitude"), found.values.get("longitude")
    found.moments += [
        moment for moment in (_own_clock(tags), _universal(tags, path.name, latitude, longitude)) if moment is not None
    ]
    return found


def _add_tags(tags: Mapping[str, str], found: Found) -> None:
    camera = (_first(tags, "com.apple.quicktime.make", "make"), _first(tags, "com.apple.quicktime.model", "model"))
    spot = next((spot for name in PLACES if (spot := coordinates.from_iso_6709(tags.get(name, "")))), (None, None))
    latitude, longitude = coordinates.place(*spot)
    keywords = _first(tags, "com.apple.quicktime.keywords", "keywords", "keyword")
    found.add(
        {
            "camera": " ".join(dict.fromkeys(" ".join(camera).split())),
            "title": _first(tags, "com.apple.quicktime.title", "title"),
            "description": own_words(_first(tags, "com.apple.quicktime.description", "description", "synopsis")),
            "comments": [own_words(_first(tags, "com.apple.quicktime.comment", "comment"))],
            "keywords": [each.strip() for each in re.split(r"[,;]", keywords)],
            "rating": whole(tags.get("com.apple.quicktime.rating.user") or tags.get("rating"), 1, 5),
            "latitude": latitude,
            "longitude": longitude,
        }
    )


def _first(tags: Mapping[str, str], *names: str) -> str:
    return next((text for name in names if (text := clean(tags.get(name)))), "")


def _own_clock(tags: Mapping[str, str]) -> Moment | None:
    """Return the time that a phone wrote with its zone."""
    return read_moment(_first(tags, "com.apple.quicktime.creationdate", "date"), Rank.ORIGINAL)


def _universal(tags: Mapping[str, str], name: str, latitude: float | None, longitude: float | None) -> Moment | None:
    """Return the time in the header, which is UTC by the standard, on the clock of where the film was taken."""
    said = read_moment(tags.get("creation_time", ""), Rank.IPTC)  # less than what the phone wrote with a zone
    if said is None or said.precision is not DatePrecision.SECOND:
        return said
    named = in_file_name(name)
    if named is not None and named.precision is DatePrecision.SECOND and not name.lower().startswith("pxl_"):
        apart = named.at.replace(tzinfo=None) - said.at.replace(tzinfo=None)
        if abs(apart) <= FARTHEST and min(apart % ZONES, -apart % ZONES) <= LATE:  # the name has the camera's own clock
            return Moment(named.at.replace(tzinfo=None), said.precision, said.rank)
    at = said.at if said.at.tzinfo else said.at.replace(tzinfo=ZoneInfo("UTC"))
    return Moment(_local(at, latitude, longitude), said.precision, said.rank)


def _local(at: datetime, latitude: float | None, longitude: float | None) -> datetime:
    """Return a moment on the clock of a place, or of the user's zone if there is none."""
    if latitude is not None and longitude is not None:
        name = geocoding.time_zone(latitude, longitude)
        try:
            zone = ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError):  # the system has no such zone
            return at.astimezone()
        moved = at.astimezone(zone)
        return moved.replace(tzinfo=timezone(moved.utcoffset() or timedelta()))  # fixed, as it was on that day
    return at.astimezone()


# --- XMP in MP4 and QuickTime ------------------------------------------------------------------------------


def _xmp_packets(path: Path) -> Iterator[bytes]:
    """Yield the XMP packets of a file: in a box `uuid` at the top, or in `moov/udta/XMP_`."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, io.SEEK_END)
            yield from _packets(file, 0, size, ())
    except (OSError, struct.error):
        return


def _packets(file: BinaryIO, start: int, end: int, inside: tuple[bytes, ...]) -> Iterator[bytes]:
    for kind, first, last in _boxes(file, start, end):
        if kind == b"uuid" and last - first <= LARGEST:
            file.seek(first)
            if file.read(16) == XMP_UUID:
                yield file.read(last - first - 16)
        elif kind == b"XMP_" and last - first <= LARGEST:
            file.seek(first)
            yield file.read(last - first)
        elif (*inside, kind) in ((b"moov",), (b"moov", b"udta")):
            yield from _packets(file, first, last, (*inside, kind))


def _boxes(file: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield the boxes between two positions: kind, and where the contents begin and end."""
    while start + 8 <= end:
        file.seek(start)
        size, kind = struct.unpack(">I4s", file.read(8))
        first = start + 8
        if size == 1:
            size = struct.unpack(">Q", file.read(8))[0]
            first += 8
        elif size == 0:
            size = end - start
        if size < first - start or start + size > end:
            return
        yield kind, first, start + size
        start += size
