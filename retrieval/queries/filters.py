"""Filters as values: which pictures may be hits. Does not know query syntax or SQL."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias


@dataclass(frozen=True)
class Taken:
    """The picture was taken in [since, until), by the camera's own clock."""

    since: datetime | None = None
    until: datetime | None = None


class TextField(StrEnum):
    """A text field of a file's metadata."""

    CAMERA = "camera"
    LENS = "lens"
    KEYWORD = "keyword"
    PERSON = "person"
    TITLE = "title"
    CITY = "city"
    REGION = "region"
    COUNTRY = "country"


@dataclass(frozen=True)
class TextContains:
    """A text field contains this text, ignoring case; `*` matches anything."""

    field: TextField
    text: str


class NumberField(StrEnum):
    """A numeric field of a file's metadata."""

    RATING = "rating"
    WIDTH = "width"
    HEIGHT = "height"
    MEGAPIXELS = "megapixels"
    ISO = "iso"
    APERTURE = "f"  # the f-number
    FOCAL_LENGTH = "focal"  # millimetres
    EXPOSURE = "exposure"  # seconds


@dataclass(frozen=True)
class Between:
    """A numeric field is known and in [low, high]; None leaves a side open."""

    field: NumberField
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Near:
    """The picture was taken within `kilometres` of a point, in degrees."""

    latitude: float
    longitude: float
    kilometres: float
    name: str = field(default="", compare=False)  # of the place, as the query gives it


@dataclass(frozen=True)
class PathFits:
    """The file is, or lies in, what a pattern names, by the rules of `.gitignore` (see `types.path_pattern`)."""

    glob: str


@dataclass(frozen=True)
class OfType:
    """The file is of this type: photo, video, raw, or a format such as jpeg."""

    name: str


class Presence(StrEnum):
    """Something that a file may or may not have."""

    GPS = "gps"
    DATE = "date"
    CAMERA = "camera"
    CAPTION = "caption"
    RATING = "rating"
    KEYWORDS = "keywords"
    TEXT = "text"
    PEOPLE = "people"
    DAMAGE = "damage"


@dataclass(frozen=True)
class Has:
    """The file has this mark."""

    mark: Presence


@dataclass(frozen=True)
class Captioned:
    """A caption of the picture contains these words, in this order."""

    text: str


@dataclass(frozen=True)
class OcrContains:
    """A line of text in the picture, as read by OCR, contains these words in this order."""

    text: str


@dataclass(frozen=True)
class Not:
    """The part does not pass."""

    part: Filter


@dataclass(frozen=True)
class And:
    """All parts pass; without parts, everything passes."""

    parts: tuple[Filter, ...] = ()


@dataclass(frozen=True)
class Or:
    """At least one part passes; without parts, nothing passes."""

    parts: tuple[Filter, ...] = ()


Filter: TypeAlias = (
    Taken | TextContains | Between | Near | PathFits | OfType | Has | Captioned | OcrContains | Not | And | Or
)

EVERYTHING = And()


def all_of(*parts: Filter) -> Filter:
    """Return the conjunction of filters, without nested conjunctions."""
    flat = [each for part in parts for each in (part.parts if isinstance(part, And) else (part,))]
    return flat[0] if len(flat) == 1 else And(tuple(flat))
