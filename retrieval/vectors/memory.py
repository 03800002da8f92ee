"""A store in memory that behaves like a server's: what it holds is shared, and only writers keep it in step.

For tests of whatever stands on the seam, next to the real engines: it has no file, is found by an address, and never
follows the catalog by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt

from ..types.records import Ids, Kind, Space, Vectors
from . import ChangeLog, LibraryAddress, SyncPoint, Where
from .exact import Exact
from .file_index import sample

if TYPE_CHECKING:
    from ..config import Settings

SERVERS: dict[str, dict[tuple[int, Kind], Exact]] = {}  # what every "server" holds, by its address


class MemoryCollection:
    """The vectors of one space and kind on the server."""

    def __init__(self, server: dict[tuple[int, Kind], Exact], key: tuple[int, Kind], dimensions: int) -> None:
        self._server, self._key, self._dimensions = server, key, dimensions
        server.setdefault(key, Exact(dimensions))

    def follow(self, changes: ChangeLog) -> None:
        """Do nothing: writers keep the server in step."""

    def search(self, queries: Vectors, k: int, where: Where | None = None) -> tuple[npt.NDArray[np.float32], Ids]:
        """Compare with every vector that passes."""
        index = self._index
        return index.search(queries, min(k, len(index)), None if where is None else where.ids)

    def get(self, ids: Ids) -> Vectors:
        """Return the vectors in single precision."""
        return self._index.get(ids)

    def count(self) -> int:
        """Return the number of vectors on the server."""
        return len(self._index)

    def sample(self, most: int, among: Ids | None = None) -> Vectors:
        """Return every n-th vector in the order of the ids."""
        return sample(self._index, most, among)

    def synchronise(self, changes: ChangeLog) -> None:
        """Send the changes since the last time."""
        point, newest = changes.file(), changes.last_change()
        if point is not None and point.upto >= newest and point.engine == "memory":
            return
        added, removed = changes.changes_after(point.upto if point is not None and point.engine == "memory" else -1)
        self._change(lambda index: index.changed(removed, *changes.get(added.tolist())))
        changes.put_file(SyncPoint("memory", str(self._key), newest, ""))

    def tidy(self, changes: ChangeLog) -> None:
        """Do nothing: changes replace what was there."""

    def disagreement(self, changes: ChangeLog) -> str:
        """Compare the counts."""
        found, expected = self.count(), changes.count()
        return "" if found == expected else f"the server holds {found} vectors, the catalog {expected}"

    def rebuild(self, changes: ChangeLog) -> None:
        """Send everything again."""
        self._server[self._key] = Exact(self._dimensions)
        for ids, vectors in changes.all():
            self._change(lambda index, ids=ids, vectors=vectors: index.changed(np.empty(0, np.int64), ids, vectors))  # type: ignore[misc]  # bound now

    @property
    def _index(self) -> Exact:
        return self._server[self._key]

    def _change(self, change: Callable[[Exact], Exact]) -> None:
        self._server[self._key] = change(self._index)


class MemoryStore:
    """The collections of one library on a "server" in this process."""

    def __init__(self, address: str) -> None:
        self._server = SERVERS.setdefault(address, {})

    @classmethod
    def open(cls, settings: Settings, library: LibraryAddress) -> Self:  # noqa: ARG003  # there is nothing to set
        """Connect to the server of this library's path."""
        return cls(str(library.path))

    def collection(self, space_id: int, space: Space, kind: Kind) -> MemoryCollection:
        """Return the collection of one space and kind."""
        return MemoryCollection(self._server, (space_id, kind), space.dimensions)

    def drop(self, space_id: int) -> None:
        """Delete the collections of a space."""
        for key in [key for key in self._server if key[0] == space_id]:
            del self._server[key]

    def close(self) -> None:
        """Do nothing: the server stays."""
