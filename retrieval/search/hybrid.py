"""Hybrid search for pictures: the rankings by pixels, by the embeddings of texts and by full text, fused.

Does not know the query language.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..calibration.calibration import CANDIDATES
from ..storage.catalog.full_text import Words
from ..types.records import Band, Kind
from . import confidence
from .branches import Candidate, Found, Side
from .fusion import Source, fused

COVERED = 0.9  # least share of pictures with texts for a ranking by captions: the others would get no rank
SAME = 3.0  # z-score against the anchor texts from which two texts mean much the same
DEEP = 200  # hits from each ranking by texts, at least


def find(side: Side, count: int) -> Found:
    """Return the best pictures, at least `count` if there are so many, with their confidence where it is known."""
    found = side.nearest(max(count, CANDIDATES))
    if side.words is None:  # the query is not only text: nothing but the cosine is known
        return Found(found, side.heights(found))
    match = confidence.match(side.bearings, side.said, side.words, side.allowed) if found else None
    lists, sure = rankings(side, found, max(count, DEEP))
    blind = match is not None and match.nothing  # then the ranking by pixels is noise and comes last
    order = fused({source: ranked for source, ranked in lists.items() if source is not Source.PIXELS or not blind})
    order.sort(key=lambda content: content not in sure)  # pictures whose texts have every word come first
    found = _complete(side, found, [*dict.fromkeys((*order, *lists[Source.PIXELS]))])
    if not found:
        return Found([], [])
    found = [replace(each, sources=_sources(lists, each.content)) for each in found]
    heights = side.heights(found)
    if match is None:
        return Found(_literal(found, sure), heights)
    reading = confidence.of_pictures(side.bearings, match, side.words, [each.content for each in found])
    found = _literal(confidence.told(found, reading), sure)
    return Found(found, heights, reading.match, reading.nothing and Source.WORDS not in lists)


def _literal(found: Sequence[Candidate], sure: set[int]) -> list[Candidate]:
    """Return the candidates, with band `STRONG` for those whose texts have every word of the query."""
    return [replace(each, band=Band.STRONG) if each.content in sure else each for each in found]


def rankings(side: Side, seen: Sequence[Candidate], count: int) -> tuple[dict[Source, Sequence[int]], set[int]]:
    """Return the rankings by pixels and by texts, and the pictures whose texts have every word of the query."""
    found: dict[Source, Sequence[int]] = {Source.PIXELS: [each.content for each in seen]}
    with side.holdings.reading() as catalog:
        near = _near_texts(side, count) if catalog.captioned() >= COVERED else []
        owners = catalog.pictures_of(near)
        captioned = dict.fromkeys(picture for text in near for picture in owners.get(text, []))
        full = Words(catalog.connection)
        allowed = None if side.passing is None else list(side.passing)
        spelled, saying = full.search(side.said, count, allowed), set(full.saying(side.said, count, allowed))
    if captioned:
        found[Source.CAPTIONS] = [each for each in captioned if side.passing is None or each in side.passing]
    if spelled:
        found[Source.WORDS] = spelled
    return found, saying


def _near_texts(side: Side, count: int) -> list[int]:
    """Return the texts that mean much the same as the query, best first: those well above the anchor texts."""
    bank = side.bearings.bank()
    if bank is None or side.words is None:
        return []
    mean, spread = bank.scale(side.words)
    scores, texts = side.holdings.nearest(Kind.TEXT, side.words, count)
    return [int(i) for s, i in zip(scores[0], texts[0], strict=True) if i >= 0 and s >= mean[0] + SAME * spread[0]]


def _complete(side: Side, found: Sequence[Candidate], order: Sequence[int]) -> list[Candidate]:
    """Return the candidates in this order; those found by texts only are scored, and dropped without an embedding."""
    assert side.vector is not None  # the query has a text
    known = {each.content: each for each in found}
    lacking = [content for content in order if content not in known]
    ids, vectors = side.holdings.vectors_of(Kind.PICTURE, lacking)
    for content, vector in zip(ids.tolist(), vectors, strict=True):
        known[content] = side.candidate(content, float(vector @ side.vector[0]))
    return [known[content] for content in order if content in known]


def _sources(lists: Mapping[Source, Sequence[int]], content: int) -> tuple[str, ...]:
    """Return the rankings that have a picture among their first `DEEP`."""
    return tuple(str(source) for source, ranked in lists.items() if content in ranked[:DEEP])
