"""The result types of `why` and `why-not`. Does not know how they are found or shown."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .records import Band, Box, Judgement, Problem

Heat = npt.NDArray[np.float32]  # (rows, columns): cosine of each patch of a picture with the query


@dataclass(frozen=True)
class PartShare:
    """The contribution of one word, or one other part of a query, to a picture's z-score."""

    part: str
    drop: float  # fall of the z-score without this part; negative: the picture fits better without it
    share: float  # of the sum of all positive drops, from 0 to 1


@dataclass(frozen=True)
class SourceShare:
    """The contribution of a picture's pixels, or of one kind of its texts, to its place."""

    source: str  # pixels, captions, words
    rank: int  # by it alone
    share: float  # of what speaks for the picture in all, from 0 to 1
    matched: tuple[str, ...] = ()  # what matched there, such as "caption: a dog on the beach"


@dataclass(frozen=True)
class FilterCheck:
    """One filter of the query, checked on a picture."""

    filter: str  # in query syntax
    value: str  # the picture's value, in words; empty if there is none to show
    passes: bool


@dataclass(frozen=True)
class ScoreReading:
    """A picture's score, with the numbers that say what it means."""

    score: float | None  # None for queries with filters only
    height: float | None = None  # z-score against the anchor texts' cosines with this picture
    confidence: float | None = None
    band: Band = Band.UNKNOWN
    by: str = ""  # which text gave it this band, if its pixels did not


@dataclass(frozen=True)
class Why:
    """Why a picture is a hit."""

    query: str
    path: Path
    item: int
    rank: int
    searched: int
    reading: ScoreReading
    second: float | None  # position of a frame in its video, in seconds
    match: float | None  # probability that anything in the library matches the query
    understood: str  # the alternative of the query that the picture fits best, in query syntax
    parts: tuple[PartShare, ...] = ()
    sources: tuple[SourceShare, ...] = ()
    filters: tuple[FilterCheck, ...] = ()
    verdict: Judgement | None = None  # of a vision-language model, if one was asked
    boxes: tuple[Box, ...] = ()  # where that model sees what the query describes
    heat: Heat | None = None
    notes: tuple[str, ...] = ()


class Standing(StrEnum):
    """Where a picture stands in the result of a query."""

    HIT = "hit"  # it is among the hits
    BELOW = "below"  # other pictures rank higher
    UNSURE = "unsure"  # it ranks high enough, but its confidence is below --threshold
    FOLDED = "folded"  # it is a near-duplicate of a hit and folded under it
    FILTERED = "filtered"  # a filter removed it
    UNENCODED = "unencoded"  # it has no embedding in the active space yet
    FAILED = "failed"  # it could not be read
    UNKNOWN = "unknown"  # the library does not have it
    MISSING = "missing"  # there is no such file


@dataclass(frozen=True)
class Change:
    """A change to the query that makes the picture a hit."""

    what: str  # the change, in words
    query: str  # the changed query; empty if only an option changes
    rank: int  # of the picture after the change


@dataclass(frozen=True)
class WhyNot:
    """Why a picture is not a hit, or which hit it is."""

    query: str
    path: Path
    standing: Standing
    said: str  # the reason in one line
    rank: int | None = None
    searched: int = 0
    reading: ScoreReading | None = None
    last: float | None = None  # the score of the last hit that is shown
    problem: Problem | None = None
    filters: tuple[FilterCheck, ...] = ()
    changes: tuple[Change, ...] = ()  # the smallest first
    notes: tuple[str, ...] = ()
