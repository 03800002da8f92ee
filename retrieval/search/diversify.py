"""Hits that are good and unlike each other. Does not know how they were found."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..types.records import Vectors

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
