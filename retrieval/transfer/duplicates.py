"""Groups of identical or nearly identical pictures, and what to do with them: linked or moved, never deleted.

Does not know queries or terminals.
"""

from __future__ import annotations

import contextlib
import csv
import errno
import filecmp
import glob
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import LibraryLocked, LibraryReadOnly, NotIndexed, UsageError
from ..indexing import fingerprint_backfill
from ..search.near_duplicates import ALIKE, Similarity, group_near_duplicates
from ..sources.companions import beside as companions
from ..storage.catalog.items import IndexedFile
from ..storage.storage import Storage
from ..types.records import Item, Progress, no_progress
from .copy_link import FileAction, free

LOG = "moved.csv"  # in the target folder: where each moved file came from
COPY = re.compile(
    r"\b(copy|kopie|copie|copia|kopia)\b|\(\d+\)$|~\d+$", re.IGNORECASE
)  # names that programs give copies


@dataclass(frozen=True)
class GroupMember:
    """A picture file of a group."""

    path: Path
    width: int  # pixels
    height: int
    bytes: int
    how: Similarity | None = None  # how it resembles the kept one; None: it is the kept one


@dataclass(frozen=True)
class DuplicateGroup:
    """The best of some near-duplicates, and the others; each of them resembles the best."""

    keep: GroupMember
    others: tuple[GroupMember, ...]

    @property
    def spare(self) -> int:
        """The bytes that the others take up."""
        return sum(member.bytes for member in self.others)


@dataclass
class DuplicateFinder:
    """Finds groups of duplicates in one library, and links or moves them."""

    storage: Storage
    progress: Callable[[Progress], None] = no_progress

    def groups(
        self, kinds: Iterable[Similarity], places: Sequence[Path] | None = None, least: float = ALIKE
    ) -> list[DuplicateGroup]:
        """Return the groups among the pictures in `places` (None: all), those that take up most space first.

        Files that are gone, have changed since they were indexed, or are links are left out. The kept picture has the
        most pixels, then the most bytes, then a name that is not a copy's, then the older file. `least` is the lowest
        cosine of pictures that are alike.

        Raises:
            NotIndexed: the library has nothing in `places`.
        """
        wanted = frozenset(kinds)
        if Similarity.SAME in wanted:
            self._complete()
        with self.storage.read() as catalog:
            items = list(_files(catalog.items.within(places)))
            known = catalog.items.indexed(0)
        if places and not items:
            raise NotIndexed(f"the library has nothing at {', '.join(map(str, places))}")
        holding: dict[int, list[GroupMember]] = {}
        for item in items:
            size = _as_known(item.path, known[str(item.path)])
            if size is not None:
                member = GroupMember(item.path, item.facts.width, item.facts.height, size)
                holding.setdefault(item.content, []).append(member)
        for members in holding.values():
            members.sort(key=_worth)
        order = sorted(holding, key=lambda content: _worth(holding[content][0]))
        groups = (
            _group(holding, content, under, copies=Similarity.COPY in wanted)
            for content, under in group_near_duplicates(self.storage, order, wanted - {Similarity.COPY}, least).items()
        )
        return sorted((group for group in groups if group.others), key=lambda group: (-group.spare, group.keep.path))

    def _complete(self) -> None:
        """Compute missing fingerprints, if the library can be written."""
        with self.storage.read() as catalog:
            lacking = catalog.fingerprints.lacking()
        if lacking:
            with contextlib.suppress(LibraryLocked, LibraryReadOnly), self.storage.write_lock("retrieval duplicates"):
                fingerprint_backfill.complete(self.storage, self.progress)

    def link(self, groups: Sequence[DuplicateGroup], *, apply: bool) -> Iterator[FileAction]:
        """Replace the exact copies in each group with hard links to the kept file, after comparing their bytes.

        Yields what was done to each file; without `apply`, what would be done.
        """
        for group in groups:
            for member in group.others:
                if member.how is Similarity.COPY:
                    yield _linked(member.path, group.keep.path, apply=apply)

    def move(self, groups: Sequence[DuplicateGroup], to: Path, *, apply: bool) -> Iterator[FileAction]:
        """Move the other files of each group below `to`, with their sidecars, and remove them from the library.

        Yields what was done to each file; without `apply`, what would be done.

        Raises:
            UsageError: `to` lies in an indexed folder, so that the files would be indexed again.
        """
        with self.storage.read() as catalog:
            roots = catalog.roots.all()
        inside = next((root for root in roots if to.is_relative_to(root)), None)
        if inside is not None:
            raise UsageError(f"{to} lies in {inside}, which is indexed; give a folder outside of it")
        pairs = [(member.path, group.keep) for group in groups for member in group.others]
        common = Path(os.path.commonpath([path.parent for path, _ in pairs])) if pairs else Path()
        if not apply:
            yield from (_moved(path, keep, to, common, apply=False) for path, keep in pairs)
            return
        moved: list[Path] = []
        with self.storage.write_lock("retrieval duplicates"):
            try:
                for path, keep in pairs:
                    deed = _moved(path, keep, to, common, apply=True)
                    moved += [path] if deed.done else []
                    yield deed
            finally:
                self._forget(moved)

    def _forget(self, paths: Sequence[Path]) -> None:
        if paths:
            with self.storage.transaction() as catalog:
                catalog.items.remove(paths)
                catalog.contents.settle()
            self.storage.vectors.save()


