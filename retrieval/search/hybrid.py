"""Pictures by their pixels, by the meaning of what is said of them, and by its very words: three rankings made one.

Knows which lists there are and how sure their hits are; does not know the query language.
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

COVERED = 0.9  # share of pictures with texts below which their meaning is no ranking: the others would lack a rank
SAME = 3.0  # standard deviations above neutral texts from which on two texts mean much the same
DEEP = 200  # hits that each list of words gives, at least


def find(side: Side, count: int) -> Found:
    """The best `count` pictures, surely, with every reading that can be had."""
    found = side.nearest(max(count, CANDIDATES))
    if side.words is None:  # something else than words is looked for: the cosine is all that is known
        return Found(found, side.heights(found))
    match = confidence.match(side.bearings, side.said, side.words, side.allowed) if found else None
    lists, sure = rankings(side, found, max(count, DEEP))
    blind = match is not None and match.nothing  # then pixels rank by chance, and what is said comes first
    order = fused({source: ranked for source, ranked in lists.items() if source is not Source.PIXELS or not blind})
    order.sort(key=lambda content: content not in sure)  # what is literally said comes before what looks like it
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
    """Candidates of which every word is said are sure, whatever the pixels are like."""
    return [replace(each, band=Band.STRONG) if each.content in sure else each for each in found]


def rankings(side: Side, seen: Sequence[Candidate], count: int) -> tuple[dict[Source, Sequence[int]], set[int]]:
    """The rankings by pixels and by what is said of pictures, and the pictures of which every word is said."""
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
    """The texts of the library that mean much the same, best first: well above neutral texts."""
    bank = side.bearings.bank()
    if bank is None or side.words is None:
        return []
    mean, spread = bank.scale(side.words)
    scores, texts = side.holdings.nearest(Kind.TEXT, side.words, count)
    return [int(i) for s, i in zip(scores[0], texts[0], strict=True) if i >= 0 and s >= mean[0] + SAME * spread[0]]


def _complete(side: Side, found: Sequence[Candidate], order: Sequence[int]) -> list[Candidate]:
    """Candidates in this order; those that only words brought up are scored, too, where they have an embedding."""
    assert side.vector is not None  # words were looked for
    known = {each.content: each for each in found}
    lacking = [content for content in order if content not in known]
    ids, vectors = side.holdings.vectors_of(Kind.PICTURE, lacking)
    for content, vector in zip(ids.tolist(), vectors, strict=True):
        known[content] = side.candidate(content, float(vector @ side.vector[0]))
    return [known[content] for content in order if content in known]


def _sources(lists: Mapping[Source, Sequence[int]], content: int) -> tuple[str, ...]:
    """The lists that have a picture among their first."""
    return tuple(str(source) for source, ranked in lists.items() if content in ranked[:DEEP])
