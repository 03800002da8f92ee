"""Whether a vision-language model improves the ranking: recall and MRR with and without it, on known pairs.

Knows pairs, verdicts and the paired bootstrap; does not know how a verdict is formed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .. import pictures
from ..search.rerank import fused, opinion
from ..types.records import Judgement, Step, silent
from ..types.results import Gain, Reranking
from ..vlm import SEEN, Onlooker, VisionLanguageModel
from .pairs import Pairs
from .recall import AT, best_ranks, metrics

if TYPE_CHECKING:
    from PIL.Image import Image

WEIGHTS = np.round(np.arange(0, 2.01, 0.05), 2)  # among which the best is looked for
RESAMPLES = 2000
OPENED = 256  # decoded pictures that are kept at hand

Floats = npt.NDArray[np.float64]
Ranks = npt.NDArray[np.int64]


def evaluate(
    pairs: Pairs,
    model: VisionLanguageModel,
    *,
    depth: int = 20,
    weight: float | None = None,
    progress: Callable[[Step], None] = silent,
) -> Reranking:
    """Text to image: the encoder alone, and with `model` having its say on the first `depth` of each caption.

    The gains come with 95% intervals of a paired bootstrap over captions (Efron & Tibshirani 1993, percentile).
    """
    weight = model.weight if weight is None else weight
    cosines = pairs.texts @ pairs.images.T
    before = best_ranks(cosines, pairs.right)
    depth = min(depth, len(pairs.pictures))
    top = np.argsort(-cosines, axis=1, kind="stable")[:, :depth]
    scores = np.take_along_axis(cosines, top, 1).astype(np.float64)
    said = _opinions(pairs, model, top, progress)
    after = _ranks(pairs, top, scores, said, weight, before)
    found = {float(each): metrics(_ranks(pairs, top, scores, said, float(each), before)).mrr for each in WEIGHTS}
    return Reranking(
        before=metrics(before),
        after=metrics(after),
        gains=_gains(before, after),
        images=len(pairs.pictures),
        captions=len(pairs.captions),
        depth=depth,
        weight=weight,
        best_weight=max(found, key=lambda each: (found[each], -each)),
        model=model.name,
    )


def _opinions(pairs: Pairs, model: VisionLanguageModel, top: Ranks, progress: Callable[[Step], None]) -> Floats:
    """The model's opinion of each caption and each of its candidates, (captions, depth)."""
    judge = _judging(pairs, model)
    rows = []
    for number, (caption, candidates) in enumerate(zip(pairs.captions, top.tolist(), strict=True), start=1):
        rows.append([opinion(verdict) for verdict in judge(caption, candidates)])
        progress(Step("judged", number, len(pairs.captions)))
    return np.array(rows, np.float64)


def _judging(pairs: Pairs, model: VisionLanguageModel) -> Callable[[str, Sequence[int]], list[Judgement]]:
    @lru_cache(OPENED)
    def opened(place: int) -> Image:
        return _open(pairs.pictures[place])

    if not isinstance(model, Onlooker):
        return lambda caption, places: model.judge(caption, [opened(place) for place in places])
    onlooker = model
    looks = [onlooker.look([_open(path)])[0] for path in pairs.pictures]
    return lambda caption, places: onlooker.judge_looks(caption, [looks[place] for place in places])


def _open(path: Path) -> Image:
    return pictures.load(path, SEEN).image


def _ranks(pairs: Pairs, top: Ranks, scores: Floats, said: Floats, weight: float, before: Ranks) -> Ranks:
    """Each caption's rank after its candidates were reordered; as before, where its picture is not among them."""
    order = np.argsort(-fused(scores, said, weight), axis=1, kind="stable")
    right = np.take_along_axis(top, order, 1) == pairs.owner[:, None]
    found: Ranks = np.where(right.any(axis=1), right.argmax(axis=1) + 1, before)
    return found


def _gains(before: Ranks, after: Ranks) -> dict[str, Gain]:
    """How much each number gained in percent points, with its interval."""
    return {name: gain(difference) for name, difference in _differences(before, after).items()}


def gain(differences: Floats) -> Gain:
    """The mean of paired differences, (n,), in percent points, with the 95% interval of a bootstrap."""
    drawn = np.random.default_rng(0).integers(0, len(differences), (RESAMPLES, len(differences)))
    low, high = np.percentile([differences[row].mean() for row in drawn], [2.5, 97.5])
    return Gain(100 * float(differences.mean()), 100 * float(low), 100 * float(high))


def _differences(before: Ranks, after: Ranks) -> dict[str, Floats]:
    found = {f"R@{k}": (after <= k).astype(np.float64) - (before <= k) for k in AT}
    return found | {"MRR": 1 / after - 1 / before}
