"""Evaluation of reranking: recall and MRR with and without a vision-language model, on known pairs.

Does not know how a verdict is formed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .. import pictures
from ..search.rerank import joint_scores, weighted_log_odds
from ..types.records import Judgement, Progress, no_progress
from ..types.results import Gain, Reranking
from ..vlm import IMAGE_SIZE, SupportsVisionCache, VisionLanguageModel
from .pairs import Pairs
from .recall import AT, best_ranks, metrics

if TYPE_CHECKING:
    from PIL.Image import Image

WEIGHTS = np.round(np.arange(0, 4.01, 0.1), 2)  # candidates for the best weight
RESAMPLES = 2000
OPENED = 256  # decoded pictures that are cached

Floats = npt.NDArray[np.float64]
Ranks = npt.NDArray[np.int64]


def evaluate(
    pairs: Pairs,
    model: VisionLanguageModel,
    *,
    depth: int = 20,
    weight: float | None = None,
    progress: Callable[[Progress], None] = no_progress,
) -> Reranking:
    """Return text-to-image metrics of the encoder alone, and with `model` reranking the first `depth` of each caption.

    The gains have 95% percentile intervals of a paired bootstrap over captions (Efron & Tibshirani 1993).
    """
    weight = model.weight if weight is None else weight
    cosines = pairs.texts @ pairs.images.T
    before = best_ranks(cosines, pairs.right)
    depth = min(depth, len(pairs.pictures))
    top = np.argsort(-cosines, axis=1, kind="stable")[:, :depth]
    scores = np.take_along_axis(cosines, top, 1).astype(np.float64)
    said = _opinions(pairs, model, top, progress)
    after = _ranks(pairs, top, scores, said, weight, before)
    mrr_by_weight = {
        float(each): metrics(_ranks(pairs, top, scores, said, float(each), before)).mrr for each in WEIGHTS
    }
    return Reranking(
        before=metrics(before),
        after=metrics(after),
        gains=_gains(before, after),
        images=len(pairs.pictures),
        captions=len(pairs.captions),
        depth=depth,
        weight=weight,
        best_weight=max(mrr_by_weight, key=lambda each: (mrr_by_weight[each], -each)),
        model=model.name,
    )


def _opinions(pairs: Pairs, model: VisionLanguageModel, top: Ranks, progress: Callable[[Progress], None]) -> Floats:
    """Return the model's opinion of each caption's candidates, (captions, depth): log-odds times mass."""
    judge = _judging(pairs, model)
    rows = []
    for number, (caption, candidates) in enumerate(zip(pairs.captions, top.tolist(), strict=True), start=1):
        rows.append([weighted_log_odds(verdict) for verdict in judge(caption, candidates)])
        progress(Progress("judged", number, len(pairs.captions)))
    return np.array(rows, np.float64)


def _judging(pairs: Pairs, model: VisionLanguageModel) -> Callable[[str, Sequence[int]], list[Judgement]]:
    @lru_cache(OPENED)
    def opened(place: int) -> Image:
        return _open(pairs.pictures[place])

    if not isinstance(model, SupportsVisionCache):
        return lambda caption, places: model.judge(caption, [opened(place) for place in places])
    onlooker = model
    looks = [onlooker.vision_features([_open(path)])[0] for path in pairs.pictures]
    return lambda caption, places: onlooker.judge_features(caption, [looks[place] for place in places])


def _open(path: Path) -> Image:
    return pictures.load(path, IMAGE_SIZE).image


def _ranks(pairs: Pairs, top: Ranks, scores: Floats, said: Floats, weight: float, before: Ranks) -> Ranks:
    """Return each caption's rank after reranking, (captions,); `before` if its picture is not a candidate."""
    order = np.argsort(-joint_scores(scores, said, weight), axis=1, kind="stable")
    right = np.take_along_axis(top, order, 1) == pairs.owner[:, None]
    found: Ranks = np.where(right.any(axis=1), right.argmax(axis=1) + 1, before)
    return found


def _gains(before: Ranks, after: Ranks) -> dict[str, Gain]:
    """Return the gain of each metric in percentage points, with its 95% interval."""
    return {name: gain(difference) for name, difference in _differences(before, after).items()}


def gain(differences: Floats) -> Gain:
    """Return the mean of paired differences, (n,), in percentage points, with its 95% bootstrap interval."""
    drawn = np.random.default_rng(0).integers(0, len(differences), (RESAMPLES, len(differences)))
    low, high = np.percentile([differences[row].mean() for row in drawn], [2.5, 97.5])
    return Gain(100 * float(differences.mean()), 100 * float(low), 100 * float(high))


def _differences(before: Ranks, after: Ranks) -> dict[str, Floats]:
    found = {f"R@{k}": (after <= k).astype(np.float64) - (before <= k) for k in AT}
    return found | {"MRR": 1 / after - 1 / before}
