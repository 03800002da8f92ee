"""Transactions over the catalog of one library, and snapshots: many reads of one thread that see one state."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from ..errors import LibraryNotFound
from ..types.records import Space
from .catalog import CatalogSession, Database

T = TypeVar("T")
ACTIVE = "active space"  # the name of a value


class _ThreadSnapshot(threading.local):
    """The snapshot of a thread, set while the thread is inside one."""

    catalog: CatalogSession | None = None
    values: dict[str, Any]


@dataclass
class _Values:
    """What was computed from one state of the catalog."""

    state: object = None
    values: dict[str, Any] = field(default_factory=dict)


@dataclass
class Transactions:
    """The catalog of the library at `path`, read and written in transactions."""

    path: Path
    database: Database
    parent: Transactions | None  # those of the full library, if this one is limited to a folder
    _snapshot: _ThreadSnapshot = field(default_factory=_ThreadSnapshot, init=False, repr=False)
    _known: _Values = field(default_factory=_Values, init=False, repr=False)

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
            before = self.database.state()
            active = catalog.spaces.active()  # the first read: from here on the snapshot is of one state
            same = before is not None and before == self.database.state()
            self._snapshot.values = self._values(before) if same else {}
            self._snapshot.values[ACTIVE] = active
            self._snapshot.catalog = catalog
            try:
                yield
            finally:
                self._snapshot.catalog = None

    def _values(self, state: object) -> dict[str, Any]:
        known = self._known
        if known.state != state:
            known = self._known = _Values(state)
        return known.values

    def once(self, key: str, work: Callable[[], T]) -> T:
        """Return `work()`, computed only once within a snapshot and in later ones until the catalog changes."""
        if self._snapshot.catalog is None:
            return work()
        if key not in self._snapshot.values:
            self._snapshot.values[key] = work()
        found: T = self._snapshot.values[key]
        return found

    @contextmanager
    def transaction(self) -> Iterator[CatalogSession]:
        """Yield the catalog in one write transaction: committed at the end, rolled back on any error."""
        with self.database.transaction() as catalog:
            yield catalog

    def active_space(self) -> tuple[int, Space]:
        """Return the active space with its id.

        Raises:
            LibraryNotFound: nothing has been indexed yet.
        """
        with self.read() as catalog:
            found = self.once(ACTIVE, catalog.spaces.active)
        if found is None:
            raise LibraryNotFound(f"the library at {self.path} is empty; fill it with `retrieval index FOLDER`")
        return found
