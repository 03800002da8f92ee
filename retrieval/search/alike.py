"""Which pictures are nearly the same, and of what kind: one rule for duplicates and for folding hits.

- same: re-encoded, resized, a little cropped, in greys: fingerprints within 4 of 64 bits and cosine at least 0.4, or
  within 8 bits and at least 0.9
- burst: by the same camera within 10 seconds, cosine at least 0.8
- alike: cosine at least 0.9 (or as asked), however it was taken

Knows fingerprints, times and embeddings; does not know files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from ..holdings import Holdings
from ..records import Ids, Kind
from ..store.collections import Bits, Collections, Moment

CLOSE, DISTANCE = 4, 8  # bits of 64
SAME, NEARLY, BURST, ALIKE = 0.4, 0.9, 0.8, 0.9  # cosines: of close fingerprints, of those that are less so, ...
WITHIN = timedelta(seconds=10)
BANDS = (*((7 * place, 0x7F) for place in range(8)), (56, 0xFF))  # of 8 bits that differ, one of 9 has none
TELLING = range(28, 37)  # bits that are set, half of them; in plain pictures hardly any, and all plain ones are equal
ROWS = 512  # compared at a time
NEIGHBOURS = 32  # nearest pictures that are looked at for `alike`


class Likeness(StrEnum):
    """How two pictures are alike, the closest first."""

    COPY = "copy"  # the very same bytes
    SAME = "same"
    BURST = "burst"
    ALIKE = "alike"


FOLDED = frozenset({Likeness.SAME, Likeness.BURST})  # how pictures must be alike to stand under one hit


@dataclass(frozen=True)
class Pair:
    """Two contents that are alike."""

    one: int
    other: int
    how: Likeness


def pairs(
    holdings: Holdings, contents: Sequence[int], kinds: frozenset[Likeness], least: float = ALIKE
) -> Iterator[Pair]:
    """The pairs of these pictures that are alike in one of these ways, each once, by the closest one."""
    with holdings.reading() as catalog:
        known = Collections(catalog.connection)
        bits = known.fingerprints(contents) if Likeness.SAME in kinds else {}
        moments = known.moments(contents) if Likeness.BURST in kinds else {}
    told: set[tuple[int, int]] = set()
    groups = (
        (Likeness.SAME, SAME, _near_bits(bits, CLOSE)),
        (Likeness.SAME, NEARLY, _near_bits(bits, DISTANCE)),
        (Likeness.BURST, BURST, _near_times(moments)),
        (Likeness.ALIKE, least, _near_vectors(holdings, contents, least) if Likeness.ALIKE in kinds else iter(())),
    )
    for how, cosine, candidates in groups:
        for one, other in _confirmed(holdings, [pair for pair in candidates if pair not in told], cosine):
            told.add((one, other))
            yield Pair(one, other, how)


def near(bits: Bits, most: int = DISTANCE) -> Iterator[tuple[int, int]]:
    """The places (i < j) of fingerprints that differ in at most `most` (up to 8) bits; a pair may come more than once.

    Only those that agree in one of nine bands are compared: by the pigeonhole principle none is missed.
    """
    for shift, mask in BANDS:
        keys = (bits >> np.uint64(shift)) & np.uint64(mask)
        order = np.argsort(keys, kind="stable")
        for group in np.split(order, np.flatnonzero(np.diff(keys[order])) + 1):
            for start in range(0, len(group) if len(group) > 1 else 0, ROWS):
                some = group[start : start + ROWS]
                differ = np.bitwise_count(bits[some, None] ^ bits[None, group[start:]])
                for a, b in np.argwhere(differ <= most).tolist():
                    if a < b:
                        one, other = int(some[a]), int(group[start + b])
                        yield (one, other) if one < other else (other, one)


def _near_bits(bits: Mapping[int, int], most: int) -> Iterator[tuple[int, int]]:
    ids = sorted(content for content, each in bits.items() if each.bit_count() in TELLING)
    for one, other in near(np.array([bits[content] for content in ids], np.uint64), most):
        yield ids[one], ids[other]


def _near_times(moments: Mapping[int, Moment]) -> Iterator[tuple[int, int]]:
    dated = sorted((m.at, m.camera, m.content) for m in moments.values() if m.at is not None)
    for place, (first, camera, one) in enumerate(dated):
        for at, same, other in dated[place + 1 :]:
            if at - first > WITHIN:
                break
            if same == camera:
                yield (one, other) if one < other else (other, one)


def _near_vectors(holdings: Holdings, contents: Sequence[int], least: float) -> Iterator[tuple[int, int]]:
    wanted = set(contents)
    for start in range(0, len(contents), ROWS):
        ids, rows = holdings.vectors_of(Kind.PICTURE, contents[start : start + ROWS])
        scores, found = holdings.nearest(Kind.PICTURE, rows, NEIGHBOURS)
        for one, others, cosines in zip(ids.tolist(), found.tolist(), scores.tolist(), strict=True):
            for other, cosine in zip(others, cosines, strict=True):
                if cosine >= least and other in wanted and other != one:
                    yield (one, other) if one < other else (other, one)


def _confirmed(holdings: Holdings, candidates: Sequence[tuple[int, int]], cosine: float) -> Iterator[tuple[int, int]]:
    """Those whose embeddings are near enough."""
    unique = sorted(set(candidates))
    for start in range(0, len(unique), 1 << 16):
        some: npt.NDArray[np.int64] = np.array(unique[start : start + (1 << 16)], np.int64)
        ids, rows = _sorted(*holdings.vectors_of(Kind.PICTURE, np.unique(some).tolist()))
        places = np.searchsorted(ids, some).clip(0, max(len(ids) - 1, 0))
        if not len(ids):
            return
        there = (ids[places] == some).all(axis=1)
        close = np.einsum("nd,nd->n", rows[places[:, 0]], rows[places[:, 1]]) >= cosine
        yield from ((int(a), int(b)) for a, b in some[there & close])


def _sorted(ids: Ids, rows: npt.NDArray[np.float32]) -> tuple[Ids, npt.NDArray[np.float32]]:
    order = np.argsort(ids)
    return ids[order], rows[order]


def stacks(order: Sequence[int], alike: Sequence[Pair]) -> dict[int, list[tuple[int, Likeness]]]:
    """Contents in this order, each with those that stand under it: it is like every one of them itself."""
    beside: dict[int, list[tuple[int, Likeness]]] = {}
    for pair in alike:
        beside.setdefault(pair.one, []).append((pair.other, pair.how))
        beside.setdefault(pair.other, []).append((pair.one, pair.how))
    found: dict[int, list[tuple[int, Likeness]]] = {}
    taken: set[int] = set()
    place = {content: number for number, content in enumerate(order)}
    for content in order:
        if content not in taken:
            under = [(other, how) for other, how in beside.get(content, []) if other not in taken and other in place]
            found[content] = sorted(under, key=lambda pair: place[pair[0]])
            taken |= {content, *(other for other, _ in under)}
    return found
