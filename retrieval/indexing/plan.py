"""Plans an indexing run: compares the files on disk with those in the library.

Does not open pictures.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..sources import absolute_path, folders
from ..storage.catalog.items import IndexedFile
from ..types.records import RAW_SUFFIXES, REMARKS, Problem, Reason, ScannedFile
from ..types.results import Plan
from ..types.serialize import show_path

TOLD = 100  # files between two reports of progress
GROUPS = ("added", "changed", "retried", "unembedded", "reread", "returned", "standby")
Failed = Mapping[Path, tuple[Problem, int, int, int]]  # with size (bytes) and times (ns) of the file when it failed


@dataclass(frozen=True)
class KnownFiles:
    """What the library knows of the files below the places of a run."""

    indexed: Mapping[str, IndexedFile] = field(default_factory=dict)
    failed: Failed = field(default_factory=dict)
    live_photo_films: Mapping[str, tuple[int, int, int]] = field(default_factory=dict)  # size and times of each
    roots: Sequence[Path] = ()  # folders that were indexed


@dataclass
class Planner:
    """Compares what a scan finds with what is known."""

    known: KnownFiles
    retry: bool = False  # try files again that failed and have not changed
    reread: bool = False  # read the metadata of all files anew
    _failures: dict[str, list[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._failures = {
            str(path): stamp for path, (problem, *stamp) in self.known.failed.items() if problem.reason not in REMARKS
        }

    def plan(self, scan: folders.Scan, seen: Callable[[int], object]) -> Plan:
        """Scan the disk and return the plan; `seen` is called with the number of files found so far.

        Raises:
            SourceError: a root does not exist.
            UsageError: a pattern of the rules is none.
        """
        entries: dict[str, folders.DirectoryEntry] = {}
        problems: list[Problem] = []
        for entry in scan.entries():
            if isinstance(entry, Problem):
                problems.append(entry)
            else:
                entries.setdefault(entry.path, entry)
                if len(entries) % TOLD == 0:
                    seen(len(entries))
        seen(len(entries))
        groups: dict[str, list[ScannedFile]] = {name: [] for name in GROUPS}
        counts = {"same": 0, "bad": 0, "part": 0}
        todo: set[str] = set()
        later: list[folders.DirectoryEntry] = []
        for path, entry in entries.items():
            if entry.part_of:
                later.append(entry)
                continue
            group = self._sort(entry)
            if group in counts:
                counts[group] += 1
            else:
                todo.add(path)
                groups[group].append(entry.found())
        for entry in later:  # when it is known what becomes of the pictures that they may be part of
            group = self._sort_part(entry, todo)
            if group in counts:
                counts[group] += 1
            else:
                groups[group].append(entry.found())
            if group == "part":
                del entries[entry.path]
        missing, empty = self._missing(scan.roots, entries)
        return Plan(
            **{name: tuple(files) for name, files in groups.items()},
            unchanged=counts["same"],
            failed_before=counts["bad"],
            gone=tuple(missing),
            gone_roots=(),
            problems=(*problems, *empty),
            solved=tuple(self._solved(scan.roots, entries)),
            passed_over={root: dict(counts.most_common()) for root, counts in scan.passed_over.items()},
            notes=(
                *(f"--{option} {pattern!r} fits nothing" for option, pattern in sorted(scan.unused)),
                *_not_followed(scan.led_out),
            ),
        )

    def _sort(self, entry: folders.DirectoryEntry) -> str:
        indexed, stamp = self.known.indexed.get(entry.path), (entry.size, entry.mtime_ns)
        if indexed is not None and indexed.embedded and (indexed.size, indexed.mtime_ns) == stamp:
            same_sidecars = indexed.sidecar_digest == entry.sidecar_digest
            if indexed.absent:  # a drive that is there again may show other change times
                return "returned" if same_sidecars and indexed.ctime_ns and not self.reread else "reread"
            if self.reread or not indexed.ctime_ns:
                return "reread"
            return "same" if same_sidecars and indexed.ctime_ns == entry.ctime_ns else "changed"
        failed = self._failures.get(entry.path)
        if failed is not None:
            return "bad" if failed == [*stamp, entry.ctime_ns] and not self.retry else "retried"
        if indexed is None:
            return "added"
        return "unembedded" if (indexed.size, indexed.mtime_ns) == stamp else "changed"

    def _sort_part(self, entry: folders.DirectoryEntry, todo: set[str]) -> str:
        """Sort a RAW file or film that may be part of a picture beside it."""
        if os.path.splitext(entry.path)[1].lower() not in RAW_SUFFIXES:  # noqa: PTH122  # strings, for speed
            return "part" if self.known.live_photo_films.get(entry.path) == entry[1:4] else self._sort(entry)
        picture = os.path.join(os.path.dirname(entry.path), entry.part_of)  # noqa: PTH118, PTH120
        if picture in todo:
            return "standby"
        return self._sort(entry) if picture in self._failures else "part"

    def _solved(self, roots: Sequence[Path], entries: Mapping[str, folders.DirectoryEntry]) -> Iterator[Path]:
        """Yield the places below `roots` that have a recorded problem and were not found, nor are a sidecar of a file.

        Problems that persist, such as with a folder, are recorded anew.
        """
        places = [absolute_path(root) for root in roots]
        below = [path for path in self.known.failed if any(path.is_relative_to(place) for place in places)]
        if not below:
            return
        sidecars = {path.with_name(name) for path, name in _sidecars(entries)}
        yield from (path for path in below if str(path) not in entries and path not in sidecars)

    def _missing(
        self, roots: Sequence[Path], entries: Mapping[str, folders.DirectoryEntry]
    ) -> tuple[list[Path], list[Problem]]:
        """Return the known files below `roots` that were not found, and a problem for each root without any picture."""
        missing: set[Path] = set()
        empty: list[Problem] = []
        lost = [path for path, file in self.known.indexed.items() if not file.absent and path not in entries]
        for root in {absolute_path(root) for root in roots}:
            inside = f"{str(root).rstrip('/')}/"
            gone = [Path(path) for path in lost if path.startswith(inside) or path == str(root)]
            missing.update(gone)
            if gone and root.is_dir() and not any(path.startswith(inside) for path in entries):
                message = (
                    f"no picture is left where {len(gone)} were: they are kept, and come back with their drive; "
                    f"if they are gone for good, use `retrieval remove {root}`"
                )
                empty.append(Problem(root, Reason.VANISHED, message))
        return sorted(missing), empty


def _not_followed(links: Sequence[str]) -> Iterator[str]:
    """Yield a remark on links that lead out of the folders of the library, and how to index what is there."""
    if links:
        first = show_path(Path(links[0]))
        more = f" and {len(links) - 1} more" if len(links) > 1 else ""
        yield (
            f"links that lead out of the folder were not followed: {first}{more}; to index what is there, name it: "
            f"retrieval index {shlex.quote(first)}"
        )


def _sidecars(entries: Mapping[str, folders.DirectoryEntry]) -> Iterator[tuple[Path, str]]:
    return ((Path(path), name) for path, entry in entries.items() for name in entry.sidecars)
