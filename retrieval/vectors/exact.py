"""Exact search in NumPy: every vector is compared.

For small collections and tests, and as the reference for other indexes.
"""

from __future__ import annotations

import copy
import zipfile
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from ..errors import LibraryDamaged
from ..types.records import Ids, Vectors
from .local import LocalStore


class Exact:
    """An index with all vectors in one matrix."""

    form: ClassVar[str] = "exact"

    def __init__(self, dimensions: int) -> None:
        self.ids: Ids = np.empty(0, np.int64)
        self.vectors: Vectors = np.empty((0, dimensions), np.float32)

    def __len__(self) -> int:
        return len(self.ids)

    def get(self, ids: Ids) -> Vectors:
        """Return the vectors of these stored ids, `(n, dimensions)`, in their order."""
        order = np.argsort(self.ids)
        return self.vectors[order[np.searchsorted(self.ids[order], ids)]]

    def add(self, ids: Ids, vectors: Vectors) -> None:
        """Append vectors, replacing ids that exist; if an id is given twice, the last one counts."""
        last = len(ids) - 1 - np.unique(ids[::-1], return_index=True)[1]
        self.remove(ids)
        self.ids = np.concatenate([self.ids, ids[last]])
        self.vectors = np.concatenate([self.vectors, vectors[last]])

    def remove(self, ids: Ids) -> None:
        """Remove these ids; unknown ids are ignored."""
        keep = ~np.isin(self.ids, ids)
        self.ids, self.vectors = self.ids[keep], self.vectors[keep]

    def changed(self, removed: Ids, ids: Ids, vectors: Vectors) -> Self:
        """Return a changed copy; the arrays of this one are replaced there, never written to."""
        index = copy.copy(self)
        index.remove(removed)
        index.add(ids, vectors)
        return index

    def search(self, queries: Vectors, k: int, allowed: Ids | None = None) -> tuple[npt.NDArray[np.float32], Ids]:
        """Compare every allowed vector; equal scores are ordered by id."""
        rows = np.arange(len(self.ids)) if allowed is None else np.flatnonzero(np.isin(self.ids, allowed))
        ids = self.ids[rows]
        scores = np.full((len(queries), k), -np.inf, np.float32)
        found = np.full((len(queries), k), -1, np.int64)
        for index, row in enumerate(queries @ self.vectors[rows].T):
            best = np.lexsort((ids, -row))[:k]
            scores[index, : len(best)], found[index, : len(best)] = row[best], ids[best]
        return scores, found

    def save(self, path: Path) -> None:
        """Write one uncompressed NumPy archive."""
        with path.open("wb") as stream:
            np.savez(stream, ids=self.ids, vectors=self.vectors)

    @classmethod
    def load(cls, path: Path, dimensions: int) -> Self:
        """Load an archive that `save` wrote.

        Raises:
            LibraryDamaged: the file is incomplete, or has another number of dimensions.
        """
        index = cls(dimensions)
        try:
            with path.open("rb") as stream, np.load(stream) as archive:
                index.ids, index.vectors = archive["ids"], archive["vectors"]
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as exc:
            raise LibraryDamaged(f"the vector file {path} is not whole: {exc}") from exc
        if index.vectors.shape != (len(index.ids), dimensions):
            raise LibraryDamaged(f"the vector file {path} holds {index.vectors.shape}, not rows of {dimensions}")
        return index


class ExactStore(LocalStore):
    """The local store with plain comparison."""

    index = Exact
