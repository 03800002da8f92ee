"""An index in one file: what the local store keeps for each collection. Does not know the catalog."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol, Self

import numpy as np

from ..runtime.sampling import evenly

if TYPE_CHECKING:
    import numpy.typing as npt

    from ..types.records import Ids, Vectors


class VectorIndex(Protocol):
    """An index of vectors. Contract: `search` returns what `exact.Exact` does, or nearly so if approximate.

    Only who made it calls `add` and `remove`; an index that other threads may be searching is `changed` instead.
    """

    form: ClassVar[str]  # the file format, which is its suffix; a changed format gets a new name

    def __init__(self, dimensions: int) -> None: ...

    def __len__(self) -> int: ...

    @property
    def ids(self) -> Ids:
        """The stored ids, in no order."""
        ...

    def get(self, ids: Ids) -> Vectors:
        """Return the vectors of these ids, which exist, in their order and in the stored precision."""
        ...

    def add(self, ids: Ids, vectors: Vectors) -> None:
        """Add n unit rows `(n, dimensions)` under n ids; an existing id is replaced."""
        ...

    def remove(self, ids: Ids) -> None:
        """Remove these ids; unknown ids are ignored."""
        ...

    def changed(self, removed: Ids, ids: Ids, vectors: Vectors) -> Self:
        """Return an index without the `removed` ids and with n more vectors; this one stays as it is."""
        ...

    def search(self, queries: Vectors, k: int, allowed: Ids | None = None) -> tuple[npt.NDArray[np.float32], Ids]:
        """Return the k best of each query, best first: scores `(q, k)` and ids `(q, k)`, padded with -inf and -1.

        With `allowed`, only these ids are compared: as many come back as there are, up to k.
        """
        ...

    def save(self, path: Path) -> None:
        """Write the index to one file; the index stays as it is.

        Raises:
            OSError: the file cannot be written.
        """
        ...

    @classmethod
    def load(cls, path: Path, dimensions: int) -> Self:
        """Load what `save` wrote; the file may be read as long as the index is used.

        Raises:
            LibraryDamaged: the file is incomplete, or has another number of dimensions.
        """
        ...


def sample(index: VectorIndex, most: int, among: Ids | None) -> Vectors:
    """Return up to `most` vectors `(n, dimensions)`, every n-th by id: of all, or of those `among`."""
    ids = np.sort(index.ids) if among is None else among
    return index.get(ids[evenly(len(ids), most)])
