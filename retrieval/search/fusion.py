"""Several rankings of the same pictures -> one: reciprocal rank fusion (Cormack, Clarke & Buettcher 2009).

Knows lists of numbers; does not know where they come from.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from enum import StrEnum

RANK = 60  # what is added to every rank, as in the paper


class Source(StrEnum):
    """Where a hit may come from."""

    PIXELS = "pixels"  # the picture's embedding
    CAPTIONS = "captions"  # the embeddings of what is said of it
    WORDS = "words"  # the very words of what is said of it, or of its names


WEIGHTS = {Source.PIXELS: 1.0, Source.CAPTIONS: 1.0, Source.WORDS: 1.0}


def fused(lists: Mapping[Source, Sequence[int]], weights: Mapping[Source, float] = WEIGHTS) -> list[int]:
    """Everything that is in a list, best first: the sum of weight / (60 + rank) over the lists that have it."""
    points: dict[int, float] = defaultdict(float)
    for source, ranked in lists.items():
        for rank, number in enumerate(ranked, start=1):
            points[number] += weights[source] / (RANK + rank)
    return sorted(points, key=lambda number: -points[number])
