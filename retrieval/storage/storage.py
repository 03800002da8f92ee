"""The storage of one library: its catalog (the source of truth) and its vectors (a cache), opened together.

Opens both, and holds the write lock. Does not know queries, models or pictures.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..errors import LibraryReadOnly
from ..types.records import Kind, Status
from ..vectors import LibraryAddress, VectorStore
from . import manifest
from .catalog import CatalogSession, Database
from .lock import WriteLocks
from .transactions import Transactions
from .vector_search import VectorSearch

OpenStore = Callable[[LibraryAddress], VectorStore]  # how the vectors of a library are opened


@dataclass
class Storage(Transactions):
    """An opened library. Reading takes no lock; only one task at a time, of whatever process, holds `write_lock()`."""

    store: VectorStore
    writable: bool

    def __post_init__(self) -> None:
        self.locks = WriteLocks(self.path)
        self.vectors = VectorSearch(self, self.store, self.locks.turn)

    @classmethod
    def open(cls, path: Path, open_store: OpenStore, *, read_only: bool = False) -> Storage:
        """Open the library at `path`.

        Raises:
            LibraryNotFound: there is no library at `path`.
            LibraryVersionError: the library was written by another version of the package.
            LibraryDamaged: the manifest or the catalog is damaged.
            LibraryError: the library cannot be opened.
        """
        manifest.require(path)
        writable = not read_only and os.access(path, os.W_OK)
        database = Database.open(path / manifest.CATALOG, read_only=read_only)
        return cls(path, database, None, open_store(LibraryAddress(path, writable)), writable)

    @classmethod
    def create(cls, path: Path, open_store: OpenStore) -> Storage:
        """Create an empty library at `path`, or open the library that is already there.

        Raises:
            LibraryError: the folder holds other files, is a file, or cannot be written to.
            StorageFull: the disk is full.
        """
        if (path / manifest.MANIFEST).exists():
            return cls.open(path, open_store)
        manifest.prepare(path)
        database = Database.create(path / manifest.CATALOG)
        manifest.write(path)
        return cls(path, database, None, open_store(LibraryAddress(path)), writable=True)

    def within(self, folder: Path) -> Storage:
        """Return a read-only view of this library, limited to one folder as if it held nothing else."""
        return Storage(self.path, self.database.within(folder), self, self.store, writable=False)

    def close(self) -> None:
        """Close the catalog, and let go of the vectors."""
        self.database.close()
        if self.parent is None:
            self.store.close()

    @contextmanager
    def write_lock(self, task: str) -> Iterator[None]:
        """Hold the lock of a task that goes over the library; `task` tells other processes what is going on.

        Raises:
            LibraryLocked: another task holds the lock; the message names it.
            LibraryReadOnly: the folder cannot be written to.
            StorageFull: the disk is full.
        """
        self._require_writable()
        with self.locks.task(task):
            yield

    @contextmanager
    def small_write(self) -> Iterator[CatalogSession]:
        """Yield the catalog in one write transaction, in turn with the small writes of others; it waits for no task.

        Raises:
            LibraryLocked: no turn has come for half a minute.
            LibraryReadOnly: the folder cannot be written to.
            StorageFull: the disk is full.
        """
        self._require_writable()
        with self.locks.turn(), self.transaction() as catalog:
            yield catalog

    def _require_writable(self) -> None:
        if not self.writable:
            raise LibraryReadOnly(f"the library at {self.path} cannot be written; check the folder's permissions")

    def drop_space(self, space_id: int) -> int:
        """Delete a space with its embeddings and vectors; return how many embeddings it had.

        Call it while holding `write_lock()`.
        """
        with self.transaction() as catalog:
            count = catalog.spaces.drop(space_id)
        self.store.drop(space_id)
        return count

    def status(self) -> Status:
        """Return what the library holds: counts, spaces, roots, size in bytes and the current writer."""
        with self.read() as catalog:
            counts, active, spaces = catalog.counts(), catalog.spaces.active(), catalog.spaces.all()
            roots, passed_over = catalog.roots.all(), catalog.roots.passed_over()
            absent = catalog.items.count_absent()
        return Status(
            path=self.path,
            items=counts["items"],
            pictures=counts[Kind.PICTURE],
            texts=counts[Kind.TEXT],
            captions=counts["captions"],
            problems=counts["problems"],
            spaces=tuple(space for _, space in spaces),
            serving=active[1] if active else None,
            bytes=0 if self.parent else manifest.size(self.path),
            writer="" if self.parent else self.locks.holder(),
            roots=tuple(roots),
            absent=absent,
            passed_over=passed_over,
        )
