"""Search for texts by a picture or by words: by cosine, for pictures corrected for hubness.

Does not know the query language.
"""

from __future__ import annotations

import numpy as np

from ..calibration.calibration import CANDIDATES, NEIGHBOURS, SAME_PICTURE, Floats
from ..types.records import Kind
from . import confidence
from .branches import Branch, BranchResult, Candidate

REORDERED = 100  # texts that are reordered


def find(branch: Branch, count: int) -> BranchResult:
    """Return the best texts, at least `count` if there are so many, with their confidence where it is known."""
    found = branch.nearest(max(count, CANDIDATES))
    if branch.words is not None or branch.vector is None or not found:
        return BranchResult(found, branch.z_scores(found))
    found, scores = _without_hubs(branch, found)
    z_scores = branch.z_scores(found)
    reading = confidence.of_texts(branch.calibration, branch.vector, scores) if branch.passing is None else None
    if reading is None:
        return BranchResult(found, z_scores)
    return BranchResult(confidence.with_confidence(found, reading), z_scores, reading.match, reading.nothing)


def _without_hubs(branch: Branch, found: list[Candidate]) -> tuple[list[Candidate], Floats]:
    """Return the texts, the first `REORDERED` in the order of 2 * cosine - hubness, and these scores, (n,).

    Cross-domain similarity local scaling (Conneau et al. 2018): texts that are near to every picture get lower scores.
    The query's own picture, if the library has it, is not counted among a text's neighbours.
    """
    assert branch.vector is not None  # the query is a picture
    first, cosines = found[:REORDERED], np.array([each.score or 0.0 for each in found])
    crowds = np.zeros(len(found))
    if branch.storage.vectors.count(Kind.PICTURE) > NEIGHBOURS:
        known, vectors = branch.storage.vectors.get(Kind.TEXT, [each.content for each in first])
        same, own = branch.storage.vectors.nearest(Kind.PICTURE, branch.vector, 1)
        crowd = branch.calibration.hubness(vectors, int(own[0, 0]) if same[0, 0] > SAME_PICTURE else None)
        of = dict(zip(known.tolist(), crowd.tolist(), strict=True))
        crowds = np.array([of.get(each.content, float(crowd.mean())) for each in found])
    scores = 2 * cosines - crowds
    order = [*np.argsort(-scores[: len(first)], kind="stable").tolist(), *range(len(first), len(found))]
    return [found[place] for place in order], scores[order]
