"""Reciprocal rank fusion: several rankings of the same pictures made one (Cormack, Clarke & Buettcher 2009)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from enum import StrEnum

RANK = 60  # constant added to every rank, as in the paper


class Source(StrEnum):
    """The rankings that a hit may come from."""

    PIXELS = "pixels"  # the picture's embedding
    CAPTIONS = "captions"  # the embeddings of its texts
    WORDS = "words"  # full text of its captions, metadata, names and the text it shows


WEIGHTS = {Source.PIXELS: 1.0, Source.CAPTIONS: 1.0, Source.WORDS: 1.0}


def reciprocal_rank_fusion(
    lists: Mapping[Source, Sequence[int]], weights: Mapping[Source, float] = WEIGHTS
) -> list[int]:
    """Return all numbers in the lists, best first: by the sum of weight / (60 + rank) over the lists that have one."""
    points: dict[int, float] = defaultdict(float)
    for source, ranked in lists.items():
        for rank, number in enumerate(ranked, start=1):
            points[number] += weights[source] / (RANK + rank)
    return sorted(points, key=lambda number: -points[number])
