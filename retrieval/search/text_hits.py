"""Search for texts by a picture or by words: by cosine, for pictures corrected for hubness.

Does not know the query language.
"""

from __future__ import annotations

import numpy as np

from ..calibration.anchors import NEIGHBOURS, Floats
from ..calibration.calibration import CANDIDATES, SAME_PICTURE
from ..types.records import Kind, Vectors
from . import confidence
from .branches import Branch, BranchResult, Candidate

REORDERED = 100  # texts that are reordered


def find(branch: Branch, count: int) -> BranchResult:
    """Return the best texts, at least `count` if there are so many, with their confidence where it is known."""
    nearest = branch.nearest(max(count, CANDIDATES))
    if branch.words is not None or branch.vector is None or not nearest:
        return BranchResult(nearest, branch.z_scores(nearest))
    candidates, scores = _without_hubs(branch, branch.vector, nearest)
    z_scores = branch.z_scores(candidates)
    of_texts = confidence.of_texts(branch, scores) if branch.passing is None else None
    if of_texts is None:
        return BranchResult(candidates, z_scores)
    return BranchResult(confidence.with_confidence(candidates, of_texts), z_scores, of_texts.match, of_texts.nothing)


def _without_hubs(branch: Branch, picture: Vectors, nearest: list[Candidate]) -> tuple[list[Candidate], Floats]:
    """Return the texts, the first `REORDERED` in the order of 2 * cosine - hubness, and these scores, (n,).

    Cross-domain similarity local scaling (Conneau et al. 2018): texts that are near to every picture get lower scores.
    The query's own picture, (1, dimensions), if the library has it, is not counted among a text's neighbours.
    """
    first, cosines = nearest[:REORDERED], np.array([each.score or 0.0 for each in nearest])
    hubness = np.zeros(len(nearest))
    if branch.storage.vectors.count(Kind.PICTURE) > NEIGHBOURS:
        rows = branch.context.rows([each.content for each in first])
        same, own = branch.storage.vectors.nearest(Kind.PICTURE, picture, 1)
        of_first = branch.calibration.hubness(rows, int(own[0, 0]) if same[0, 0] > SAME_PICTURE else None)
        hubness = np.full(len(nearest), of_first.mean())
        hubness[: len(first)] = of_first
    scores = 2 * cosines - hubness
    order = [*np.argsort(-scores[: len(first)], kind="stable").tolist(), *range(len(first), len(nearest))]
    return [nearest[place] for place in order], scores[order]
