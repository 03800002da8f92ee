"""Orders of hits other than best first: diversified or by date. Does not know how hits were found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np

from ..types.records import Hit, Vectors

RELEVANCE = 0.5  # weight of a hit's own score against its similarity to those before it; not measured
POOL = 5  # candidates per hit that is shown


def maximal_marginal_relevance(vectors: Vectors, scores: Sequence[float], count: int) -> list[int]:
    """Return the positions of `count` candidates, each good and unlike those before it: maximal marginal relevance.

    Carbonell & Goldstein 1998, on scores rescaled to [0, 1]. vectors: (n, dimensions) unit rows, scores: (n,).
    """
    if not scores:
        return []
    own, alike = np.asarray(scores, np.float64), (vectors @ vectors.T).astype(np.float64)
    own = (own - own.min()) / max(float(np.ptp(own)), 1e-9)
    chosen: list[int] = [int(own.argmax())]
    left = [place for place in range(len(own)) if place != chosen[0]]
    while left and len(chosen) < count:
        worth = RELEVANCE * own[left] - (1 - RELEVANCE) * alike[np.ix_(left, chosen)].max(axis=1)
        chosen.append(left.pop(int(worth.argmax())))
    return chosen


def by_date(hits: Sequence[Hit]) -> tuple[Hit, ...]:
    """Return the hits newest first by the camera's own clock, undated ones last, with new ranks."""
    newest = sorted(hits, key=lambda hit: _clock(hit.taken_at), reverse=True)
    return tuple(replace(hit, rank=rank) for rank, hit in enumerate(newest, start=1))


def _clock(at: datetime | None) -> datetime:
    return at.replace(tzinfo=None) if at else datetime.min
