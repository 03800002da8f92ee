"""Near-duplicates: which pictures are nearly the same, and in what way; finds duplicates and folds hits.

- same: re-encoded, resized, slightly cropped or turned grey: fingerprints within 4 of 64 bits and cosine at least 0.4,
  or within 8 bits and at least 0.9
- burst: taken by the same camera within 10 seconds, cosine at least 0.8
- alike: cosine at least 0.9 (or as requested), however they were taken

Frames of videos are never `same` or `burst`. Does not know files.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ..storage.catalog.fingerprints import Bits, ShotTime
from ..storage.storage import Storage
from ..types.records import Kind, Vectors

CLOSE, DISTANCE = 4, 8  # bits of 64
SAME, NEARLY, BURST, ALIKE = 0.4, 0.9, 0.8, 0.9  # least cosines: of close fingerprints, of less close ones, ...
WITHIN = timedelta(seconds=10)
BANDS = (*((7 * place, 0x7F) for place in range(8)), (56, 0xFF))  # if 8 bits differ, one of 9 bands is equal
TELLING = range(28, 37)  # set bits of a usable fingerprint: about half; plain pictures have few, and all look equal
ROWS = 512  # pictures per nearest-neighbour search
BLOCK = 256  # pictures whose vectors are read together
NEIGHBOURS = 32  # nearest pictures that are considered for `alike`


class Similarity(StrEnum):
    """In what way two pictures are near-duplicates, the closest first."""

    COPY = "copy"  # identical bytes
    SAME = "same"
    BURST = "burst"
    ALIKE = "alike"


FOLDED = frozenset({Similarity.SAME, Similarity.BURST})  # ways in which pictures are folded under one hit

Ways: TypeAlias = dict[int, list[tuple[Similarity, float]]]  # other content -> the least cosine that each way needs
Near: TypeAlias = Callable[[int], Iterable[tuple[int, float]]]  # content -> (other content, the least cosine it needs)


def group_near_duplicates(
    storage: Storage, order: Sequence[int], kinds: frozenset[Similarity], least: float = ALIKE
) -> dict[int, list[tuple[int, Similarity]]]:
    """Group near-duplicates: return the first content of each group, in this order, with the others and their kind.

    Each content is in exactly one group, and the others are all near-duplicates of its first. Memory grows with the
    number of contents, not of pairs.
    """
    finders = list(_finders(storage, order, kinds, least))
    place = {content: number for number, content in enumerate(order)}
    groups: dict[int, list[tuple[int, Similarity]]] = {}
    taken: set[int] = set()
    for start in range(0, len(order), BLOCK):
        block, rows = order[start : start + BLOCK], dict[int, Vectors]()
        for content in block:
            if content in taken:
                continue
            others = {other: ways for other, ways in _near(finders, content).items() if other not in taken}
            if others:
                _read(storage, rows, {content, *others} if rows else {*block, *others})
            under = _confirmed(rows, content, others)
            groups[content] = sorted(under.items(), key=lambda pair: place[pair[0]])
            taken |= {content, *under}
    return groups


def _finders(
    storage: Storage, order: Sequence[int], kinds: frozenset[Similarity], least: float
) -> Iterable[tuple[Similarity, Near]]:
    with storage.read() as catalog:
        if Similarity.SAME in kinds:
            yield Similarity.SAME, _same(catalog.fingerprints.of(order))
        if Similarity.BURST in kinds:
            yield Similarity.BURST, _burst(catalog.fingerprints.shot_times(order))
    if Similarity.ALIKE in kinds:
        yield Similarity.ALIKE, _alike(storage, order, least)


@dataclass(frozen=True)
class FingerprintIndex:
    """An index of 64-bit fingerprints that finds those near one of them without comparing all."""

    bits: Bits  # (n,)
    bands: tuple[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]], ...]

    @classmethod
    def of(cls, bits: Bits) -> FingerprintIndex:
        """Index fingerprints by nine bands: two that differ in at most 8 bits agree in one (pigeonhole principle)."""
        bands = []
        for shift, mask in BANDS:
            keys = (bits >> np.uint64(shift)) & np.uint64(mask)
            order = np.argsort(keys, kind="stable")
            starts, ends = (np.searchsorted(keys[order], keys, branch) for branch in ("left", "right"))
            bands.append((order, starts, ends))
        return cls(bits, tuple(bands))

    def near(self, place: int) -> dict[int, int]:
        """Return the positions of the others within `DISTANCE` bits, with their distances in bits."""
        some = [order[starts[place] : ends[place]] for order, starts, ends in self.bands]
        others = np.unique(np.concatenate(some))
        differ = np.bitwise_count(self.bits[others] ^ self.bits[place])
        close = (differ <= DISTANCE) & (others != place)
        return dict(zip(others[close].tolist(), differ[close].tolist(), strict=True))


def _same(bits: Mapping[int, int]) -> Near:
    ids = [content for content, each in bits.items() if each.bit_count() in TELLING]
    places = {content: place for place, content in enumerate(ids)}
    prints = FingerprintIndex.of(np.array([bits[content] for content in ids], np.uint64))

    def near(content: int) -> Iterable[tuple[int, float]]:
        found = prints.near(places[content]) if content in places else {}
        return ((ids[place], SAME if differ <= CLOSE else NEARLY) for place, differ in found.items())

    return near


def _burst(moments: Mapping[int, ShotTime]) -> Near:
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


def _alike(storage: Storage, order: Sequence[int], least: float) -> Near:
    wanted = set(order)
    neighbours: dict[int, list[int]] = {}
    for start in range(0, len(order), ROWS):
        ids, rows = storage.vectors.get(Kind.PICTURE, order[start : start + ROWS])
        scores, nearest = storage.vectors.nearest(Kind.PICTURE, rows, NEIGHBOURS)
        for one, others, cosines in zip(ids.tolist(), nearest.tolist(), scores.tolist(), strict=True):
            close = [other for other, s in zip(others, cosines, strict=True) if s >= least and other in wanted]
            if len(close) > 1:
                neighbours[one] = close
    return lambda content: ((other, least) for other in neighbours.get(content, ()))


def _near(finders: Sequence[tuple[Similarity, Near]], content: int) -> Ways:
    """Return what may be a near-duplicate of a content."""
    found: Ways = {}
    for how, near in finders:
        for other, needed in near(content):
            if other != content:
                found.setdefault(other, []).append((how, needed))
    return found


def _read(storage: Storage, rows: dict[int, Vectors], contents: Collection[int]) -> None:
    """Read the stored vectors of those contents that have one, (dimensions,) each, unless they were read."""
    lacking = [content for content in contents if content not in rows]
    if lacking:
        ids, found = storage.vectors.get(Kind.PICTURE, lacking)
        rows |= zip(ids.tolist(), found, strict=True)


def _confirmed(rows: Mapping[int, Vectors], content: int, others: Ways) -> dict[int, Similarity]:
    """Return those of the others whose cosine with `content` is high enough, with the first way in which it is."""
    there = [other for other in others if other in rows]
    if not there or content not in rows:
        return {}
    cosines = np.stack([rows[other] for other in there]) @ rows[content]
    found: dict[int, Similarity] = {}
    for other, cosine in zip(there, cosines.tolist(), strict=True):
        how = next((how for how, needed in others[other] if cosine >= needed), None)
        if how is not None:
            found[other] = how
    return found
