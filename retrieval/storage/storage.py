"""The storage of one library: its catalog (the source of truth) and its vectors (a cache), opened together.

Opens, reads and writes in transactions, and holds the write lock. Does not know queries, models or pictures.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from ..errors import LibraryNotFound, LibraryReadOnly
from ..types.records import Kind, Space, Status
from ..vectors import LibraryAddress, VectorStore
from . import manifest
from .catalog import CatalogSession, Database
from .lock import WriteLock
from .vector_search import VectorSearch

T = TypeVar("T")
OpenStore = Callable[[LibraryAddress], VectorStore]  # how the vectors of a library are opened


class _ThreadSnapshot(threading.local):
    """The snapshot of a thread, set while the thread is inside one."""

    catalog: CatalogSession | None = None
    known: dict[str, Any]


@dataclass
class Storage:
    """An opened library. Reading takes no lock; only one process at a time can hold `write_lock()`."""

    path: Path
    database: Database
    store: VectorStore
    writable: bool
    parent: Storage | None = None  # the full library, if this one is limited to a folder
    _snapshot: _ThreadSnapshot = field(default_factory=_ThreadSnapshot)

    def __post_init__(self) -> None:
        self.vectors = VectorSearch(self, self.store)

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
        return cls(path, database, open_store(LibraryAddress(path, writable)), writable)

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
        return cls(path, database, open_store(LibraryAddress(path)), writable=True)

    def within(self, folder: Path) -> Storage:
        """Return a read-only view of this library, limited to one folder as if it held nothing else."""
        return Storage(self.path, self.database.within(folder), self.store, writable=False, parent=self)

    def close(self) -> None:
        """Close the catalog, and let go of the vectors."""
        self.database.close()
        if self.parent is None:
            self.store.close()

    # --- transactions and the lock -------------------------------------------------------------------------

    @contextmanager
    def read(self) -> Iterator[CatalogSession]:
        """Yield the catalog in its current state, or in the state of the enclosing `snapshot()`."""
        if self._snapshot.catalog is not None:
            yield self._snapshot.catalog
            return
        with self.database.read() as catalog:
            yield catalog

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Make all reads of this thread in the block see one state of the catalog, over one connection."""
        if self._snapshot.catalog is not None:
            yield
            return
        with self.database.read() as catalog:
            self._snapshot.catalog, self._snapshot.known = catalog, {}
            try:
                yield
            finally:
                self._snapshot.catalog = None

    def once(self, key: str, work: Callable[[], T]) -> T:
        """Return `work()`, computed only once within a snapshot."""
        if self._snapshot.catalog is None:
            return work()
        if key not in self._snapshot.known:
            self._snapshot.known[key] = work()
        found: T = self._snapshot.known[key]
        return found

    @contextmanager
    def transaction(self) -> Iterator[CatalogSession]:
        """Yield the catalog in one write transaction: committed at the end, rolled back on any error."""
        with self.database.transaction() as catalog:
            yield catalog

    @contextmanager
    def write_lock(self, task: str) -> Iterator[None]:
        """Hold the write lock of the library; `task` tells other processes what is going on.

        Raises:
            LibraryLocked: another process holds the lock; the message names it.
            LibraryReadOnly: the folder cannot be written to.
            StorageFull: the disk is full.
        """
        if not self.writable:
            raise LibraryReadOnly(f"the library at {self.path} cannot be written; check the folder's permissions")
        with WriteLock(self.path).hold(task):
            yield

    def active_space(self) -> tuple[int, Space]:
        """Return the active space with its id.

        Raises:
            LibraryNotFound: nothing has been indexed yet.
        """
        with self.read() as catalog:
            found = self.once("active space", catalog.spaces.active)
        if found is None:
            raise LibraryNotFound(f"the library at {self.path} is empty; fill it with `retrieval index FOLDER`")
        return found

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
            roots = catalog.roots.all()
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
            writer="" if self.parent else WriteLock(self.path).holder(),
            roots=tuple(roots),
        )
