"""The vector cache of a library: index files, loaded, brought up to date from the catalog and written atomically.

Each file records the last change that it includes. Does not know how vectors are searched.
"""

from __future__ import annotations

import hashlib
import os
import threading
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..errors import LibraryDamaged
from ..runtime.sampling import evenly
from ..types.records import Ids, Vectors
from ..vectors import VectorIndex
from .catalog.embeddings import Embeddings, VectorFile

UNSAVED = 0.01  # up to this share of the index, changes are read from the catalog instead of saved


@dataclass
class VectorCache:
    """The vector index of one space and kind, in memory and on disk."""

    folder: Path
    name: str
    engine: type[VectorIndex]
    dimensions: int
    upto: int = -1  # the last change that the index in memory includes; -1: no index is loaded
    _index: VectorIndex | None = None
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def index(self, stored: Embeddings) -> VectorIndex:
        """Return the index, in step with the transaction of `stored`.

        If the file is missing or damaged, the index is rebuilt in memory.
        """
        with self._lock:
            file = stored.file()
            if self._index is None or (file is not None and file.upto > self.upto):
                self._index, self.upto = self._load(file, stored)
            newest = stored.last_change()
            if newest > self.upto:
                added, removed = stored.changes_after(self.upto)
                if len(removed):
                    self._index.remove(removed)
                if len(added):
                    self._index.add(*stored.get(added.tolist()))
                self.upto = newest
            return self._index

    def search(self, stored: Embeddings, queries: Vectors, k: int, allowed: Ids | None) -> Ids:
        """Return the k nearest ids of each query, `(q, k')` with k' <= k.

        Searches run one at a time, because each may update the index.
        """
        with self._lock:
            index = self.index(stored)
            return index.search(queries, min(k, len(index)), allowed)[1]

    def sample(self, stored: Embeddings, most: int, among: Ids | None = None) -> Vectors:
        """Return up to `most` vectors, `(n, dimensions)`, evenly spaced over the index or over the ids `among`.

        The same index always gives the same vectors.
        """
        with self._lock:
            index = self.index(stored)
            ids = np.sort(index.ids) if among is None else among
            return index.get(ids[evenly(len(ids), most)])

    def save(self, stored: Embeddings) -> None:
        """Write the index if the file on disk lags behind: temporary file, fsync, rename, then the catalog entry.

        Raises:
            OSError: the file cannot be written; the old one stays valid.
        """
        with self._lock:
            index, file = self.index(stored), stored.file()
            if file is not None and self.upto - file.upto <= UNSAVED * len(index) and self._whole(file):
                return
            self.folder.mkdir(exist_ok=True)
            final = self.folder / f"{self.name}-{self.upto}.{self._engine_name}"
            temporary = final.with_name(final.name + ".new")
            try:
                index.save(temporary)
                _to_disk(temporary)
            except RuntimeError as exc:  # how FAISS reports a full disk
                temporary.unlink(missing_ok=True)
                raise OSError(_last_errno(self.folder), f"cannot write {final}: {exc}") from exc
            except OSError:
                temporary.unlink(missing_ok=True)
                raise
            temporary.replace(final)
            _to_disk(self.folder)
            stored.put_file(VectorFile(self._engine_name, final.name, self.upto, checksum(final), *_stamp(final)))

    def tidy(self, stored: Embeddings) -> None:
        """Delete files that a newer one has replaced; call it after the newer one is committed."""
        file = stored.file()
        for old in self.folder.glob(f"{self.name}-*"):
            if file is None or old.name != file.file:
                old.unlink(missing_ok=True)

    def disagreement(self, stored: Embeddings) -> str:
        """Return what is wrong with the file on disk, in words; an empty string if nothing is."""
        file = stored.file()
        if file is None:
            return "" if stored.count() == 0 else f"the vector file {self.name} is missing"
        if not self._whole(file, looked_at=False):
            return f"the vector file {file.file} is missing or damaged"
        with self._lock:
            self._index, self.upto = None, -1
            found, expected = len(self.index(stored)), stored.count()
        return "" if found == expected else f"the vector file {file.file} holds {found} vectors, the catalog {expected}"

    def rebuild(self, stored: Embeddings) -> None:
        """Rebuild the index in memory from the catalog alone and delete the file, so that `save` writes a new one."""
        with self._lock:
            self._index, self.upto = self._from_catalog(stored), stored.last_change()
            file = stored.file()
            if file is not None:
                (self.folder / file.file).unlink(missing_ok=True)

    def _load(self, file: VectorFile | None, stored: Embeddings) -> tuple[VectorIndex, int]:
        if file is not None and self._whole(file):
            try:
                return self.engine.load(self.folder / file.file, self.dimensions), file.upto
            except LibraryDamaged:
                pass  # the catalog has every vector: the file is only a cache
        return self._from_catalog(stored), stored.last_change()

    def _from_catalog(self, stored: Embeddings) -> VectorIndex:
        index = self.engine(self.dimensions)
        for ids, vectors in stored.all():
            index.add(ids, vectors)
        return index

    def _whole(self, file: VectorFile, *, looked_at: bool = True) -> bool:
        """Whether the file is as it was written, by size and time (if `looked_at`) or else by checksum."""
        path = self.folder / file.file
        if file.engine != self._engine_name or not path.is_file():
            return False
        same = looked_at and _stamp(path) == (file.size, file.mtime_ns)
        return same or checksum(path) == file.checksum

    @property
    def _engine_name(self) -> str:
        return self.engine.form


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def checksum(path: Path) -> str:
    """Return the BLAKE2b digest (16 bytes) of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _last_errno(folder: Path) -> int:
    import errno
    import shutil

    return errno.ENOSPC if shutil.disk_usage(folder).free < 1 << 20 else errno.EIO