def _files(items: Iterable[Item]) -> Iterator[Item]:
    """Yield each file once: of a video its first frame, whose content belongs to that video alone."""
    seen: set[Path] = set()
    for item in items:
        if item.path not in seen:
            seen.add(item.path)
            yield item


def _worth(member: GroupMember) -> tuple[int, int, bool, float, int, Path]:
    """Return what is sorted by, the best first."""
    try:
        changed = member.path.stat().st_mtime
    except OSError:
        changed = float("inf")
    named = bool(COPY.search(member.path.stem))
    return -member.width * member.height, -member.bytes, named, changed, len(member.path.parts), member.path


def _apart(member: GroupMember, keep: GroupMember) -> bool:
    """Whether two copies take up space twice: they are not links to one file."""
    try:
        return not member.path.samefile(keep.path)
    except OSError:
        return True


def _group(
    holding: dict[int, list[GroupMember]], content: int, under: Sequence[tuple[int, Similarity]], *, copies: bool
) -> DuplicateGroup:
    keep, *same = holding[content]
    others = [
        GroupMember(m.path, m.width, m.height, m.bytes, Similarity.COPY) for m in same if copies and _apart(m, keep)
    ]
    for other, how in under:
        first, *rest = holding[other]
        others += [GroupMember(m.path, m.width, m.height, m.bytes, how) for m in (first, *(rest if copies else ()))]
    return DuplicateGroup(keep, tuple(others))


def _linked(path: Path, keep: Path, *, apply: bool) -> FileAction:
    try:
        if path.samefile(keep):
            return FileAction(path, keep, reason="it is a link to it already")
        if not filecmp.cmp(path, keep, shallow=False):
            return FileAction(path, keep, reason="its bytes have changed since; run `retrieval index`")
        if not apply:
            return FileAction(path, keep)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.link")
        temporary.hardlink_to(keep.resolve())
        temporary.replace(path)
    except OSError as exc:
        why = "they lie on different drives" if exc.errno == errno.EXDEV else exc.strerror or str(exc)
        return FileAction(path, keep, reason=why)
    return FileAction(path, keep, done=True)


def _moved(path: Path, keep: GroupMember, folder: Path, common: Path, *, apply: bool) -> FileAction:
    to = free(folder / path.relative_to(common))
    if not keep.path.is_file() or keep.path.stat().st_size != keep.bytes:
        return FileAction(path, to, reason=f"{keep.path}, the file to keep, has changed or is gone")
    if not apply:
        return FileAction(path, to)
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        _move(path, to, folder / LOG)
        own = companions(path)
        for beside in own:
            if not _shared(beside, path, own):
                _move(beside, free(to.with_name(beside.name)), folder / LOG)
    except OSError as exc:
        return FileAction(path, to, done=not path.exists(), reason=exc.strerror or str(exc))
    return FileAction(path, to, done=True)


def _move(path: Path, to: Path, log: Path) -> None:
    """Move a file and log it; if it cannot be deleted here, it is not left in both places."""
    try:
        shutil.move(path, to)
    except OSError:
        if path.exists():
            to.unlink(missing_ok=True)
        raise
    new = not log.exists()
    with log.open("a", newline="", encoding="utf-8", errors="surrogateescape") as stream:
        rows = csv.writer(stream)
        if new:
            rows.writerow(("from", "to"))
        rows.writerow((path, to))


def _shared(beside: Path, path: Path, own: Sequence[Path]) -> bool:
    """Whether a companion of a picture, such as `a.xmp`, also belongs to another picture `a.*`."""
    if beside.name.startswith(path.name):
        return False
    same = path.parent.glob(f"{glob.escape(path.stem)}.*")
    return any(other not in (path, *own) for other in same)


def _as_known(path: Path, indexed: IndexedFile) -> int | None:
    """Return the size in bytes of a file that is unchanged since it was indexed; None if not, or for a link."""
    try:
        status = path.lstat()
    except OSError:
        return None
    same = (status.st_size, status.st_mtime_ns) == (indexed.size, indexed.mtime_ns)
    return status.st_size if same and not path.is_symlink() else None
