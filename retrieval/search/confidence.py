"""The confidence of hits, and whether anything in the library looks like the query at all.

A hit has a calibrated probability of being the one meant, from its share of the query's likelihood over all pictures,
and a z-score of its cosine against the anchor texts' cosines with the pictures nearest to the query. docs/confidence.md
has the numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ..calibration.anchors import AnchorTexts
from ..calibration.calibration import CANDIDATES, ImageScale, query_z
from ..types.records import Answer, Band, Kind, Threshold
from .branches import Branch, Candidate

Floats = npt.NDArray[np.float64]

# benchmarks/fit_confidence.py prints these, from COCO's held-back set: the sharpness of the likelihood, over the anchor
# texts' mean std, and from the log-odds of a share to those of a right hit.
SHARPNESS = {Kind.PICTURE: 2.0, Kind.TEXT: 0.85}
SHARE = {Kind.PICTURE: (0.829, -0.412), Kind.TEXT: (1.029, 0.107)}
STRONG, LIKELY = 0.5, 0.2  # probability
# or z-score, (strong, likely), of a sentence, and of a single word, which fits each picture less but fits more of them:
# one scale for all hits, so that bands keep the order
SENTENCE, WORD = (6.0, 4.5), (3.0, 1.75)
NEAR = 16  # one picture in so many, the nearest, gives the scale of a query's z-scores; at most `CANDIDATES`
SMALL = 30  # with fewer pictures, there is no confidence
ARTICLES = {"a", "an", "the"}
# If a single word is as word-like as `WORD_LIKE`, the threshold on the log-odds is lower by `FURTHER`; for two, by
# half of it. docs/confidence.md has what that costs.
WORD_LIKE, FURTHER = 0.7, 1.36
SHORT = {1: 1.0, 2: 0.5}  # how much a text of so many words, without articles, is read as a word and not as a sentence


@dataclass(frozen=True)
class Confidence:
    """The confidence of a query's hits."""

    match: float | None  # probability that anything in the library looks like the query
    nothing: bool  # whether that is so improbable that the answer is no
    confidence: list[float | None]  # of each hit, the probability that it is the one meant
    bands: list[Band]


@dataclass(frozen=True)
class Match:
    """Whether anything in the library looks like a text."""

    anchors: AnchorTexts
    scale: ImageScale
    log_odds: float  # that something does
    threshold: float  # on the log-odds, below which nothing does
    heights: tuple[float, float]  # mean and std of the anchor texts' cosines, averaged over the nearest pictures
    bars: tuple[float, float]  # z-scores from which a hit is strong, and likely

    @property
    def likely(self) -> float:
        """The cosine from which a hit is likely by its z-score."""
        mean, std = self.heights
        return mean + self.bars[1] * std

    @property
    def nothing(self) -> bool:
        """Whether the log-odds are below the threshold."""
        return self.log_odds < self.threshold


