"""Texts for a picture, or for words: by their cosine, with hubs held down for pictures.

Knows vectors and readings; does not know the query language.
"""

from __future__ import annotations

import numpy as np

from ..calibration.calibration import CANDIDATES, CLOSEST, ITSELF, Floats
from ..types.records import Kind
from . import confidence
from .branches import Candidate, Found, Side

REORDERED = 100  # texts that are put in a new order


def find(side: Side, count: int) -> Found:
    """The best `count` texts, surely, with every reading that can be had."""
    found = side.nearest(max(count, CANDIDATES))
    if side.words is not None or side.vector is None or not found:
        return Found(found, side.heights(found))
    found, scores = _without_hubs(side, found)
    heights = side.heights(found)
    reading = confidence.of_texts(side.bearings, side.vector, scores) if side.passing is None else None
    if reading is None:
        return Found(found, heights)
    return Found(confidence.told(found, reading), heights, reading.match, reading.nothing)


def _without_hubs(side: Side, found: list[Candidate]) -> tuple[list[Candidate], Floats]:
    """The first texts in the order of 2 * cosine - their mean cosine with their nearest pictures, and that score.

    Cross-domain similarity local scaling (Conneau et al. 2018): texts that are near to every picture step back. The
    query's own picture, where the library has it, is not counted among the neighbours.
    """
    assert side.vector is not None  # a picture was looked for
    first, cosines = found[:REORDERED], np.array([each.score or 0.0 for each in found])
    crowds = np.zeros(len(found))
    if side.holdings.count(Kind.PICTURE) > CLOSEST:
        known, vectors = side.holdings.vectors_of(Kind.TEXT, [each.content for each in first])
        same, own = side.holdings.nearest(Kind.PICTURE, side.vector, 1)
        crowd = side.bearings.crowd(vectors, int(own[0, 0]) if same[0, 0] > ITSELF else None)
        of = dict(zip(known.tolist(), crowd.tolist(), strict=True))
        crowds = np.array([of.get(each.content, float(crowd.mean())) for each in found])
    scores = 2 * cosines - crowds
    order = [*np.argsort(-scores[: len(first)], kind="stable").tolist(), *range(len(first), len(found))]
    return [found[place] for place in order], scores[order]
