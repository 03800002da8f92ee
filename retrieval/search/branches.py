"""One alternative of a query: what passes its filter and what it looks for; and how alternatives become one order.

Knows vectors and filters as sets of numbers; does not know files, captions or how sure a hit is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ..calibration.calibration import Bearings
from ..storage.storage import Holdings
from ..types.records import Band, Ids, Kind, Vectors


@dataclass(frozen=True)
class Candidate:
    """A content that may become a hit."""

    content: int
    score: float | None  # none where nothing was looked for: the newest come first
    items: Sequence[int] | None = None  # the files that passed the filter; none: all of them
    confidence: float | None = None
    band: Band = Band.UNKNOWN
    sources: Sequence[str] = ()
    beneath: Sequence[tuple[int, Sequence[int] | None]] = ()  # what shows nearly the same: content, files that pass


@dataclass(frozen=True)
class Found:
    """The best of one alternative, best first."""

    candidates: list[Candidate]
    heights: list[float]  # how far each stands out, in standard deviations: what alternatives are compared by
    match: float | None = None
    nothing: bool = False


@dataclass(frozen=True)
class Side:
    """What passes an alternative's filter, and what it looks for."""

    holdings: Holdings
    bearings: Bearings
    kind: Kind
    total: int  # how many can be answers
    notes: tuple[str, ...]
    passing: dict[int, list[int]] | None  # contents with their files that pass; none: all
    vector: Vectors | None = None  # (1, dimensions); none: nothing is looked for
    words: Vectors | None = None  # of what is wanted in words, where nothing else is
    said: str = ""  # those words
    itself: frozenset[int] = frozenset()

    @property
    def allowed(self) -> Ids | None:
        """The contents that pass; none: all."""
        return None if self.passing is None else np.array(sorted(self.passing), np.int64)

    def newest(self, count: int) -> Found:
        """What passes, the newest first, where nothing is looked for."""
        some = list((self.passing or {}).items())[:count]
        return Found(
            [Candidate(content, None, items) for content, items in some], [-float(n) for n in range(len(some))]
        )

    def nearest(self, count: int) -> list[Candidate]:
        """The `count` of the highest cosines."""
        assert self.vector is not None  # else nothing is looked for
        wanted = min(count + len(self.itself), max(self.total, 1))
        scores, ids = self.holdings.nearest(self.kind, self.vector, wanted, self.allowed)
        found = ((float(s), int(i)) for s, i in zip(scores[0], ids[0], strict=True))
        return [self.candidate(i, score) for score, i in found if i >= 0 and i not in self.itself]

    def candidate(self, content: int, score: float) -> Candidate:
        """A content with its files that pass."""
        return Candidate(content, score, None if self.passing is None else self.passing[content])

    def height(self, score: float) -> float:
        """How far a score is above the library's mean, in standard deviations."""
        mean, spread = self._scale()
        return (score - mean) / spread

    def heights(self, found: Sequence[Candidate]) -> list[float]:
        """The same of each, never more than the one before."""
        mean, spread = self._scale()
        found_heights = [((each.score or 0.0) - mean) / spread for each in found]
        return np.minimum.accumulate(found_heights).tolist() if found_heights else []

    def _scale(self) -> tuple[float, float]:
        assert self.vector is not None  # else nothing is looked for
        known = self.holdings.sample(self.kind) @ self.vector[0]
        return (float(known.mean()), max(float(known.std()), 1e-6)) if len(known) > 1 else (0.0, 1.0)


def merged(sides: Iterable[Found]) -> list[Candidate]:
    """The candidates of all alternatives, each content once, by the alternative in which it stands out most."""
    best: dict[int, tuple[float, Candidate]] = {}
    for height, candidate in (pair for side in sides for pair in zip(side.heights, side.candidates, strict=True)):
        if candidate.content not in best or best[candidate.content][0] < height:
            best[candidate.content] = (height, candidate)
    return [candidate for _, candidate in sorted(best.values(), key=lambda pair: -pair[0])]
