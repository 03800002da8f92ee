"""Search for texts by a picture or by words: by cosine, for pictures corrected for hubness.

Does not know the query language.
"""

from __future__ import annotations

import numpy as np

from ..calibration.calibration import CANDIDATES, CLOSEST, ITSELF, Floats
from ..types.records import Kind
from . import confidence
from .branches import Candidate, Found, Side

REORDERED = 100  # texts that are reordered


def find(side: Side, count: int) -> Found:
    """Return the best texts, at least `count` if there are so many, with their confidence where it is known."""
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
    """Return the texts, the first `REORDERED` in the order of 2 * cosine - hubness, and these scores, (n,).

    Cross-domain similarity local scaling (Conneau et al. 2018): texts that are near to every picture get lower scores.
    The query's own picture, if the library has it, is not counted among a text's neighbours.
    """
    assert side.vector is not None  # the query is a picture
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
