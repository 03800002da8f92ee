"""Hybrid search for pictures: by pixels and by texts, calibrated, in one order, and with how sure each hit is.

A picture's fit is its cosine, plus what its texts say for the query on the scale of the cosine; order, confidence and
band all come from it. Does not know the query language.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ..calibration.calibration import CANDIDATES, ImageScale
from ..types.records import Band, Kind
from . import confidence
from .branches import Branch, BranchResult, Candidate
from .confidence import SHARPNESS, Confidence, Match
from .evidence import DEEP, NONE, Evidence, Source, gather

TOLD = 3.0  # nats from which a part of the terms makes a likely hit, where pixels do not count
STEP = 30.0  # nats by which pictures with every term come before others where pixels do not count
WITHOUT_SCALE = 3.0  # nats for each standard deviation of the query's cosines, where the library has no scale


def find(branch: Branch, count: int) -> BranchResult:
    """Return the best pictures, at least `count` if there are so many, with their confidence where it is known."""
    nearest = branch.nearest(max(count, CANDIDATES))
    if branch.words is None:  # the query is not only text: nothing but the cosine is known
        return BranchResult(nearest, branch.z_scores(nearest))
    match = confidence.match(branch) if nearest else None
    texts = gather(branch, [each.content for each in nearest], count)
    found = complete(branch, nearest, texts)
    fits = {each.content: fit(branch, match, each, texts[each.content]) for each in found}
    best = sorted(found, key=lambda each: -fits[each.content])[: max(count, CANDIDATES)]
    pixels = {each.content: (str(Source.PIXELS),) for each in nearest[:DEEP]}
    candidates = [
        replace(each, sources=(*pixels.get(each.content, ()), *map(str, texts[each.content].sources))) for each in best
    ]
    return band(branch, candidates, [fits[each.content] for each in candidates], texts, match)


def by_words(branch: Branch, count: int) -> BranchResult:
    """Return the pictures whose texts have at least half of the terms: all that is known without the model."""
    texts = {content: said for content, said in gather(branch, [], count).items() if said.half}
    order = sorted(texts, key=lambda content: -texts[content].nats)
    candidates = [
        Candidate(
            content, None, None if branch.passing is None else branch.passing[content],
            band=Band.STRONG if texts[content].whole else Band.LIKELY, by=texts[content].by,
            sources=tuple(map(str, texts[content].sources)),
        )
        for content in order
    ]  # fmt: skip
    return BranchResult(candidates, [-float(n) for n in range(len(order))], nothing=not order)


def complete(branch: Branch, nearest: Sequence[Candidate], texts: Mapping[int, Evidence]) -> list[Candidate]:
    """Return the nearest pictures and those that texts found, with their cosines.

    A picture without an embedding in the active space is left out.
    """
    assert branch.vector is not None  # the query has a text
    by_content = {each.content: each for each in nearest}
    branch.context.read(list(texts))
    for content in texts:
        row = branch.context.row(content)
        if content not in by_content and row is not None:
            by_content[content] = branch.candidate(content, float(row @ branch.vector[0]))
    return list(by_content.values())


def fit(branch: Branch, match: Match | None, candidate: Candidate, said: Evidence) -> float:
    """Return a picture's fit, on the scale of the query's cosines.

    If nothing looks like the query, the cosines are noise: the texts decide, and cosines break their ties only.
    """
    score, unit = candidate.score or 0.0, nat(branch, match)
    if match is None:
        return score + unit * (said.nats + STEP * said.whole)
    if not match.nothing:
        known = score + unit * said.nats
        return max(known, match.likely + 0.01 * unit * said.nats) if said.rare else known
    if not said.half:
        return score
    return 1.0 + unit * (STEP * (1 + said.whole) + said.nats) + 0.001 * score


def nat(branch: Branch, match: Match | None) -> float:
    """Return how much of a cosine one nat of evidence is worth: what it is in the likelihood of the confidence."""
    if match is None:
        return branch.spread / WITHOUT_SCALE
    return unit_of(match.scale)


def unit_of(scale: ImageScale) -> float:
    """Return how much of a cosine one nat is worth in a library of this scale."""
    return scale.picture_std / SHARPNESS[Kind.PICTURE]


def band(
    branch: Branch,
    candidates: list[Candidate],
    fits: Sequence[float],
    texts: Mapping[int, Evidence],
    match: Match | None,
) -> BranchResult:
    """Return the candidates, best first, with how sure each is, never surer than the one before, and by what."""
    z_scores = np.minimum.accumulate([branch.z_score(each) for each in fits]).tolist()
    said = [texts.get(each.content, NONE) for each in candidates]
    if match is None or not candidates:
        unknown = [Band.UNKNOWN] * len(said)
        bands = [Band.STRONG if each.whole else Band.UNKNOWN for each in said]
        return BranchResult(
            _banded(candidates, Confidence(None, False, [None] * len(said), bands), said, unknown), z_scores
        )
    contents = [each.content for each in candidates]
    pixels = confidence.of_pictures(branch, match, contents)
    if match.nothing:
        weak = [Band.WEAK] * len(said)
        bands = [
            Band.STRONG if each.whole else Band.LIKELY if each.half and each.nats >= TOLD else Band.WEAK
            for each in said
        ]
        known = [None if each.half else sure for each, sure in zip(said, pixels.confidence, strict=True)]
        found = _banded(candidates, replace(pixels, confidence=known, bands=bands), said, weak)
        return BranchResult(found, z_scores, pixels.match, not any(each.half for each in said))
    gains = nat(branch, match) * np.array([each.nats for each in said])
    whole = confidence.of_pictures(branch, match, contents, gains) if gains.any() else pixels
    bands = _descending(
        [Band.LIKELY if sure is Band.WEAK and each.rare else sure for sure, each in zip(whole.bands, said, strict=True)]
    )
    return BranchResult(_banded(candidates, replace(whole, bands=bands), said, pixels.bands), z_scores, whole.match)


def _banded(
    candidates: Sequence[Candidate], sure: Confidence, said: Sequence[Evidence], by_pixels: Sequence[Band]
) -> list[Candidate]:
    """Return the candidates with how sure they are; where pixels alone give a lower band, with what text gave it."""
    rows = zip(candidates, sure.confidence, sure.bands, said, by_pixels, strict=True)
    return [
        replace(each, confidence=number, band=of, by=texts.by if of is not Band.WEAK and below.rank > of.rank else "")
        for each, number, of, texts, below in rows
    ]


def _descending(bands: Sequence[Band]) -> list[Band]:
    """Return the bands, none surer than the one before."""
    found: list[Band] = []
    for each in bands:
        found.append(max(each, found[-1], key=lambda band: band.rank) if found else each)
    return found
