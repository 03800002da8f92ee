"""The storage of one library: a folder with a manifest, the catalog (source of truth) and vector files (a cache).

Opens the library, runs transactions, holds the write lock and keeps the vector files in step with the catalog.
Does not know queries, models or sources of pictures.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from ..errors import (
    LibraryDamaged,
    LibraryError,
    LibraryLocked,
    LibraryNotFound,
    LibraryReadOnly,
    LibraryVersionError,
    StorageFull,
)
from ..types.records import Ids, Kind, Space, Status, Vectors
from ..vectors import VectorIndex
from .catalog import CatalogSession, Database
from .vector_cache import VectorCache

T = TypeVar("T")

FORMAT = 1
MANIFEST, CATALOG, VECTORS, LOCK, HOLDER = "library.json", "catalog.sqlite", "vectors", "writer.lock", "writer.json"
EXACT_UP_TO = 2000  # up to this many contents that pass a filter are compared exactly, with the stored vectors
SAMPLE_SIZE = 2000  # vectors drawn to represent the whole library
RESCORE_MARGIN = 32  # extra candidates, so that exact scoring can change the order


class _Snapshot(threading.local):
    """The snapshot of a thread, set while the thread is inside one."""

    catalog: CatalogSession | None = None
    known: dict[str, Any]


@dataclass
class Storage:
    """An opened library. Reading takes no lock; only one process at a time can hold `write_lock()`."""

    path: Path
    database: Database
    engine: type[VectorIndex]
    writable: bool
    whole: Storage | None = None  # the full library, if this one is limited to a folder

    def __post_init__(self) -> None:
        self._moment = _Snapshot()
        self._caches: dict[tuple[int, Kind], VectorCache] = {}
        self._samples: dict[tuple[int, Kind], tuple[int, Vectors]] = {}

    @classmethod
    def open(cls, path: Path, engine: type[VectorIndex], *, read_only: bool = False) -> Storage:
        """Open the library at `path`.

        Raises:
            LibraryNotFound: there is no library at `path`.
            LibraryVersionError: the library was written by another version of the package.
            LibraryDamaged: the manifest or the catalog is damaged.
            LibraryError: the library cannot be opened.
        """
        try:
            manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
            form = int(manifest["format"])
        except (FileNotFoundError, NotADirectoryError) as exc:
            raise LibraryNotFound(
                f"there is no library at {path}; make one with `retrieval index FOLDER --index {path}`"
            ) from exc
        except OSError as exc:
            raise LibraryError(f"cannot open the library at {path}: {exc.strerror}") from exc
        except (ValueError, KeyError, TypeError) as exc:
            raise LibraryDamaged(f"{path / MANIFEST} is damaged; `retrieval check --repair` writes it anew") from exc
        if form != FORMAT:
            raise LibraryVersionError(
                f"the library at {path} has format {form}, this program reads {FORMAT}; "
                "use the version of `retrieval` that made it, or index again in another place"
            )
        if not (path / CATALOG).is_file():
            raise LibraryDamaged(f"{path / CATALOG} is missing; delete {path} and index again")
        writable = not read_only and os.access(path, os.W_OK)
        return cls(path, Database.open(path / CATALOG, read_only=read_only), engine, writable)

    @classmethod
    def create(cls, path: Path, engine: type[VectorIndex]) -> Storage:
        """Create an empty library at `path`, or open the library that is already there.

        Raises:
            LibraryError: the folder holds other files, is a file, or cannot be written to.
            StorageFull: the disk is full.
        """
        if (path / MANIFEST).exists():
            return cls.open(path, engine)
        try:
            path.mkdir(parents=True, exist_ok=True)
            if any(entry.name not in {CATALOG, VECTORS, LOCK, HOLDER} for entry in path.iterdir() if _foreign(entry)):
                raise LibraryError(f"{path} holds other files; give an empty or new folder with --index")
            (path / VECTORS).mkdir(exist_ok=True)
        except (FileExistsError, NotADirectoryError) as exc:
            raise LibraryError(f"{path} is a file; give a folder with --index") from exc
        except PermissionError as exc:
            raise LibraryReadOnly(f"cannot write to {path}; give another place with --index") from exc
        except OSError as exc:
            raise disk_error(exc, path) from exc
        database = Database.create(path / CATALOG)
        write_manifest(path)
        return cls(path, database, engine, writable=True)

    def within(self, folder: Path) -> Storage:
        """Return a read-only view of this library, limited to one folder as if it held nothing else."""
        return Storage(self.path, self.database.within(folder), self.engine, writable=False, whole=self)

    def close(self) -> None:
        """Close the catalog and drop the loaded vector indexes."""
        self.database.close()
        self._caches.clear()

    # --- transactions and the lock -------------------------------------------------------------------------

    @contextmanager
    def read(self) -> Iterator[CatalogSession]:
        """Yield the catalog in its current state, or in the state of the enclosing `snapshot()`."""
        if self._moment.catalog is not None:
            yield self._moment.catalog
            return
        with self.database.read() as catalog:
            yield catalog

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Make all reads of this thread in the block see one state of the catalog, over one connection."""
        if self._moment.catalog is not None:
            yield
            return
        with self.database.read() as catalog:
            self._moment.catalog, self._moment.known = catalog, {}
            try:
                yield
            finally:
                self._moment.catalog = None

    def _once(self, key: str, work: Callable[[], T]) -> T:
        """Return `work()`, computed only once within a snapshot."""
        if self._moment.catalog is None:
            return work()
        if key not in self._moment.known:
            self._moment.known[key] = work()
        found: T = self._moment.known[key]
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
        from filelock import FileLock, Timeout  # imported here: reading needs no lock

        lock = FileLock(self.path / LOCK)
        try:
            lock.acquire(timeout=0)
        except Timeout as exc:
            raise LibraryLocked(
                f"{self.holder() or 'another process'} is writing to {self.path}; wait until it is done"
            ) from exc
        except OSError as exc:
            raise disk_error(exc, self.path) from exc
        try:
            self._sign(task)
            yield
        finally:
            (self.path / HOLDER).unlink(missing_ok=True)
            lock.release()

    def _sign(self, task: str) -> None:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        note = {"task": task, "pid": os.getpid(), "host": socket.gethostname(), "since": now}
        try:
            (self.path / HOLDER).write_text(json.dumps(note), encoding="utf-8")
        except OSError as exc:
            raise disk_error(exc, self.path) from exc

    def holder(self) -> str:
        """Return who holds the write lock, in words; an empty string if no one does."""
        try:
            note = json.loads((self.path / HOLDER).read_text(encoding="utf-8"))
            return f"`{note['task']}` (process {note['pid']} on {note['host']}, since {note['since']})"
        except (OSError, ValueError, KeyError):
            return ""

    # --- vectors -------------------------------------------------------------------------------------------

    def active_space(self) -> tuple[int, Space]:
        """Return the active space with its id.

        Raises:
            LibraryNotFound: nothing has been indexed yet.
        """
        with self.read() as catalog:
            found = self._once("serving", catalog.spaces.active)
        if found is None:
            raise LibraryNotFound(f"the library at {self.path} is empty; fill it with `retrieval index FOLDER`")
        return found

    def nearest(
        self, kind: Kind, queries: Vectors, k: int, allowed: Ids | None = None
    ) -> tuple[npt.NDArray[np.float32], Ids]:
        """Return the k nearest contents of each query: scores and ids, both `(q, k')` with k' <= k.

        Scores are computed exactly, from the stored vectors. Short rows are padded with -inf and -1. With `allowed`,
        only these contents are compared.
        """
        space_id, space = self.active_space()
        with self.read() as catalog:
            stored = catalog.embeddings(space_id, space, kind)
            if self.whole is not None and allowed is None:
                allowed = stored.contents()
            if allowed is not None and len(allowed) <= EXACT_UP_TO:
                ids, vectors = stored.get(allowed.tolist())
                scores = np.stack([cosines(vectors, query) for query in queries])
                return _best(scores, np.broadcast_to(ids, (len(queries), len(ids))), k)
            candidates = self._candidates(kind, queries, k + RESCORE_MARGIN, allowed)
            ids, vectors = stored.get(np.unique(candidates[candidates >= 0]).tolist())
        row_of = {int(number): row for row, number in enumerate(ids)}
        scores = np.full(candidates.shape, -np.inf, np.float32)
        for q, row in enumerate(candidates):
            there = [(slot, row_of[i]) for slot, i in enumerate(row.tolist()) if i in row_of]
            if there:
                slots, rows = zip(*there, strict=True)
                scores[q, list(slots)] = cosines(vectors[list(rows)], queries[q])
        return _best(scores, np.where(np.isinf(scores), -1, candidates), k)

    def _candidates(self, kind: Kind, queries: Vectors, k: int, allowed: Ids | None) -> Ids:
        """Return the k nearest contents of each query by the vector index of the full library, `(q, k')`, k' <= k."""
        if self.whole is not None:
            return self.whole._candidates(kind, queries, k, allowed)
        space_id, space = self.active_space()
        with self.read() as catalog:
            stored = catalog.embeddings(space_id, space, kind)
            return self.cache(space_id, space, kind).search(stored, queries, k, allowed)

    def count(self, kind: Kind) -> int:
        """Return the number of contents of a kind that have an embedding in the active space."""
        space_id, space = self.active_space()
        with self.read() as catalog:
            stored = catalog.embeddings(space_id, space, kind)
            counted = stored.count if self.whole else lambda: len(self.cache(space_id, space, kind).index(stored))
            return self._once(f"count {kind}", counted)

    def sample(self, kind: Kind) -> Vectors:
        """Return up to `SAMPLE` stored vectors from all over the library, `(n, dimensions)`, in no order."""
        space_id, space = self.active_space()
        with self.read() as catalog:
            stored = catalog.embeddings(space_id, space, kind)
            newest = stored.last_change()
            known = self._samples.get((space_id, kind))
            if known is None or known[0] != newest:
                among = stored.contents() if self.whole else None
                cache = (self.whole or self).cache(space_id, space, kind)
                known = self._samples[space_id, kind] = (newest, cache.sample(stored, SAMPLE_SIZE, among))
        return known[1]

    def vectors_of(self, kind: Kind, contents: Sequence[int]) -> tuple[Ids, Vectors]:
        """Return the ids `(n,)` and stored vectors `(n, dimensions)` of those contents that have one, in no order."""
        space_id, space = self.active_space()
        with self.read() as catalog:
            return catalog.embeddings(space_id, space, kind).get(contents)

    def rows_of(self, kind: Kind, contents: Sequence[int]) -> Vectors:
        """Return the stored vectors of contents in their order, `(n, dimensions)`; zeros for a content without one."""
        ids, vectors = self.vectors_of(kind, contents)
        found = np.zeros((len(contents), vectors.shape[1]), np.float32)
        row_of = {int(number): row for row, number in enumerate(ids)}
        there = [(place, row_of[content]) for place, content in enumerate(contents) if content in row_of]
        if there:
            places, rows = zip(*there, strict=True)
            found[list(places)] = vectors[list(rows)]
        return found

    def save_vectors(self) -> None:
        """Write the vector files that lag behind the catalog; call it while holding `write_lock()`.

        Raises:
            StorageFull: the disk is full.
            LibraryError: a file cannot be written.
        """
        with self.read() as catalog:
            spaces = catalog.spaces.all()
        for space_id, space in spaces:
            for kind in Kind:
                cache = self.cache(space_id, space, kind)
                try:
                    with self.transaction() as catalog:
                        cache.save(catalog.embeddings(space_id, space, kind))
                except OSError as exc:
                    raise disk_error(exc, self.path) from exc
                with self.read() as catalog:
                    cache.tidy(catalog.embeddings(space_id, space, kind))

    def drop_space(self, space_id: int) -> int:
        """Delete a space with its embeddings and vector files; return how many embeddings it had.

        Call it while holding `write_lock()`.
        """
        with self.transaction() as catalog:
            count = catalog.spaces.drop(space_id)
        self._caches = {key: cache for key, cache in self._caches.items() if key[0] != space_id}
        for file in (self.path / VECTORS).glob(f"{space_id}-*"):
            file.unlink(missing_ok=True)
        return count

    def cache(self, space_id: int, space: Space, kind: Kind) -> VectorCache:
        """Return the vector cache of one space and kind."""
        key = (space_id, kind)
        if key not in self._caches:
            self._caches[key] = VectorCache(self.path / VECTORS, f"{space_id}-{kind}", self.engine, space.dimensions)
        return self._caches[key]

    def status(self) -> Status:
        """Return what the library holds: counts, spaces, roots, size in bytes and the current writer."""
        with self.read() as catalog:
            counts, serving, spaces = catalog.counts(), catalog.spaces.active(), catalog.spaces.all()
            roots = catalog.roots.all()
        return Status(
            path=self.path,
            items=counts["items"],
            pictures=counts[Kind.PICTURE],
            texts=counts[Kind.TEXT],
            captions=counts["captions"],
            problems=counts["problems"],
            spaces=tuple(space for _, space in spaces),
            serving=serving[1] if serving else None,
            bytes=0 if self.whole else sum(map(_size, self.path.rglob("*"))),
            writer="" if self.whole else self.holder(),
            roots=tuple(roots),
        )


