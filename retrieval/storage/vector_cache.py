"""A library's vector files: loaded, topped up from the catalog's changes, written whole or not at all.

Knows how cache and truth are kept in step (generation = the last change a file knows); not how vectors are searched.
"""

from __future__ import annotations

import hashlib
import os
import threading
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..errors import LibraryDamaged
from ..types.records import Ids, Vectors
from ..vectors import VectorIndex
from .catalog.embeddings import Embeddings, VectorFile, evenly

UNSAVED = 0.01  # changes, as a share of the index, that are read from the catalog at each opening instead


@dataclass
class VectorCache:
    """The index of one space and kind, in memory and on disk."""

    folder: Path
    name: str
    engine: type[VectorIndex]
    dimensions: int
    upto: int = -1  # the last change the index in memory knows; -1: nothing is loaded
    _index: VectorIndex | None = None
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def index(self, stored: Embeddings) -> VectorIndex:
        """The index, agreeing with the transaction of `stored`; a missing or broken file is rebuilt in memory."""
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
        """The k nearest of each query, (q, k') with k' <= k; one search at a time, as the index may grow between."""
        with self._lock:
            index = self.index(stored)
            return index.search(queries, min(k, len(index)), allowed)[1]

    def sample(self, stored: Embeddings, most: int, among: Ids | None = None) -> Vectors:
        """Up to `most` vectors from all over the index, or of these numbers; always the same ones of the same index."""
        with self._lock:
            index = self.index(stored)
            ids = np.sort(index.ids) if among is None else among
            return index.get(ids[evenly(len(ids), most)])

    def save(self, stored: Embeddings) -> None:
        """Write the index if the file on disk lacks much of it: temporary name, fsync, rename, then the catalog.

        Raises:
            OSError: it cannot be written; the old file stays valid.
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
            except RuntimeError as exc:  # FAISS tells of a full disk so
                temporary.unlink(missing_ok=True)
                raise OSError(_last_errno(self.folder), f"cannot write {final}: {exc}") from exc
            except OSError:
                temporary.unlink(missing_ok=True)
                raise
            temporary.replace(final)
            _to_disk(self.folder)
            stored.put_file(VectorFile(self._engine_name, final.name, self.upto, checksum(final), *_stamp(final)))

    def tidy(self, stored: Embeddings) -> None:
        """Delete the files that a newer one has replaced; call it once that one is committed."""
        file = stored.file()
        for old in self.folder.glob(f"{self.name}-*"):
            if file is None or old.name != file.file:
                old.unlink(missing_ok=True)

    def disagreement(self, stored: Embeddings) -> str:
        """What is wrong with the file on disk, in words; empty when all is well."""
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
        """Make the index in memory from the catalog alone, so that `save` writes it anew."""
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
        """Whether the file is what was written: by its size and time where they are the same, else by its sum."""
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
    """BLAKE2b of a file."""
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
