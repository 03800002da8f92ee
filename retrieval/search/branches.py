"""The OR alternatives of a query: the filter and vector of each, its best contents, and how all are merged.

Does not know files, captions or confidence.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..calibration.calibration import Calibration
from ..queries.filters import Filter
from ..storage.storage import Storage
from ..types.records import Band, Kind, Vectors
from ..vectors import Where
from .context import QueryContext


@dataclass(frozen=True)
class Candidate:
    """A content that may become a hit."""

    content: int
    score: float | None  # None for queries with filters only: the newest come first
    items: Sequence[int] | None = None  # the items that passed the filter; None: all of them
    confidence: float | None = None
    band: Band = Band.UNKNOWN
    by: str = ""  # which of its texts gave it a higher band than its pixels; empty if none did
    sources: Sequence[str] = ()
    beneath: Sequence[tuple[int, Sequence[int] | None]] = ()  # near-duplicates: content, items that passed


@dataclass(frozen=True)
class BranchResult:
    """The best candidates of one alternative, best first."""

    candidates: list[Candidate]
    z_scores: list[float]  # z-scores, by which alternatives are compared
    match: float | None = None
    nothing: bool = False


@dataclass(frozen=True)
class Branch:
    """One OR alternative: the contents that pass its filter, and the vector that it searches for."""

    storage: Storage
    calibration: Calibration
    kind: Kind
    total: int  # number of contents that may be hits
    notes: tuple[str, ...]
    passing: dict[int, list[int]] | None  # contents with their items that pass; None: all
    vector: Vectors | None = None  # (1, dimensions); None for filters only
    words: Vectors | None = None  # embedding of the wanted texts, if nothing else is searched for
    text: str = ""  # those texts
    itself: frozenset[int] = frozenset()
    filter: Filter | None = None  # the filter tree that `passing` is the answer to

    @cached_property
    def context(self) -> QueryContext:
        """What is read of the library for this branch."""
        where = None if self.passing is None else Where(np.array(sorted(self.passing), np.int64), self.filter)
        return QueryContext(self.storage, self.kind, self.total, where)

    def newest(self, count: int) -> BranchResult:
        """Return the first `count` contents that pass, newest first, for queries with filters only."""
        some = list((self.passing or {}).items())[:count]
        candidates = [Candidate(content, None, items) for content, items in some]
        return BranchResult(candidates, [-float(n) for n in range(len(candidates))])

    def nearest(self, count: int) -> list[Candidate]:
        """Return the `count` candidates with the highest cosines, without the query's own pictures."""
        assert self.vector is not None  # else there are only filters
        found = self.context.nearest(self.vector, count + len(self.itself))
        pairs = zip(found.ids.tolist(), found.scores.tolist(), strict=True)
        return [self.candidate(content, score) for content, score in pairs if content not in self.itself]

    def candidate(self, content: int, score: float) -> Candidate:
        """Return a content as a candidate, with its items that pass."""
        return Candidate(content, score, None if self.passing is None else self.passing[content])

    def z_score(self, score: float) -> float:
        """Return the z-score of a score over the library."""
        mean, std = self._scale
        return (score - mean) / std

    def z_scores(self, candidates: Sequence[Candidate]) -> list[float]:
        """Return the z-score of each candidate, never more than the one before."""
        z_scores = [self.z_score(each.score or 0.0) for each in candidates]
        return np.minimum.accumulate(z_scores).tolist() if z_scores else []

    @property
    def mean(self) -> float:
        """The mean of the vector's cosines over the library."""
        return self._scale[0]

    @property
    def spread(self) -> float:
        """The standard deviation of the vector's cosines over the library."""
        return self._scale[1]

    @cached_property
    def _scale(self) -> tuple[float, float]:
        """The mean and the standard deviation of the vector's cosines over the library."""
        assert self.vector is not None  # else there are only filters
        scores = self.context.sampled(self.vector[0])
        return (float(scores.mean()), max(float(scores.std()), 1e-6)) if len(scores) > 1 else (0.0, 1.0)


def merge(branches: Iterable[BranchResult]) -> list[Candidate]:
    """Return the candidates of all alternatives, each content once, by its highest z-score."""
    best: dict[int, tuple[float, Candidate]] = {}
    for branch in branches:
        for z_score, candidate in zip(branch.z_scores, branch.candidates, strict=True):
            if candidate.content not in best or best[candidate.content][0] < z_score:
                best[candidate.content] = (z_score, candidate)
    return [candidate for _, candidate in sorted(best.values(), key=lambda pair: -pair[0])]
