"""Unit vectors by number -> the nearest ones. Does not know what a picture is.

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
    """Contract: what `search` gives equals `exact.Exact`'s answer, or for approximate indexes most of it."""

    form: ClassVar[str]  # what its files are called: another one where they are written otherwise

    def __init__(self, dimensions: int) -> None: ...

    def __len__(self) -> int: ...

    @property
    def ids(self) -> Ids:
        """The numbers that are there, in no order."""
        ...

    def get(self, ids: Ids) -> Vectors:
        """The vectors of these numbers, which are there, in their order and in the precision in which they are kept."""
        ...

    def add(self, ids: Ids, vectors: Vectors) -> None:
        """Add n vectors, (n, dimensions) unit rows, under n numbers; a number that is there is replaced."""
        ...

    def remove(self, ids: Ids) -> None:
        """Remove these numbers; those that are not there are passed over."""
        ...

    def search(self, queries: Vectors, k: int, allowed: Ids | None = None) -> tuple[npt.NDArray[np.float32], Ids]:
        """The k best of each query, best first: scores (q, k) and ids (q, k), filled with -inf and -1.

        With `allowed`, only these numbers are compared: as many come back as there are, up to k.
        """
        ...

    def save(self, path: Path) -> None:
        """Write the index to one file; the one that it was loaded from, too."""
        ...

    @classmethod
    def load(cls, path: Path, dimensions: int) -> Self:
        """What `save` wrote; it may be read from there as long as it is used.

        Raises:
            LibraryDamaged: the file is not whole, or of another number of dimensions.
        """
        ...
