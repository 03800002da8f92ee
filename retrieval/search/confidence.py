"""How sure a hit is, and whether anything here looks like the query at all.

Two readings of a hit: how much of the query's likelihood falls on it among all the library's pictures (a calibrated
probability that it is the one meant), and how far its cosine lies above what neutral texts give this very picture.
docs/confidence.md has the numbers. Knows vectors and bearings; does not know how hits were found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ..calibration.calibration import Bank, Bearings, Gauge
from ..types.records import Answer, Band, Ids, Kind, Threshold, Vectors
from .branches import Candidate

Floats = npt.NDArray[np.float64]

SHARPNESS = {Kind.PICTURE: 3.0, Kind.TEXT: 0.85}  # of the likelihood, over the bank's mean standard deviation
SHARE = {Kind.PICTURE: (0.823, -0.532), Kind.TEXT: (1.35, 1.456)}  # log-odds of a share -> of a right answer (COCO dev)
STRONG, LIKELY = (0.5, 3.5), (0.2, 3.0)  # probability, or standard deviations above neutral texts
SMALL = 30  # pictures below which a share says nothing
ARTICLES = {"a", "an", "the"}
# A single word fits each picture less than a caption does: where it is one (so near to the bank's things), it must lie
# so much further below to be refused (log-odds). docs/confidence.md has what that costs.
WORD, FURTHER = 0.7, 2.0


@dataclass(frozen=True)
class Reading:
    """What can be said of a query's hits."""

    match: float | None  # how probable it is that something here looks like it
    nothing: bool  # whether it is so improbable that the answer is no
    confidence: list[float | None]  # of each hit, that it is the one meant
    bands: list[Band]


@dataclass(frozen=True)
class Match:
    """Whether anything in the library looks like words."""

    bank: Bank
    gauge: Gauge
    odds: float  # log-odds that something does
    least: float  # of them, below which the answer is no

    @property
    def nothing(self) -> bool:
        """Whether the answer is no."""
        return self.odds < self.least


def match(bearings: Bearings, said: str, words: Vectors, allowed: Ids | None) -> Match | None:
    """Whether anything, or anything of these, looks like what is said, embedded as `words`, (1, dimensions).

    None where nothing can be said.
    """
    gauge, bank = bearings.gauge(allowed), bearings.bank()
    if gauge is None or bank is None:
        return None
    single = len([word for word in said.casefold().split() if word not in ARTICLES]) == 1
    further = FURTHER if single and bank.words(words)[0] >= WORD else 0.0
    return Match(bank, gauge, float(bearings.match(words, gauge, allowed)[0]), gauge.least - further)


def of_pictures(bearings: Bearings, found: Match, words: Vectors, contents: Sequence[int]) -> Reading:
    """Of pictures that were found by words, (1, dimensions)."""
    gauge = found.gauge
    vectors = bearings.holdings.rows_of(Kind.PICTURE, contents)
    cosines = (vectors @ words[0]).astype(np.float64)
    mean, spread = found.bank.scale(vectors)
    heights, like = (cosines - mean) / spread, _sigmoid(np.array(found.odds))
    sharp = SHARPNESS[Kind.PICTURE] / max(gauge.sigma, 1e-6)
    rest = (bearings.holdings.sample(Kind.PICTURE) @ words[0]).astype(np.float64)
    sure = _probable(Kind.PICTURE, _shares(sharp * cosines, sharp * rest, gauge.count)) * like
    known: list[float | None] = [None] * len(contents) if gauge.count < SMALL else sure.tolist()
    return Reading(float(like), found.nothing, known, [_band(*each) for each in zip(known, heights, strict=True)])


def of_texts(bearings: Bearings, picture: Vectors, scores: Floats) -> Reading | None:
    """Of texts that were found by a picture, (1, dimensions), with hubs held down; None where nothing can be said.

    `scores` are 2 * cosine - crowd, in the order of the hits.
    """
    gauge, scale = bearings.text_gauge(), bearings.gauge()
    if gauge is None or scale is None:
        return None
    fits, nears = bearings.text_fits(picture)
    height = sum((float(each[0]) - mean) / spread for each, (mean, spread) in ((fits, gauge.fit), (nears, gauge.near)))
    rest = 2 * (gauge.some @ picture[0]).astype(np.float64) - gauge.crowd
    sharp, count = SHARPNESS[Kind.TEXT] / max(scale.sigma, 1e-6), bearings.holdings.count(Kind.TEXT)
    sure = _probable(Kind.TEXT, gauge.each * _shares(sharp * scores, sharp * rest, count))
    known: list[float | None] = sure.tolist()
    return Reading(None, height < gauge.least, known, [_band(each, -np.inf) for each in known])


def told(found: Sequence[Candidate], reading: Reading) -> list[Candidate]:
    """Candidates with what was read of each."""
    readings = zip(found, reading.confidence, reading.bands, strict=True)
    return [replace(each, confidence=number, band=band) for each, number, band in readings]


def kept(answer: Answer, threshold: Threshold) -> Answer:
    """The answer without the hits that are less sure than asked for, and a note on what was left out."""
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
    note = f"{len(answer.hits) - len(hits)} hits are less than {threshold} and not shown (--threshold)"
    ranked = tuple(replace(hit, rank=rank) for rank, hit in enumerate(hits, start=answer.hits[0].rank))
    return replace(answer, hits=ranked, notes=(*answer.notes, note))


def _shares(odds: Floats, rest: Floats, count: int) -> Floats:
    """The share of each of the best in a likelihood over `count`; what lies below them is taken from a sample."""
    top, below = float(odds.max()), rest[rest < odds.min()]
    tail = max(count - len(odds), 0) * float(np.exp(below - top).mean()) if len(below) else 0.0
    parts: Floats = np.exp(odds - top)
    found: Floats = parts / (parts.sum() + tail)
    return found


def _probable(kind: Kind, shares: Floats) -> Floats:
    """How probable each is the right answer, by its share."""
    slope, constant = SHARE[kind]
    sure = np.clip(shares, 1e-9, 1 - 1e-9)
    return _sigmoid(slope * np.log(sure / (1 - sure)) + constant)


def _sigmoid(odds: Floats) -> Floats:
    found: Floats = 1 / (1 + np.exp(-np.clip(odds, -50, 50)))
    return found


def _band(confidence: float | None, height: float) -> Band:
    for band, (probability, deviations) in ((Band.STRONG, STRONG), (Band.LIKELY, LIKELY)):
        if (confidence is not None and confidence >= probability) or height >= deviations:
            return band
    return Band.WEAK
