"""The local store: an index file for each collection, in the library's folder; a cache that the catalog can rebuild.

A reader keeps what the file lacks in its own memory, as a new snapshot of the index: searches that run meanwhile go on
with the one before. Files are written whole or not at all, by who holds the write lock.
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import numpy.typing as npt

from ..errors import LibraryDamaged
from ..runtime import private_files
from ..types.records import Ids, Kind, Space, Vectors
from . import ChangeLog, LibraryAddress, SyncPoint, Where
from .file_index import VectorIndex, sample

if TYPE_CHECKING:
    from ..config import Settings

log = logging.getLogger(__name__)
FOLDER = "vectors"  # in the library's
UNSAVED = 0.01  # share of changes up to which a file is not rewritten: readers apply them when they open it


@dataclass(frozen=True)
class _Snapshot:
    """An index that nobody changes any more, and the last change that it includes."""

    index: VectorIndex
    upto: int


@dataclass
class LocalCollection:
    """The vectors of one space and kind, in memory and on disk."""

    folder: Path
    name: str
    engine: type[VectorIndex]
    dimensions: int
    _snapshot: _Snapshot | None = None  # replaced, never changed
    _lock: threading.Lock = field(default_factory=threading.Lock)  # of who makes the next snapshot

    # --- reading -------------------------------------------------------------------------------------------

    def follow(self, changes: ChangeLog) -> None:
        """Load the file if that has not been done, and apply the changes that it lacks, in memory."""
        newest = changes.last_change()
        if self._snapshot is not None and self._snapshot.upto >= newest:
            return
        with self._lock:
            snapshot, file = self._snapshot, changes.file()
            if snapshot is None or (file is not None and file.upto > snapshot.upto):
                snapshot = self._load(file, changes)
            if newest > snapshot.upto:
                added, removed = changes.changes_after(snapshot.upto)
                log.info("%s: %d vectors added and %d removed in memory", self.name, len(added), len(removed))
                ids, vectors = changes.get(added.tolist())
                snapshot = _Snapshot(snapshot.index.changed(removed, ids, vectors), newest)
            self._snapshot = snapshot

    def search(self, queries: Vectors, k: int, where: Where | None = None) -> tuple[npt.NDArray[np.float32], Ids]:
        """Search the snapshot; filters are applied inside the search, by ids."""
        index = self._index
        return index.search(queries, min(k, len(index)), None if where is None else where.ids)

    def get(self, ids: Ids) -> Vectors:
        """Return vectors in the precision of the index."""
        return self._index.get(ids)

    def count(self) -> int:
        """Return the size of the snapshot."""
        return len(self._index)

    def sample(self, most: int, among: Ids | None = None) -> Vectors:
        """Return every n-th vector in the order of the ids."""
        return sample(self._index, most, among)

    @property
    def _index(self) -> VectorIndex:
        assert self._snapshot is not None  # `follow` comes before every read
        return self._snapshot.index

    # --- writing -------------------------------------------------------------------------------------------

    def synchronise(self, changes: ChangeLog) -> None:
        """Write the index if its file lacks many changes or is damaged.

        The file gets a temporary name, fsync, a rename, and then its entry in the catalog.

        Raises:
            OSError: the file cannot be written; the old file stays valid.
        """
        self.follow(changes)
        assert self._snapshot is not None  # made by `follow`
        index, upto, file = self._snapshot.index, self._snapshot.upto, changes.file()
        if file is not None and upto - file.upto <= UNSAVED * len(index) and self._intact(file):
            return
        private_files.make_folder(self.folder)
        final = self.folder / f"{self.name}-{upto}.{self.engine.form}"
        temporary = final.with_name(final.name + ".new")
        try:
            index.save(temporary)
            temporary.chmod(0o600)
            private_files.leave_to_owner(temporary)
            _to_disk(temporary)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        temporary.replace(final)
        _to_disk(self.folder)
        log.info("wrote %s: %d vectors", final, len(index))
        changes.put_file(SyncPoint(self.engine.form, final.name, upto, checksum(final), *_stamp(final)))

    def tidy(self, changes: ChangeLog) -> None:
        """Delete files that a newer one replaced."""
        file = changes.file()
        for old in self.folder.glob(f"{self.name}-*"):
            if file is None or old.name != file.file:
                old.unlink(missing_ok=True)

    def disagreement(self, changes: ChangeLog) -> str:
        """Return what is wrong with the file on disk, in words."""
        file = changes.file()
        if file is None:
            return "" if changes.count() == 0 else f"the vector file {self.name} is missing"
        if not self._intact(file, trust_stamp=False):
            return f"the vector file {file.file} is missing or damaged"
        with self._lock:
            self._snapshot = None
        self.follow(changes)
        found, expected = self.count(), changes.count()
        return "" if found == expected else f"the vector file {file.file} holds {found} vectors, the catalog {expected}"

    def rebuild(self, changes: ChangeLog) -> None:
        """Make the index from the catalog alone, and delete the file."""
        with self._lock:
            self._snapshot = self._from_catalog(changes)
            file = changes.file()
            if file is not None:
                (self.folder / file.file).unlink(missing_ok=True)

    # --- the file ------------------------------------------------------------------------------------------

    def _load(self, file: SyncPoint | None, changes: ChangeLog) -> _Snapshot:
        if file is not None and self._intact(file):
            try:
                return _Snapshot(self.engine.load(self.folder / file.file, self.dimensions), file.upto)
            except LibraryDamaged as exc:  # the file is only a cache
                log.warning("%s; reading the vectors from the catalog instead", exc)
        return self._from_catalog(changes)

    def _from_catalog(self, changes: ChangeLog) -> _Snapshot:
        index = self.engine(self.dimensions)
        for ids, vectors in changes.all():
            index.add(ids, vectors)
        return _Snapshot(index, changes.last_change())

    def _intact(self, file: SyncPoint, *, trust_stamp: bool = True) -> bool:
        """Return whether the file is as written, by size and time if they match, else by checksum."""
        path = self.folder / file.file
        if file.engine != self.engine.form or not path.is_file():
            return False
        same = trust_stamp and _stamp(path) == (file.size, file.mtime_ns)
        return same or checksum(path) == file.checksum


class LocalStore:
    """The index files of one library."""

    index: ClassVar[type[VectorIndex]]  # the kind of index that it keeps

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._collections: dict[tuple[int, Kind], LocalCollection] = {}
        self._lock = threading.Lock()

    @classmethod
    def open(cls, settings: Settings, library: LibraryAddress) -> Self:  # noqa: ARG003  # files need no settings
        """Open the store in the library's folder."""
        return cls(library.path / FOLDER)

    def collection(self, space_id: int, space: Space, kind: Kind) -> LocalCollection:
        """Return the collection of one space and kind."""
        key = (space_id, kind)
        with self._lock:
            if key not in self._collections:
                name = f"{space_id}-{kind}"
                self._collections[key] = LocalCollection(self.folder, name, self.index, space.dimensions)
            return self._collections[key]

    def drop(self, space_id: int) -> None:
        """Delete the files of a space, with everything that was kept beside them."""
        with self._lock:
            self._collections = {key: each for key, each in self._collections.items() if key[0] != space_id}
        for file in self.folder.glob(f"{space_id}-*"):
            file.unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of the indexes in memory."""
        with self._lock:
            self._collections.clear()


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def checksum(path: Path) -> str:
    """Return the BLAKE2b digest of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