def match(branch: Branch) -> Match | None:
    """Return whether anything that passes the filter looks like the branch's text; None without a calibration."""
    calibration, context = branch.calibration, branch.context
    scale, anchors = calibration.image_scale(context.where), calibration.anchors()
    if scale is None or anchors is None or branch.words is None:
        return None
    nearest = context.nearest(branch.words, CANDIDATES)
    count = branch.storage.vectors.count(branch.kind) if context.where is None else len(context.where.ids)
    mean, std = context.scale(anchors, nearest.ids.tolist())
    z = query_z((nearest.scores - mean) / std, count)
    log_odds = float(calibration.log_odds(branch.words, np.array([z]), scale)[0])
    said = [word for word in branch.text.casefold().split() if word not in ARTICLES]
    short = SHORT.get(len(said), 0.0) if anchors.word_likeness(branch.words)[0] >= WORD_LIKE else 0.0
    strong, likely = (short * word + (1 - short) * other for word, other in zip(WORD, SENTENCE, strict=True))
    near = int(np.clip(count // NEAR, 1, len(mean)))
    heights = float(mean[:near].mean()), float(std[:near].mean())
    return Match(anchors, scale, log_odds, scale.threshold - short * FURTHER, heights, (strong, likely))


def of_pictures(branch: Branch, match: Match, contents: Sequence[int], gains: Floats | float = 0.0) -> Confidence:
    """Return the confidence of pictures found by the branch's text.

    `gains`, (n,), is what their texts add to their cosines.
    """
    assert branch.words is not None  # a match is of a text
    scale, words, rows = match.scale, branch.words[0], branch.context.rows(contents)
    cosines = (rows @ words).astype(np.float64) + gains
    mean, std = match.heights
    z_scores, probability = (cosines - mean) / std, _sigmoid(np.array(match.log_odds))
    sharp = SHARPNESS[Kind.PICTURE] / max(scale.picture_std, 1e-6)
    rest = branch.context.sampled(words).astype(np.float64)
    sure = _probable(Kind.PICTURE, shares(sharp * cosines, sharp * rest, scale.count)) * probability
    known: list[float | None] = [None] * len(contents) if scale.count < SMALL else sure.tolist()
    bands = [_band(sure, z, match.bars) for sure, z in zip(known, z_scores, strict=True)]
    return Confidence(float(probability), match.nothing, known, bands)


def of_texts(branch: Branch, scores: Floats) -> Confidence | None:
    """Return the confidence of texts found by the branch's picture; None without a calibration of texts.

    `scores` are the hits' CSLS scores, 2 * cosine - hubness, (n,), in the order of the hits.
    """
    calibration = branch.calibration
    text_scale, image_scale = calibration.text_scale(), calibration.image_scale()
    if text_scale is None or image_scale is None or branch.vector is None:
        return None
    z, hubness = calibration.picture_fit(branch.vector)
    total = (float(z[0]) - text_scale.z[0]) / text_scale.z[1]
    total += (float(hubness[0]) - text_scale.hubness[0]) / text_scale.hubness[1]
    rest = 2 * (text_scale.sample @ branch.vector[0]).astype(np.float64) - text_scale.sample_hubness
    sharp, count = SHARPNESS[Kind.TEXT] / max(image_scale.picture_std, 1e-6), branch.storage.vectors.count(Kind.TEXT)
    sure = _probable(Kind.TEXT, text_scale.per_picture * shares(sharp * scores, sharp * rest, count))
    known: list[float | None] = sure.tolist()
    return Confidence(None, total < text_scale.threshold, known, [_band(each, -np.inf, SENTENCE) for each in known])


def with_confidence(candidates: Sequence[Candidate], of_each: Confidence) -> list[Candidate]:
    """Return the candidates with their confidence and band."""
    rows = zip(candidates, of_each.confidence, of_each.bands, strict=True)
    return [replace(each, confidence=number, band=band) for each, number, band in rows]


def unsure(answer: Answer) -> bool:
    """Return whether an answer has nothing that is at least likely."""
    return answer.nothing or all(hit.band is Band.WEAK for hit in answer.hits)


def apply_threshold(answer: Answer, threshold: Threshold) -> Answer:
    """Return the answer without the hits below the threshold, and with a note on how many were left out."""
    if threshold == "none" or not answer.hits:
        return answer
    if answer.nothing:
        note = "nothing here looks like that; --threshold none shows the nearest"
        return replace(answer, hits=(), notes=(*answer.notes, note))
    order = [Band.STRONG, Band.LIKELY, Band.WEAK]
    out = order[order.index(Band(threshold)) + 1 :]
    hits = [hit for hit in answer.hits if hit.band not in out]
    if len(hits) == len(answer.hits):
        return answer
    note = f"{len(answer.hits) - len(hits)} hits are less sure than {threshold} and not shown (--threshold)"
    ranked = tuple(replace(hit, rank=rank) for rank, hit in enumerate(hits, start=answer.hits[0].rank))
    return replace(answer, hits=ranked, notes=(*answer.notes, note))


def shares(odds: Floats, rest: Floats, count: int) -> Floats:
    """Return the share of each hit in a likelihood over `count` contents, (n,).

    What lies below the hits is estimated from `rest`, the log-likelihoods of a sample.
    """
    top, below = float(odds.max()), rest[rest < odds.min()]
    tail = max(count - len(odds), 0) * float(np.exp(below - top).mean()) if len(below) else 0.0
    parts: Floats = np.exp(odds - top)
    found: Floats = parts / (parts.sum() + tail)
    return found


def _probable(kind: Kind, shares: Floats) -> Floats:
    """Return the probability that each is the right answer, (n,), from its share."""
    slope, constant = SHARE[kind]
    sure = np.clip(shares, 1e-9, 1 - 1e-9)
    return _sigmoid(slope * np.log(sure / (1 - sure)) + constant)


def _sigmoid(odds: Floats) -> Floats:
    found: Floats = 1 / (1 + np.exp(-np.clip(odds, -50, 50)))
    return found


def _band(confidence: float | None, height: float, bars: tuple[float, float]) -> Band:
    for band, probability, bar in zip((Band.STRONG, Band.LIKELY), (STRONG, LIKELY), bars, strict=True):
        if (confidence is not None and confidence >= probability) or height >= bar:
            return band
    return Band.WEAK
