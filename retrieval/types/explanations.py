"""The values that `why` and `why-not` give back. Does not know how they are found or shown."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .records import Band, Box, Judgement, Problem

Heat = npt.NDArray[np.float32]  # (rows, columns): how much each part of a picture looks like what is wanted


@dataclass(frozen=True)
class PartShare:
    """What one word, or one other part of a query, does for a picture."""

    part: str
    drop: float  # standard deviations by which it stands out less without it; below zero: it fits better without it
    share: float  # of all that parts add, from 0 to 1


@dataclass(frozen=True)
class SourceShare:
    """What one ranking adds to a picture's place."""

    source: str  # pixels, captions, words
    rank: int  # in that ranking
    share: float  # of the points that all rankings gave it
    matched: tuple[str, ...] = ()  # what matched there, such as "caption: a dog on the beach"


@dataclass(frozen=True)
class FilterCheck:
    """What one filter of the query finds in a picture."""

    filter: str  # as a query has it
    value: str  # what the picture has, in words; empty where it has none
    passes: bool


@dataclass(frozen=True)
class Reading:
    """A picture's score and what it means."""

    score: float | None  # none where nothing was looked for
    height: float | None = None  # standard deviations above what neutral texts score with this very picture
    confidence: float | None = None
    band: Band = Band.UNKNOWN


@dataclass(frozen=True)
class Why:
    """Why a picture is a hit."""

    query: str
    path: Path
    item: int
    rank: int
    searched: int
    reading: Reading
    second: float | None  # of a video, where it is shown
    match: float | None  # how probable it is that something here looks like the query
    understood: str  # the alternative of the query that the picture fits best
    parts: tuple[PartShare, ...] = ()
    sources: tuple[SourceShare, ...] = ()
    filters: tuple[FilterCheck, ...] = ()
    verdict: Judgement | None = None  # a vision-language model's, where one was asked
    boxes: tuple[Box, ...] = ()  # and where it sees what was looked for
    heat: Heat | None = None
    notes: tuple[str, ...] = ()


class Standing(StrEnum):
    """What became of a picture in a query."""

    HIT = "hit"  # it is among the hits
    BELOW = "below"  # others are better
    UNSURE = "unsure"  # it is near the top, but less sure than --threshold asks for
    FOLDED = "folded"  # it stands under a hit that shows nearly the same
    FILTERED = "filtered"  # a filter removed it
    UNENCODED = "unencoded"  # the model that answers has not seen it yet
    FAILED = "failed"  # it could not be read
    UNKNOWN = "unknown"  # the library does not have it
    MISSING = "missing"  # there is no such file


@dataclass(frozen=True)
class Change:
    """A change of the query that brings a picture up."""

    what: str  # in words, as one would do it
    query: str  # the query after it; empty where it is an option
    rank: int  # of the picture then


@dataclass(frozen=True)
class WhyNot:
    """Why a picture is no hit, or where it stands."""

    query: str
    path: Path
    standing: Standing
    said: str  # the reason in one line
    rank: int | None = None
    searched: int = 0
    reading: Reading | None = None
    last: float | None = None  # the score of the last hit that is shown
    problem: Problem | None = None
    filters: tuple[FilterCheck, ...] = ()
    changes: tuple[Change, ...] = ()  # the smallest first
    notes: tuple[str, ...] = ()
