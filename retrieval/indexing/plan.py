"""Plans an indexing run: compares the files on disk with those in the library.

Does not open pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from ..sources import absolute_path, folders
from ..storage.catalog.items import IndexedFile
from ..types.records import Problem, Reason, ScannedFile
from ..types.results import Plan

TOLD = 100  # files between two reports of progress
Failed = dict[Path, tuple[Problem, int, int]]  # problem, size (bytes) and time (ns) of the file when it failed


def make_plan(
    roots: Sequence[Path],
    rules: folders.Rules,
    indexed: dict[str, IndexedFile],
    failed: Failed,
    *,
    retry: bool = False,
    seen: Callable[[int], object],
) -> Plan:
    """Scan `roots` and return the plan; `seen` is called with the number of files found so far.

    Raises:
        SourceError: a root does not exist.
    """
    entries: dict[str, folders.DirectoryEntry] = {}
    problems: list[Problem] = []
    for entry in folders.scan_entries(roots, rules):
        if isinstance(entry, Problem):
            problems.append(entry)
        else:
            entries.setdefault(entry.path, entry)
            if len(entries) % TOLD == 0:
                seen(len(entries))
    seen(len(entries))
    groups: dict[str, list[ScannedFile]] = {name: [] for name in ("added", "changed", "retried", "unembedded")}
    counts = {"same": 0, "bad": 0}
    failures = {str(path): entry[1:] for path, entry in failed.items()}
    for path, entry in entries.items():
        group = _sort(entry, indexed.get(path), failures.get(path), retry)
        if group in counts:
            counts[group] += 1
        else:
            groups[group].append(entry.found())
    gone, empty = _gone(roots, entries, indexed, problems)
    return Plan(
        added=tuple(groups["added"]),
        changed=tuple(groups["changed"]),
        retried=tuple(groups["retried"]),
        unembedded=tuple(groups["unembedded"]),
        unchanged=counts["same"],
        failed_before=counts["bad"],
        gone=tuple(gone),
        problems=(*problems, *empty),
    )


def _sort(
    entry: folders.DirectoryEntry, indexed: IndexedFile | None, failed: tuple[int, int] | None, retry: bool
) -> str:
    if failed is not None:
        same = failed == (entry.size, entry.mtime_ns)
        return "bad" if same and not retry else "retried"
    if indexed is None:
        return "added"
    if indexed[1:4] != entry[1:]:  # size and modification times
        return "changed"
    return "same" if indexed.embedded else "unembedded"


def _gone(
    roots: Sequence[Path],
    entries: dict[str, folders.DirectoryEntry],
    indexed: dict[str, IndexedFile],
    problems: Iterable[Problem],
) -> tuple[list[Path], list[Problem]]:
    """Return the known files below `roots` that no longer exist, and a problem for each root left without pictures.

    Files below a place that could not be listed do not count as gone, nor do those below a root that suddenly has no
    picture at all: most often its drive is not mounted.
    """
    hidden = {problem.path for problem in problems}
    gone: list[Path] = []
    empty: list[Problem] = []
    places = {absolute_path(folder) for folder in roots}
    lost = [Path(path) for path in indexed.keys() - entries.keys()]
    for root in {place for place in places if not place.is_file()}:
        missing = [path for path in lost if path.is_relative_to(root) and not hidden & {path, *path.parents}]
        inside = f"{str(root).rstrip('/')}/"
        if missing and not any(path.startswith(inside) for path in entries):
            message = f"no picture is left where {len(missing)} were; if that is meant, use `retrieval remove {root}`"
            empty.append(Problem(root, Reason.VANISHED, message))
        else:
            gone += missing
    return sorted(set(gone)), empty
