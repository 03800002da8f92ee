"""Unit vectors by id, and the nearest ones to a query, behind one contract for files on this disk and for servers.

A `VectorStore` has a collection for each space and kind of content. A new engine is one file with these methods and one
line in `library.backends`. Does not know what a picture is, nor the tables of the catalog.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from ..config import Settings
    from ..queries.filters import Filter
    from ..types.records import Ids, Kind, Space, Vectors


@dataclass(frozen=True)
class LibraryAddress:
    """Which library a store belongs to."""

    path: Path  # the library's folder
    writable: bool = True


@dataclass(frozen=True)
class Where:
    """Which contents may be answers, in both forms: an engine takes the one that it can use."""

    ids: Ids  # their ids
    filter: Filter | None = None  # the query's filter tree; None: only the ids are known


@dataclass(frozen=True)
class SyncPoint:
    """Up to where a store was brought in step with the catalog; kept in the catalog."""

    engine: str  # the format or engine that holds the vectors
    file: str  # the file, or the collection's name on a server
    upto: int  # the last change that it includes
    checksum: str
    size: int = -1  # bytes as written; while size and time match, the checksum is not computed
    mtime_ns: int = -1


class ChangeLog(Protocol):
    """What a store needs of the catalog, in one transaction: the embeddings of a space and kind, and their changes."""

    def count(self) -> int:
        """Return the number of embeddings."""
        ...

    def last_change(self) -> int:
        """Return the number of the latest change; numbers only grow."""
        ...

    def changes_after(self, seq: int) -> tuple[Ids, Ids]:
        """Return the ids to upsert and the ids to delete since a change, by the last change of each."""
        ...

    def get(self, ids: Sequence[int]) -> tuple[Ids, Vectors]:
        """Return the ids `(n,)` and vectors `(n, dimensions)` of those ids that have one, in no order."""
        ...

    def all(self) -> Iterator[tuple[Ids, Vectors]]:
        """Yield all embeddings in chunks of ids `(n,)` and vectors `(n, dimensions)`."""
        ...

    def file(self) -> SyncPoint | None:
        """Return up to where the store was brought in step; None if it never was."""
        ...

    def put_file(self, file: SyncPoint) -> None:
        """Record up to where the store is in step; the changes that it includes may be deleted from the log."""
        ...


class VectorCollection(Protocol):
    """The vectors of one space and kind. Contract: `search` equals plain comparison, or nearly, in ids and scores.

    Any number of threads read at the same time, without a lock. Reading never changes what other processes see.
    """

    def follow(self, changes: ChangeLog) -> None:
        """Make reads of this process agree with the log; a server, which its writers keep in step, does nothing."""
        ...

    def search(self, queries: Vectors, k: int, where: Where | None = None) -> tuple[npt.NDArray[np.float32], Ids]:
        """Return the k best of each query, best first: scores `(q, k)` and ids `(q, k)`, padded with -inf and -1.

        Raises:
            UsageError: the engine cannot express a filter; the message names it.
        """
        ...

    def get(self, ids: Ids) -> Vectors:
        """Return the vectors of these ids, which exist, in their order, `(n, dimensions)`."""
        ...

    def count(self) -> int:
        """Return the number of vectors."""
        ...

    def sample(self, most: int, among: Ids | None = None) -> Vectors:
        """Return up to `most` vectors, spread evenly over the ids (or those `among` them); always the same ones."""
        ...

    # --- only for who holds the write lock -----------------------------------------------------------------

    def synchronise(self, changes: ChangeLog) -> None:
        """Bring what all processes share in step with the log, and record that in it.

        Raises:
            OSError: it cannot be written; what was there stays valid.
        """
        ...

    def tidy(self, changes: ChangeLog) -> None:
        """Delete what an earlier `synchronise` replaced; called after its transaction is committed."""
        ...

    def disagreement(self, changes: ChangeLog) -> str:
        """Return in words how the shared vectors differ from the log; an empty string if they agree."""
        ...

    def rebuild(self, changes: ChangeLog) -> None:
        """Discard the shared vectors, so that `synchronise` writes all of them anew."""
        ...


class VectorStore(Protocol):
    """The collections of one library."""

    @classmethod
    def open(cls, settings: Settings, library: LibraryAddress) -> Self:
        """Open the store of a library; nothing is read or connected yet.

        Raises:
            UsageError: the settings do not say where it is.
        """
        ...

    def collection(self, space_id: int, space: Space, kind: Kind) -> VectorCollection:
        """Return the collection of one space and kind, the same object each time."""
        ...

    def drop(self, space_id: int) -> None:
        """Delete the collections of a space; only for who holds the write lock."""
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...
