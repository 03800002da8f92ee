"""Which files of an answer are there at this moment: a path that leads nowhere is never shown as a hit.

Files that vanish between two indexing runs are noticed here; the catalog is not changed. A drive that does not answer
within a second is taken as there, and not asked again for a minute.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from ..runtime.daemon_pool import Stalled, in_time
from ..types.records import Answer, Hit, Kind

SECONDS, PAUSE = 1.0, 60.0  # to wait for the drives, and before they are asked again


@dataclass
class FilePresence:
    """Looks whether files are there."""

    asked_again: float = 0.0  # monotonic time before which no drive is asked

    def only_there(self, answer: Answer) -> Answer:
        """Return the answer with paths that are there: other copies come last, hits without any are left out."""
        there = self._there(answer.hits)
        hits = [self._with_path(hit, there) for hit in answer.hits]
        shown = [hit for hit in hits if hit is not None]
        if len(shown) == len(hits):
            return replace(answer, hits=tuple(shown)) if tuple(shown) != answer.hits else answer
        gone = len(hits) - len(shown)
        note = f"{gone} {'hit is a file that is' if gone == 1 else 'hits are files that are'} not there now"
        ranked = tuple(replace(hit, rank=hit.rank - before) for hit, before in zip(shown, _gaps(hits), strict=True))
        return replace(answer, hits=ranked, notes=(*answer.notes, f"{note}; `retrieval index` brings this up to date"))

    def _with_path(self, hit: Hit, there: Collection[Path]) -> Hit | None:
        places = tuple(path for path in (hit.path, *hit.copies) if path is not None)
        live = tuple(path for path in places if path in there)
        if live == places:
            return hit
        if live:
            return replace(hit, path=live[0], copies=live[1:])
        return replace(hit, path=None, copies=()) if hit.kind is Kind.TEXT else None

    def _there(self, hits: Collection[Hit]) -> Collection[Path]:
        """Return those paths of the hits that lead to a file; all of them if a drive does not answer."""
        paths = {path for hit in hits for path in (hit.path, *hit.copies) if path is not None}
        if not paths or time.monotonic() < self.asked_again:
            return paths
        try:
            return in_time(lambda: {path for path in paths if os.path.exists(path)}, SECONDS)  # noqa: PTH110
        except Stalled:
            self.asked_again = time.monotonic() + PAUSE
            return paths


def _gaps(hits: Collection[Hit | None]) -> list[int]:
    """Return for each hit that stays how many before it were left out."""
    gaps: list[int] = []
    left_out = 0
    for hit in hits:
        if hit is None:
            left_out += 1
        else:
            gaps.append(left_out)
    return gaps