def write_manifest(path: Path) -> None:
    """Write the manifest atomically.

    Raises:
        LibraryError: it cannot be written.
        StorageFull: the disk is full.
    """
    note = {"format": FORMAT, "what": "a library of `retrieval`", "truth": CATALOG, "cache": VECTORS}
    temporary = path / (MANIFEST + ".new")
    try:
        temporary.write_text(json.dumps(note, indent=1) + "\n", encoding="utf-8")
        temporary.replace(path / MANIFEST)
    except OSError as exc:
        raise disk_error(exc, path) from exc


def _size(file: Path) -> int:
    try:
        return file.stat().st_size if file.is_file() else 0
    except OSError:  # deleted since it was listed
        return 0


def _foreign(entry: Path) -> bool:
    return not entry.name.startswith((".", CATALOG, MANIFEST))


def disk_error(exc: OSError, path: Path) -> LibraryError | StorageFull:
    """Return the error of this package that says what went wrong while writing below `path`."""
    if exc.errno in (errno.ENOSPC, errno.EDQUOT):
        free = shutil.disk_usage(path).free >> 10 if path.exists() else 0
        return StorageFull(f"no room on the disk that holds {path} ({free} KiB left); free some and run it again")
    if exc.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
        return LibraryReadOnly(f"cannot write to {path}: {exc.strerror}")
    return LibraryError(f"{path}: {exc.strerror or exc}")


def cosines(vectors: Vectors, query: Vectors) -> npt.NDArray[np.float32]:
    """Return the cosines of n unit rows with one query, `(n,)`; each depends only on its own row."""
    found: npt.NDArray[np.float32] = (vectors.astype(np.float64) * query).sum(axis=1).astype(np.float32)
    return found


def _best(scores: npt.NDArray[np.float32], ids: Ids, k: int) -> tuple[npt.NDArray[np.float32], Ids]:
    order = np.lexsort((ids, -scores), axis=1)[:, :k]
    return np.take_along_axis(scores, order, 1), np.take_along_axis(ids, order, 1)
