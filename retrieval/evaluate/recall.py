"""Recall@k and mean reciprocal rank for cross-modal pairs.

The protocol of image-caption retrieval (Karpathy & Fei-Fei 2015): a query counts as found at k when *any* of its
right answers is among the first k. Wrong answers with the same score as the right one rank before it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..types.results import RecallMetrics

Scores = npt.NDArray[np.float32]
Right = npt.NDArray[np.bool_]
AT = (1, 5, 10)


def best_ranks(scores: Scores, right: Right) -> npt.NDArray[np.int64]:
    """Return the rank, from 1, of each query's best right answer, (queries,); scores and right: (queries, gallery)."""
    best = np.where(right, scores, -np.inf).max(axis=1, keepdims=True)
    ranks: npt.NDArray[np.int64] = ((scores >= best) & ~right).sum(axis=1) + 1
    return ranks


def metrics(ranks: npt.NDArray[np.int64]) -> RecallMetrics:
    """Return recall@1, @5, @10 and MRR, in percent, from the ranks of all queries, (queries,)."""
    recall = {k: 100 * float((ranks <= k).mean()) for k in AT}
    return RecallMetrics(recall, 100 * float((1 / ranks).mean()))
