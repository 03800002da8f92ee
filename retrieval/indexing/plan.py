"""What a run has to do: the files that are there, held against the files the library knows.

Knows files and the catalog's memory of them; does not open a picture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from ..records import Found, Problem, Reason
from ..results import Plan
from ..sources import folders, placed
from ..store.catalog import Known

Failed = dict[Path, tuple[Problem, int, int]]  # problem, size and time of the file when it failed


def make(
    roots: Sequence[Path],
    rules: folders.Rules,
    known: dict[Path, Known],
    failed: Failed,
    *,
    retry: bool = False,
    seen: Callable[[int], object],
) -> Plan:
    """Scan `roots` and sort what is found; `seen` is told how many files there are so far.

    Raises:
        SourceError: a root does not exist.
    """
    found: dict[Path, Found] = {}
    problems: list[Problem] = []
    for entry in folders.scan(roots, rules):
        if isinstance(entry, Problem):
            problems.append(entry)
        else:
            found.setdefault(entry.path, entry)
            seen(len(found))
    groups: dict[str, list[Found]] = {name: [] for name in ("added", "changed", "retried", "unembedded", "same", "bad")}
    for path, entry in found.items():
        groups[_sort(entry, known.get(path), failed.get(path), retry)].append(entry)
    gone, empty = _gone(roots, found, known, problems)
    return Plan(
        added=tuple(groups["added"]),
        changed=tuple(groups["changed"]),
        retried=tuple(groups["retried"]),
        unembedded=tuple(groups["unembedded"]),
        unchanged=len(groups["same"]),
        failed_before=len(groups["bad"]),
        gone=tuple(gone),
        problems=(*problems, *empty),
    )


def _sort(entry: Found, known: Known | None, failed: tuple[Problem, int, int] | None, retry: bool) -> str:
    if failed is not None:
        same = failed[1:] == (entry.size, entry.mtime_ns)
        return "bad" if same and not retry else "retried"
    if known is None:
        return "added"
    if not known.fits(entry):
        return "changed"
    return "same" if known.embedded else "unembedded"


def _gone(
    roots: Sequence[Path], found: dict[Path, Found], known: dict[Path, Known], problems: Iterable[Problem]
) -> tuple[list[Path], list[Problem]]:
    """Known files below `roots` that are no longer there.

    What lies below a place that could not be listed is not gone, and neither is everything below a root that is
    suddenly without any picture: most often a drive that is not mounted.
    """
    hidden = {problem.path for problem in problems}
    gone: list[Path] = []
    empty: list[Problem] = []
    places = {placed(folder) for folder in roots}
    for root in {place for place in places if not place.is_file()}:
        below = [path for path in known if path.is_relative_to(root)]
        missing = [path for path in below if path not in found and not hidden & {path, *path.parents}]
        if missing and not any(path.is_relative_to(root) for path in found):
            message = f"no picture is left where {len(missing)} were; if that is meant, use `retrieval remove {root}`"
            empty.append(Problem(root, Reason.VANISHED, message))
        else:
            gone += missing
    return sorted(set(gone)), empty
