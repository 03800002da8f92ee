"""Vector indexes: nearest neighbours among unit vectors with ids. Does not know what a picture is.

A vector index is one file with the methods of `VectorIndex`, and one line in `app.py`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol, Self

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from ..types.records import Ids, Vectors


class VectorIndex(Protocol):
    """Contract: `search` returns what `exact.Exact` returns, or for approximate indexes most of it."""

    form: ClassVar[str]  # suffix of its files; a new file layout needs a new one

    def __init__(self, dimensions: int) -> None: ...

    def __len__(self) -> int: ...

    @property
    def ids(self) -> Ids:
        """The stored ids, in no order."""
        ...

    def get(self, ids: Ids) -> Vectors:
        """Return the vectors of these stored ids, `(n, dimensions)`, in their order and the index's precision."""
        ...

    def add(self, ids: Ids, vectors: Vectors) -> None:
        """Add unit rows `(n, dimensions)` under n ids; an id that exists is replaced."""
        ...

    def remove(self, ids: Ids) -> None:
        """Remove these ids; unknown ids are ignored."""
        ...

    def search(self, queries: Vectors, k: int, allowed: Ids | None = None) -> tuple[npt.NDArray[np.float32], Ids]:
        """Return the k best of each query, best first: scores `(q, k)` and ids `(q, k)`, padded with -inf and -1.

        With `allowed`, only these ids are compared, and up to k of them are returned.
        """
        ...

    def save(self, path: Path) -> None:
        """Write the index to one file, which may be the one that it was loaded from."""
        ...

    @classmethod
    def load(cls, path: Path, dimensions: int) -> Self:
        """Load what `save` wrote; the file may be read as long as the index is used.

        Raises:
            LibraryDamaged: the file is incomplete, or has another number of dimensions.
        """
        ...
