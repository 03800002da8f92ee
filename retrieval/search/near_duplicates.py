"""Which pictures are nearly the same, and in what way: one rule for duplicates and for folding hits.

- same: re-encoded, resized, a little cropped, in greys: fingerprints within 4 of 64 bits and cosine at least 0.4, or
  within 8 bits and at least 0.9
- burst: by the same camera within 10 seconds, cosine at least 0.8
- alike: cosine at least 0.9 (or as asked), however it was taken

Knows fingerprints, times and embeddings; does not know files. Frames of videos are like nothing here.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ..storage.catalog.collections import Bits, Collections, Moment
from ..storage.storage import Holdings
from ..types.records import Kind

CLOSE, DISTANCE = 4, 8  # bits of 64
SAME, NEARLY, BURST, ALIKE = 0.4, 0.9, 0.8, 0.9  # cosines: of close fingerprints, of those that are less so, ...
WITHIN = timedelta(seconds=10)
BANDS = (*((7 * place, 0x7F) for place in range(8)), (56, 0xFF))  # of 8 bits that differ, one of 9 has none
TELLING = range(28, 37)  # bits that are set, half of them; in plain pictures hardly any, and all plain ones are equal
ROWS = 512  # pictures whose neighbours are asked for at a time
NEIGHBOURS = 32  # nearest pictures that are looked at for `alike`


class Likeness(StrEnum):
    """How two pictures are alike, the closest first."""

    COPY = "copy"  # the very same bytes
    SAME = "same"
    BURST = "burst"
    ALIKE = "alike"


FOLDED = frozenset({Likeness.SAME, Likeness.BURST})  # how pictures must be alike to stand under one hit

Near: TypeAlias = Callable[[int], Iterable[tuple[int, float]]]  # a content -> others, each with the cosine it needs


def stacks(
    holdings: Holdings, order: Sequence[int], kinds: frozenset[Likeness], least: float = ALIKE
) -> dict[int, list[tuple[int, Likeness]]]:
    """Contents in this order, each with those that stand under it: every one of them is like it in one of these ways.

    Each content is either first of a stack or under one. Memory grows with the number of contents, not of pairs.
    """
    finders = list(_finders(holdings, order, kinds, least))
    place = {content: number for number, content in enumerate(order)}
    found: dict[int, list[tuple[int, Likeness]]] = {}
    taken: set[int] = set()
    for content in order:
        if content in taken:
            continue
        under: dict[int, Likeness] = {}
        for how, near in finders:
            needed = {other: cosine for other, cosine in near(content) if other not in taken and other not in under}
            needed.pop(content, None)
            under |= dict.fromkeys(_confirmed(holdings, content, needed), how)
        found[content] = sorted(under.items(), key=lambda pair: place[pair[0]])
        taken |= {content, *under}
    return found


def _finders(
    holdings: Holdings, order: Sequence[int], kinds: frozenset[Likeness], least: float
) -> Iterable[tuple[Likeness, Near]]:
    with holdings.reading() as catalog:
        known = Collections(catalog.connection)
        if Likeness.SAME in kinds:
            yield Likeness.SAME, _same(known.fingerprints(order))
        if Likeness.BURST in kinds:
            yield Likeness.BURST, _burst(known.moments(order))
    if Likeness.ALIKE in kinds:
        yield Likeness.ALIKE, _alike(holdings, order, least)


@dataclass(frozen=True)
class Fingerprints:
    """Fingerprints that can be asked for those near one of them, without comparing all."""

    bits: Bits  # (n,)
    bands: tuple[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]], ...]

    @classmethod
    def of(cls, bits: Bits) -> Fingerprints:
        """Sorted by each of nine bands: by the pigeonhole principle, what differs in 8 bits agrees in one of them."""
        bands = []
        for shift, mask in BANDS:
            keys = (bits >> np.uint64(shift)) & np.uint64(mask)
            order = np.argsort(keys, kind="stable")
            starts, ends = (np.searchsorted(keys[order], keys, side) for side in ("left", "right"))
            bands.append((order, starts, ends))
        return cls(bits, tuple(bands))

    def near(self, place: int) -> dict[int, int]:
        """The places of others within `DISTANCE` bits, with their distances."""
        some = [order[starts[place] : ends[place]] for order, starts, ends in self.bands]
        others = np.unique(np.concatenate(some))
        differ = np.bitwise_count(self.bits[others] ^ self.bits[place])
        close = (differ <= DISTANCE) & (others != place)
        return dict(zip(others[close].tolist(), differ[close].tolist(), strict=True))


def _same(bits: Mapping[int, int]) -> Near:
    ids = [content for content, each in bits.items() if each.bit_count() in TELLING]
    places = {content: place for place, content in enumerate(ids)}
    prints = Fingerprints.of(np.array([bits[content] for content in ids], np.uint64))

    def near(content: int) -> Iterable[tuple[int, float]]:
        found = prints.near(places[content]) if content in places else {}
        return ((ids[place], SAME if differ <= CLOSE else NEARLY) for place, differ in found.items())

    return near


def _burst(moments: Mapping[int, Moment]) -> Near:
    cameras: dict[str, list[tuple[float, int]]] = {}
    for moment in moments.values():
        if moment.at is not None and moment.camera:
            cameras.setdefault(moment.camera, []).append((moment.at.timestamp(), moment.content))
    for shots in cameras.values():
        shots.sort()

    def near(content: int) -> Iterable[tuple[int, float]]:
        moment = moments.get(content)
        if moment is None or moment.at is None or not moment.camera:
            return ()
        shots, at, span = cameras[moment.camera], moment.at.timestamp(), WITHIN.total_seconds()
        first, last = bisect_left(shots, (at - span, -1)), bisect_right(shots, (at + span, 1 << 62))
        return ((other, BURST) for _, other in shots[first:last])

    return near


def _alike(holdings: Holdings, order: Sequence[int], least: float) -> Near:
    wanted = set(order)
    found: dict[int, list[int]] = {}
    for start in range(0, len(order), ROWS):
        ids, rows = holdings.vectors_of(Kind.PICTURE, order[start : start + ROWS])
        scores, nearest = holdings.nearest(Kind.PICTURE, rows, NEIGHBOURS)
        for one, others, cosines in zip(ids.tolist(), nearest.tolist(), scores.tolist(), strict=True):
            close = [other for other, s in zip(others, cosines, strict=True) if s >= least and other in wanted]
            if len(close) > 1:
                found[one] = close
    return lambda content: ((other, least) for other in found.get(content, ()))


def _confirmed(holdings: Holdings, content: int, needed: Mapping[int, float]) -> list[int]:
    """Those whose embeddings are near enough."""
    if not needed:
        return []
    others = list(needed)
    rows = holdings.rows_of(Kind.PICTURE, [content, *others])
    cosines = (rows[1:] @ rows[0]).tolist()
    return [other for other, cosine in zip(others, cosines, strict=True) if cosine >= needed[other]]
