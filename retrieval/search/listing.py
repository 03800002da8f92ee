"""Whole answers as lists: all candidates of a query, how sure each is, and the newest first. Makes no hits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..storage.catalog.items import ListedItem
from ..types.records import Band, Threshold
from .branches import Candidate

NO_ITEM = ListedItem(0, b"", is_frame=False, clock="")  # of a text
UNBANDED = 100  # the first hits that count as the answer where nothing says how sure they are, as for a picture


@dataclass(frozen=True)
class Listed:
    """A candidate with the first of its files that passes."""

    candidate: Candidate
    item: ListedItem


def listed(candidates: Sequence[Candidate], files: Mapping[int, Sequence[ListedItem]]) -> list[Listed]:
    """Return the candidates that have a file which passes, in their order; of the frames of a video, the first."""
    found: list[Listed] = []
    videos: set[bytes] = set()
    for each in candidates:
        here = files.get(each.content, ())
        if each.items is not None:
            passing = frozenset(each.items)
            here = [item for item in here if item.id in passing]
        if not here or here[0].path in videos:
            continue
        if here[0].is_frame:
            videos.add(here[0].path)
        found.append(Listed(each, here[0]))
    return found


def band_counts(candidates: Sequence[Candidate]) -> dict[str, int]:
    """Return how many candidates there are of each band, the surest first."""
    counts = Counter(each.band for each in candidates)
    return {str(band): counts[band] for band in Band if counts[band]}


def shown(candidates: Sequence[Candidate], least: Threshold) -> int:
    """Return how many candidates, the best first, are shown with this threshold: those that are known to be less sure
    are not.
    """
    if least == "none":
        return len(candidates)
    return sum(each.band is Band.UNKNOWN or each.band.rank <= Band(least).rank for each in candidates)


def answering(candidates: Sequence[Candidate], least: Threshold) -> int:
    """Return how many candidates, the best first, are taken for answers: those that are known to be as sure as `least`.

    Where nothing says how sure any is, they are the first `UNBANDED`; where filters alone chose them, they are all.
    """
    if least == "none" or not candidates or candidates[0].score is None:
        return len(candidates)
    known = [each.band for each in candidates if each.band is not Band.UNKNOWN]
    if not known:
        return min(len(candidates), UNBANDED)
    return sum(band.rank <= Band(least).rank for band in known)


def newest_first(rows: Sequence[Listed]) -> list[Candidate]:
    """Return the candidates by the time of the camera's clock, the newest first, undated ones last."""
    return [row.candidate for row in sorted(rows, key=lambda row: row.item.clock, reverse=True)]
