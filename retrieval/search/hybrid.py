"""Hybrid search for pictures: retrieve by pixels, captions and full text, calibrate, fuse, and say how sure it is.

Does not know the query language.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..calibration.calibration import CANDIDATES
from ..types.records import Band, Kind
from . import confidence
from .branches import Branch, BranchResult, Candidate
from .confidence import Match
from .fusion import Source, reciprocal_rank_fusion

COVERED = 0.9  # least share of pictures with texts for a ranking by captions: the others would get no rank
SAME = 3.0  # z-score against the anchor texts from which two texts mean much the same
DEEP = 200  # hits from each ranking by texts, at least

Rankings = Mapping[Source, Sequence[int]]  # content ids, best first


def find(branch: Branch, count: int) -> BranchResult:
    """Return the best pictures, at least `count` if there are so many, with their confidence where it is known."""
    nearest = branch.nearest(max(count, CANDIDATES))
    if branch.words is None:  # the query is not only text: nothing but the cosine is known
        return BranchResult(nearest, branch.z_scores(nearest))
    match = confidence.match(branch) if nearest else None
    rankings, literal = retrieve(branch, nearest, max(count, DEEP))
    order = fuse(rankings, literal, match)
    candidates = complete(branch, nearest, order, rankings)
    return band(branch, candidates, literal, match, by_words=Source.WORDS in rankings)


def retrieve(branch: Branch, nearest: Sequence[Candidate], count: int) -> tuple[Rankings, set[int]]:
    """Return the rankings by pixels and by texts, and the pictures whose texts have every word of the query."""
    rankings: dict[Source, Sequence[int]] = {Source.PIXELS: [each.content for each in nearest]}
    passing = branch.passing
    with branch.storage.read() as catalog:
        texts = _similar_texts(branch, count) if catalog.captions.coverage() >= COVERED else []
        owners = catalog.captions.pictures_of(texts)
        captioned = dict.fromkeys(picture for text in texts for picture in owners.get(text, []))
        allowed = None if passing is None else list(passing)
        spelled = catalog.full_text.search(branch.text, count, allowed)
        literal = set(catalog.full_text.containing_all(branch.text, count, allowed))
    if captioned:
        rankings[Source.CAPTIONS] = [each for each in captioned if passing is None or each in passing]
    if spelled:
        rankings[Source.WORDS] = spelled
    return rankings, literal


def fuse(rankings: Rankings, literal: set[int], match: Match | None) -> list[int]:
    """Return all pictures of the rankings in one order; those whose texts have every word of the query come first.

    If nothing looks like the query, the ranking by pixels is noise, and comes last.
    """
    blind = match is not None and match.nothing
    fused = reciprocal_rank_fusion(
        {name: ids for name, ids in rankings.items() if name is not Source.PIXELS or not blind}
    )
    fused.sort(key=lambda content: content not in literal)
    return [*dict.fromkeys((*fused, *rankings[Source.PIXELS]))]


def complete(branch: Branch, nearest: Sequence[Candidate], order: Sequence[int], rankings: Rankings) -> list[Candidate]:
    """Return the candidates in this order with their sources; those found by texts only get their cosine.

    A picture without an embedding in the active space is left out.
    """
    assert branch.vector is not None  # the query has a text
    by_content = {each.content: each for each in nearest}
    branch.context.read(order)
    for content in order:
        row = branch.context.row(content)
        if content not in by_content and row is not None:
            by_content[content] = branch.candidate(content, float(row @ branch.vector[0]))
    return [
        replace(by_content[content], sources=_sources(rankings, content)) for content in order if content in by_content
    ]


def band(
    branch: Branch, candidates: list[Candidate], literal: set[int], match: Match | None, *, by_words: bool
) -> BranchResult:
    """Return the candidates with how sure each is; `STRONG` are those whose texts have every word of the query."""
    z_scores = branch.z_scores(candidates)
    if match is None or not candidates:
        return BranchResult(_literal(candidates, literal), z_scores)
    of_pictures = confidence.of_pictures(branch, match, [each.content for each in candidates])
    sure = _literal(confidence.with_confidence(candidates, of_pictures), literal)
    return BranchResult(sure, z_scores, of_pictures.match, of_pictures.nothing and not by_words)


def _similar_texts(branch: Branch, count: int) -> list[int]:
    """Return the texts that mean much the same as the query, best first: those well above the anchor texts."""
    anchors = branch.calibration.anchors()
    if anchors is None or branch.words is None:
        return []
    mean, std = anchors.scale(branch.words)
    scores, texts = branch.storage.vectors.nearest(Kind.TEXT, branch.words, count)
    least = mean[0] + SAME * std[0]
    return [int(text) for score, text in zip(scores[0], texts[0], strict=True) if text >= 0 and score >= least]


def _literal(candidates: Sequence[Candidate], literal: set[int]) -> list[Candidate]:
    return [replace(each, band=Band.STRONG) if each.content in literal else each for each in candidates]


def _sources(rankings: Rankings, content: int) -> tuple[str, ...]:
    """Return the rankings that have a picture among their first `DEEP`."""
    return tuple(str(source) for source, ids in rankings.items() if content in ids[:DEEP])
