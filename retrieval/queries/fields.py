"""The tokens of queries (`name:value`): the values that each accepts, and their meaning.

A test checks that docs/queries.md lists them all. Does not know the grammar.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

from .. import geocoding
from ..errors import UsageError
from ..types import path_pattern
from ..types.records import ByFile, ByItem, Query
from . import dates
from .filters import (
    Between,
    Captioned,
    Filter,
    Has,
    Near,
    NumberField,
    OcrContains,
    OfType,
    Or,
    PathFits,
    Presence,
    Taken,
    TextContains,
    TextField,
)

KILOMETRES = 10.0  # radius of `near:` if no distance is given
FORMATS = (
    "photo video raw jpeg png webp gif tiff bmp avif heif jxl jpeg2000 ppm psd tga qoi mp4 m4v mov mkv webm avi mpg "
    "mpeg mts m2ts ts vob 3gp wmv flv ogv".split()
)  # the values of `type:`
SAME = {"jpg": "jpeg", "tif": "tiff", "heic": "heif", "jp2": "jpeg2000", "movie": "video", "image": "photo"}
NUMBER = r"-?\d+(?:\.\d+)?(?:/0*[1-9]\d*)?"
UNITS = {"km": 1.0, "mi": 1.609344, "m": 0.001}


@dataclass(frozen=True)
class Feedback:
    """Relevance feedback: a picture that is like, or unlike, what was meant."""

    piece: Query
    wanted: bool


Meaning: TypeAlias = Filter | Query | Feedback


class InvalidValue(ValueError):
    """The token does not accept this value; the message says what it accepts."""


@dataclass(frozen=True)
class FieldValue:
    """The value of a token, its tail (such as `~20km`), and the current time for relative dates."""

    value: str
    tail: str
    now: datetime

    @property
    def whole(self) -> str:
        """Value and tail as one text, for tokens that take no tail."""
        return self.value + self.tail


@dataclass(frozen=True)
class Field:
    """One token: how its value is read, an example and a help text."""

    read: Callable[[FieldValue], Meaning]
    example: str
    help: str


def read(name: str, value: str, tail: str, now: datetime) -> Meaning:
    """Return what a token means: a filter, a query or feedback.

    Raises:
        KeyError: there is no such token.
        Wrong: the token does not accept this value.
    """
    return FIELDS[ALIASES.get(name, name)].read(FieldValue(value, tail, now))


def _span(given: FieldValue) -> dates.Span:
    found = dates.read(given.whole, given.now)
    if found is None:
        raise InvalidValue(
            f'"{given.whole}" is not a date; write 2023, 2023-06, 2023-06-30, "last summer" or "2 weeks ago"'
        )
    return found


def _since(given: FieldValue) -> Filter:
    return Taken(since=_span(given).since)


def _until(given: FieldValue) -> Filter:
    return Taken(until=_span(given).until)


def _on(given: FieldValue) -> Filter:
    span = _span(given)
    return Taken(span.since, span.until)


def _says(*words: TextField) -> Callable[[FieldValue], Filter]:
    def read(given: FieldValue) -> Filter:
        found = tuple(TextContains(word, given.whole) for word in words)
        return found[0] if len(found) == 1 else Or(found)

    return read


def _near(given: FieldValue) -> Filter:
    kilometres = KILOMETRES
    if given.tail:
        match = re.fullmatch(r"~(\d+(?:\.\d+)?)(km|mi|m)?", given.tail)
        if not match:
            raise InvalidValue(f'"{given.tail}" is not a distance; write ~20km, ~5mi or ~300m')
        kilometres = float(match[1]) * UNITS[match[2] or "km"]
    if match := re.fullmatch(r"(-?\d+(?:\.\d+)?)\s*,\s*(-?\d+(?:\.\d+)?)", given.value):
        latitude, longitude = float(match[1]), float(match[2])
        if abs(latitude) > 90 or abs(longitude) > 180:
            raise InvalidValue(f"{given.value} is nowhere: latitudes go to 90 degrees, longitudes to 180")
        return Near(latitude, longitude, kilometres, given.value)
    spot = geocoding.find(given.value)
    if spot is None:
        raise InvalidValue(f'no city is called "{given.value}"; write its coordinates, such as near:38.72,-9.14~20km')
    return Near(spot.latitude, spot.longitude, kilometres, spot.name)


def _number(number: NumberField) -> Callable[[FieldValue], Filter]:
    def read(given: FieldValue) -> Filter:
        text = given.whole
        if match := re.fullmatch(rf"({NUMBER})?\.\.({NUMBER})?", text):
            low, high = (_value(part) if part else None for part in match.groups())
            return Between(number, low, high)
        match = re.fullmatch(rf"(>=|<=|>|<|=)?({NUMBER})", text)
        if not match:
            raise InvalidValue(f'"{text}" is not a number; write 4, >=4, <2000, 3..5 or 1/250')
        sign, at = match[1] or "=", _value(match[2])
        low = math.nextafter(at, math.inf) if sign == ">" else at if sign in (">=", "=") else None
        high = math.nextafter(at, -math.inf) if sign == "<" else at if sign in ("<=", "=") else None
        return Between(number, low, high)

    return read


def _value(text: str) -> float:
    """Return a number, or a fraction such as 1/250 in the six digits with which files' numbers are stored."""
    above, _, below = text.partition("/")
    return float(f"{float(above) / float(below):.6g}") if below else float(above)


def _path(given: FieldValue) -> Filter:
    try:
        path_pattern.anywhere(given.whole)
    except UsageError as exc:
        raise InvalidValue(str(exc)) from exc
    return PathFits(given.whole)


