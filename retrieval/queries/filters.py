"""Which pictures may answer, as values. The catalog turns them into SQL; does not know how they are written."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias


@dataclass(frozen=True)
class Taken:
    """Taken in this time by the camera's own clock; `until` is the first moment that is too late."""

    since: datetime | None = None
    until: datetime | None = None


class Word(StrEnum):
    """What a file says in words."""

    CAMERA = "camera"
    LENS = "lens"
    KEYWORD = "keyword"
    TITLE = "title"
    CITY = "city"
    REGION = "region"
    COUNTRY = "country"


@dataclass(frozen=True)
class Says:
    """A word of the file contains this, in upper or lower case; `*` stands for anything."""

    field: Word
    text: str


class Number(StrEnum):
    """What a file says in numbers."""

    RATING = "rating"
    WIDTH = "width"
    HEIGHT = "height"
    MEGAPIXELS = "megapixels"


@dataclass(frozen=True)
class Between:
    """A number of the file is known and in this range, both ends included."""

    field: Number
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Near:
    """Taken within so many kilometres of a place."""

    latitude: float
    longitude: float
    kilometres: float
    name: str = field(default="", compare=False)  # as it was asked for


@dataclass(frozen=True)
class PathFits:
    """The path, its name or one of its tails fits a glob; `*` crosses folders."""

    glob: str


@dataclass(frozen=True)
class OfType:
    """A file type: photo, video, raw, or a format such as jpeg."""

    name: str


class Mark(StrEnum):
    """What a file may have."""

    GPS = "gps"
    DATE = "date"
    CAMERA = "camera"
    CAPTION = "caption"
    RATING = "rating"
    KEYWORDS = "keywords"
    TEXT = "text"


@dataclass(frozen=True)
class Has:
    """The file has it."""

    mark: Mark


@dataclass(frozen=True)
class Captioned:
    """A caption of the picture contains these words, in this order."""

    text: str


@dataclass(frozen=True)
class Shows:
    """The picture shows these words, in this order on one line, as far as they were read."""

    text: str


@dataclass(frozen=True)
class Not:
    """What is not so."""

    part: Filter


@dataclass(frozen=True)
class Every:
    """All of these; without parts, everything."""

    parts: tuple[Filter, ...] = ()


@dataclass(frozen=True)
class Some:
    """One of these at least; without parts, nothing."""

    parts: tuple[Filter, ...] = ()


Filter: TypeAlias = Taken | Says | Between | Near | PathFits | OfType | Has | Captioned | Shows | Not | Every | Some

EVERYTHING = Every()


def every(*parts: Filter) -> Filter:
    """All of these, without needless nesting."""
    flat = [each for part in parts for each in (part.parts if isinstance(part, Every) else (part,))]
    return flat[0] if len(flat) == 1 else Every(tuple(flat))
