"""Hybrid search for pictures: the rankings by pixels, by the embeddings of texts and by full text, fused.

Does not know the query language.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..calibration.calibration import CANDIDATES
from ..types.records import Band, Kind
from . import confidence
from .branches import Branch, BranchResult, Candidate
from .fusion import Source, reciprocal_rank_fusion

COVERED = 0.9  # least share of pictures with texts for a ranking by captions: the others would get no rank
SAME = 3.0  # z-score against the anchor texts from which two texts mean much the same
DEEP = 200  # hits from each ranking by texts, at least


def find(branch: Branch, count: int) -> BranchResult:
    """Return the best pictures, at least `count` if there are so many, with their confidence where it is known."""
    found = branch.nearest(max(count, CANDIDATES))
    if branch.words is None:  # the query is not only text: nothing but the cosine is known
        return BranchResult(found, branch.z_scores(found))
    match = confidence.match(branch.calibration, branch.said, branch.words, branch.where) if found else None
    lists, sure = rankings(branch, found, max(count, DEEP))
    blind = match is not None and match.nothing  # then the ranking by pixels is noise and comes last
    order = reciprocal_rank_fusion(
        {source: ranked for source, ranked in lists.items() if source is not Source.PIXELS or not blind}
    )
    order.sort(key=lambda content: content not in sure)  # pictures whose texts have every word come first
    found = _complete(branch, found, [*dict.fromkeys((*order, *lists[Source.PIXELS]))])
    if not found:
        return BranchResult([], [])
    found = [replace(each, sources=_sources(lists, each.content)) for each in found]
    z_scores = branch.z_scores(found)
    if match is None:
        return BranchResult(_literal(found, sure), z_scores)
    reading = confidence.of_pictures(branch.calibration, match, branch.words, [each.content for each in found])
    found = _literal(confidence.with_confidence(found, reading), sure)
    return BranchResult(found, z_scores, reading.match, reading.nothing and Source.WORDS not in lists)


def _literal(found: Sequence[Candidate], sure: set[int]) -> list[Candidate]:
    """Return the candidates, with band `STRONG` for those whose texts have every word of the query."""
    return [replace(each, band=Band.STRONG) if each.content in sure else each for each in found]


def rankings(branch: Branch, seen: Sequence[Candidate], count: int) -> tuple[dict[Source, Sequence[int]], set[int]]:
    """Return the rankings by pixels and by texts, and the pictures whose texts have every word of the query."""
    found: dict[Source, Sequence[int]] = {Source.PIXELS: [each.content for each in seen]}
    with branch.storage.read() as catalog:
        near = _near_texts(branch, count) if catalog.captions.coverage() >= COVERED else []
        owners = catalog.captions.pictures_of(near)
        captioned = dict.fromkeys(picture for text in near for picture in owners.get(text, []))
        full = catalog.full_text
        allowed = None if branch.passing is None else list(branch.passing)
        spelled, saying = (
            full.search(branch.said, count, allowed),
            set(full.containing_all(branch.said, count, allowed)),
        )
    if captioned:
        found[Source.CAPTIONS] = [each for each in captioned if branch.passing is None or each in branch.passing]
    if spelled:
        found[Source.WORDS] = spelled
    return found, saying


def _near_texts(branch: Branch, count: int) -> list[int]:
    """Return the texts that mean much the same as the query, best first: those well above the anchor texts."""
    bank = branch.calibration.anchors()
    if bank is None or branch.words is None:
        return []
    mean, spread = bank.scale(branch.words)
    scores, texts = branch.storage.vectors.nearest(Kind.TEXT, branch.words, count)
    return [int(i) for s, i in zip(scores[0], texts[0], strict=True) if i >= 0 and s >= mean[0] + SAME * spread[0]]


def _complete(branch: Branch, found: Sequence[Candidate], order: Sequence[int]) -> list[Candidate]:
    """Return the candidates in this order; those found by texts only are scored, and dropped without an embedding."""
    assert branch.vector is not None  # the query has a text
    known = {each.content: each for each in found}
    lacking = [content for content in order if content not in known]
    ids, vectors = branch.storage.vectors.get(Kind.PICTURE, lacking)
    for content, vector in zip(ids.tolist(), vectors, strict=True):
        known[content] = branch.candidate(content, float(vector @ branch.vector[0]))
    return [known[content] for content in order if content in known]


def _sources(lists: Mapping[Source, Sequence[int]], content: int) -> tuple[str, ...]:
    """Return the rankings that have a picture among their first `DEEP`."""
    return tuple(str(source) for source, ranked in lists.items() if content in ranked[:DEEP])