def _type(given: FieldValue) -> Filter:
    name = SAME.get(given.whole.lower(), given.whole.lower())
    if name not in FORMATS:
        raise InvalidValue(f'"{given.whole}" is not a type; there are {", ".join(FORMATS)}')
    return OfType(name)


def _has(given: FieldValue) -> Filter:
    try:
        return Has(Presence(given.whole.lower()))
    except ValueError:
        raise InvalidValue(f'nothing is called "{given.whole}"; there are {", ".join(Presence)}') from None


def _numbered(text: str) -> bool:
    """Return whether a text can be an item number, which SQLite limits to below 2**63."""
    return text.isdecimal() and len(text) < 20 and int(text) < 2**63


def _item(given: FieldValue) -> Query:
    if not _numbered(given.whole):
        raise InvalidValue(f'"{given.whole}" is not a number; `retrieval search --json` shows the numbers of items')
    return ByItem(int(given.whole))


def _picture(given: FieldValue) -> Query:
    """Return the query for a file, or for an item of the library written as #12."""
    number = given.whole.removeprefix("#")
    if number == given.whole:
        return ByFile(Path(given.whole).expanduser())
    if not _numbered(number):
        raise InvalidValue(f'"{given.whole}" is not a number; write a file, or #12 for an item of the library')
    return ByItem(int(number))


def _feedback(wanted: bool) -> Callable[[FieldValue], Feedback]:
    return lambda given: Feedback(_picture(given), wanted)


FIELDS = {
    "since": Field(_since, "since:2023-06", "taken then or later"),
    "until": Field(_until, "until:2024", "taken then or earlier; the whole year, month or day counts"),
    "on": Field(_on, "on:2023-12-24", "taken in that year, in that month or on that day"),
    "camera": Field(_says(TextField.CAMERA), "camera:nikon", "the camera's name contains it; `*` stands for anything"),
    "lens": Field(_says(TextField.LENS), "lens:50mm", "the lens's name contains it"),
    "near": Field(_near, 'near:"Lisbon"~20km', f"taken within a distance ({KILOMETRES:g} km) of a city or lat,lon"),
    "city": Field(_says(TextField.CITY), "city:lisbon", "the nearest town to where it was taken"),
    "region": Field(_says(TextField.REGION), "region:bavaria", "the region or state it was taken in"),
    "country": Field(_says(TextField.COUNTRY), "country:portugal", "the country it was taken in"),
    "place": Field(
        _says(TextField.CITY, TextField.REGION, TextField.COUNTRY), "place:lisbon", "city, region or country"
    ),
    "path": Field(
        _path, 'path:"2019 Italy"', "a file or folder of this name, or a path; `*`, `**` and so on as in git"
    ),
    "type": Field(_type, "type:raw", "photo, video, raw, or a format such as jpeg"),
    "rating": Field(_number(NumberField.RATING), "rating:>=4", "stars, 0 to 5; also 4, <3, 3..5"),
    "width": Field(_number(NumberField.WIDTH), "width:>=3000", "in pixels"),
    "height": Field(_number(NumberField.HEIGHT), "height:<1000", "in pixels"),
    "mp": Field(_number(NumberField.MEGAPIXELS), "mp:>12", "megapixels"),
    "iso": Field(_number(NumberField.ISO), "iso:>=1600", "sensitivity"),
    "f": Field(_number(NumberField.APERTURE), "f:<2", "aperture, as f-number"),
    "focal": Field(_number(NumberField.FOCAL_LENGTH), "focal:24..70", "focal length in millimetres"),
    "exposure": Field(_number(NumberField.EXPOSURE), "exposure:>=1/30", "exposure time in seconds"),
    "has": Field(_has, "has:gps", ", ".join(Presence)),
    "caption": Field(lambda given: Captioned(given.whole), "caption:birthday", "a caption contains these words"),
    "text": Field(
        lambda given: OcrContains(given.whole), 'text:"total 12.90"', "shows these words (after `retrieval ocr`)"
    ),
    "title": Field(_says(TextField.TITLE), "title:wedding", "the file's own title contains it"),
    "keyword": Field(_says(TextField.KEYWORD), "keyword:family", "one of the file's keywords contains it"),
    "person": Field(_says(TextField.PERSON), "person:anna", "a person whom the file names contains it"),
    "similar": Field(_picture, "similar:pool.jpg", "looks like this picture"),
    "item": Field(_item, "item:12", "looks like this picture of the library"),
    "like": Field(_feedback(True), "like:pool.jpg", "more like this picture (or `like:#12`, of the library)"),
    "unlike": Field(_feedback(False), "unlike:lake.jpg", "less like this picture"),
}
ALIASES = {  # what other programs call them
    **dict.fromkeys(("folder", "dir", "directory", "file", "filename", "name", "album"), "path"),
    **dict.fromkeys(("date", "year", "month", "day", "taken", "when"), "on"),
    **dict.fromkeys(("after", "from"), "since"),
    **dict.fromkeys(("before", "to"), "until"),
    **dict.fromkeys(("make", "model", "device"), "camera"),
    **dict.fromkeys(("tag", "tags", "keywords", "subject"), "keyword"),
    **dict.fromkeys(("people", "who", "face"), "person"),
    **dict.fromkeys(("location", "where", "state"), "place"),
    **dict.fromkeys(("format", "filetype", "ext"), "type"),
    **dict.fromkeys(("stars", "star"), "rating"),
    **dict.fromkeys(("ocr",), "text"),
    **dict.fromkeys(("aperture",), "f"),
}
