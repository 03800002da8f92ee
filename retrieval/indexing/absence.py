"""Files that are not there: their embeddings and every word about them are kept until a person forgets them.

A drive that is not mounted, a folder that was renamed and a file that was deleted look the same from here. Knows the
disk and the catalog; does not decide what is forgotten.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from ..runtime.daemon_pool import Stalled, in_time
from ..storage.storage import Storage

NOW = "9999"  # later than every time in the catalog


def gone_roots(storage: Storage, scanned: Sequence[Path], seconds: float) -> list[Path]:
    """Return the indexed folders outside the `scanned` ones that are gone or empty, or do not answer in time."""
    with storage.read() as catalog:
        roots = [root for root in catalog.roots.all() if not any(root.is_relative_to(each) for each in scanned)]
    roots = [root for root in roots if not any(each.is_relative_to(root) for each in scanned)]  # those are there
    return [root for root in roots if not _answers(root, seconds)]


def _answers(root: Path, seconds: float) -> bool:
    try:
        return in_time(partial(_has_anything, root), seconds)
    except Stalled:
        return False


def _has_anything(root: Path) -> bool:
    try:
        return next(root.iterdir(), None) is not None
    except OSError:
        return False


def forget(
    storage: Storage, within: Sequence[Path] | None, days: float, unseen: Sequence[Path] = ()
) -> tuple[int, int]:
    """Forget the files that have been absent for so many days; return how many, and how many others are kept.

    Files with a caption by hand, a rating, or a role as a taught example are kept: only `remove` forgets them. So are
    files below `unseen` places, which could not be looked at.
    """
    before = NOW if not days else (datetime.now(UTC) - timedelta(days=days)).isoformat(timespec="seconds")
    with storage.transaction() as catalog:
        paths, kept = catalog.items.forgettable(before, within)
        paths = [path for path in paths if not any(path.is_relative_to(place) for place in unseen)]
        forgotten = catalog.items.remove(paths)
        catalog.problems.clear(paths)
        catalog.contents.settle()
    return forgotten, kept
