"""Search over the vectors of one library: a store proposes candidates, the stored vectors score them exactly.

Knows the active space, and how a store is kept in step with the catalog; does not know how vectors are compared.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..types.records import Ids, Kind, Vectors
from ..vectors import VectorCollection, VectorStore, Where
from .manifest import disk_error

if TYPE_CHECKING:
    from .catalog import CatalogSession
    from .transactions import Transactions

EXACT_UP_TO = 2000  # up to this many contents that pass a filter are compared exactly, with the stored vectors
SAMPLE_SIZE = 2000  # vectors drawn to represent the whole library
RESCORE_MARGIN = 32  # extra candidates, so that exact scoring can change the order

Scores = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Neighbours:
    """The contents nearest to one query, best first, with what was read of them."""

    ids: Ids  # (n,)
    scores: Scores  # (n,)
    rows: Vectors  # (n, dimensions): their stored vectors

    def first(self, count: int) -> Neighbours:
        """Return the best `count`."""
        return Neighbours(self.ids[:count], self.scores[:count], self.rows[:count])


@dataclass
class VectorSearch:
    """The vectors of a library's active space, as its storage sees them: all, or those of one folder."""

    storage: Transactions
    store: VectorStore
    turn: Callable[[], AbstractContextManager[None]]  # held while files are written
    _samples: dict[tuple[int, Kind], tuple[int, Vectors]] = field(default_factory=dict)

    def nearest(self, kind: Kind, queries: Vectors, k: int, where: Where | None = None) -> tuple[Scores, Ids]:
        """Return the k nearest contents of each query: scores and ids, both `(q, k')` with k' <= k.

        Scores are computed exactly, from the stored vectors. Short rows are padded with -inf and -1. With `where`,
        only the contents that pass are compared.
        """
        scores, ids, _, _ = self._search(kind, queries, k, where)
        return scores, ids

    def neighbours(self, kind: Kind, query: Vectors, k: int, where: Where | None = None) -> Neighbours:
        """Return up to k contents nearest to one query, (1, dimensions), with the stored vectors that scored them."""
        scores, ids, known, vectors = self._search(kind, query, k, where)
        found = ids[0] >= 0
        order = np.argsort(known)
        rows = order[np.searchsorted(known[order], ids[0][found])]
        return Neighbours(ids[0][found], scores[0][found], vectors[rows])

    def _search(self, kind: Kind, queries: Vectors, k: int, where: Where | None) -> tuple[Scores, Ids, Ids, Vectors]:
        """Return scores and ids, both `(q, k')`, and the ids `(n,)` and vectors `(n, dimensions)` that were read."""
        space_id, space = self.storage.active_space()
        with self.storage.read() as catalog:
            stored = catalog.embeddings(space_id, space, kind)
            if self.storage.parent is not None and where is None:
                where = Where(stored.contents())
            if where is not None and len(where.ids) <= EXACT_UP_TO:
                ids, vectors = stored.get(where.ids.tolist())
                return *exact(queries, ids, vectors, k), ids, vectors
            _, candidates = self._collection(catalog, kind).search(queries, k + RESCORE_MARGIN, where)
            ids, vectors = stored.get(np.unique(candidates[candidates >= 0]).tolist())
        return *rescored(queries, candidates, ids, vectors, k), ids, vectors

    def count(self, kind: Kind) -> int:
        """Return the number of contents of a kind that have an embedding in the active space."""
        with self.storage.read() as catalog:
            if self.storage.parent is None:
                return self.storage.once(f"count {kind}", lambda: self._collection(catalog, kind).count())
            space_id, space = self.storage.active_space()
            return self.storage.once(f"count {kind}", catalog.embeddings(space_id, space, kind).count)

    def sample(self, kind: Kind) -> Vectors:
        """Return up to `SAMPLE_SIZE` vectors from all over the library, `(n, dimensions)`, in no order."""
        space_id, space = self.storage.active_space()
        with self.storage.read() as catalog:
            stored = catalog.embeddings(space_id, space, kind)
            newest = self.storage.once(f"newest {kind}", stored.last_change)
            known = self._samples.get((space_id, kind))
            if known is None or known[0] != newest:
                among = stored.contents() if self.storage.parent else None
                drawn = self._collection(catalog, kind).sample(SAMPLE_SIZE, among)
                known = self._samples[space_id, kind] = (newest, drawn)
        return known[1]

    def get(self, kind: Kind, contents: Sequence[int]) -> tuple[Ids, Vectors]:
        """Return the ids `(n,)` and stored vectors `(n, dimensions)` of those contents that have one, in no order."""
        space_id, space = self.storage.active_space()
        with self.storage.read() as catalog:
            return catalog.embeddings(space_id, space, kind).get(contents)

    def rows(self, kind: Kind, contents: Sequence[int]) -> Vectors:
        """Return the stored vectors of contents in their order, `(n, dimensions)`; zeros for a content without one."""
        ids, vectors = self.get(kind, contents)
        result = np.zeros((len(contents), vectors.shape[1]), np.float32)
        row_of = {int(number): row for row, number in enumerate(ids)}
        there = [(place, row_of[content]) for place, content in enumerate(contents) if content in row_of]
        if there:
            places, rows = zip(*there, strict=True)
            result[list(places)] = vectors[list(rows)]
        return result

    def save(self) -> None:
        """Bring the store in step with the catalog, in a turn of the library's writers.

        Raises:
            StorageFull: the disk is full.
            LibraryError: a file cannot be written.
        """
        with self.storage.read() as catalog:
            spaces = catalog.spaces.all()
        for space_id, space in spaces:
            for kind in Kind:
                collection = self.store.collection(space_id, space, kind)
                with self.turn():
                    try:
                        with self.storage.transaction() as catalog:
                            collection.synchronise(catalog.embeddings(space_id, space, kind))
                    except OSError as exc:
                        raise disk_error(exc, self.storage.path) from exc
                    with self.storage.read() as catalog:
                        collection.tidy(catalog.embeddings(space_id, space, kind))

    def _collection(self, catalog: CatalogSession, kind: Kind) -> VectorCollection:
        """Return the collection of the active space, in step with the catalog: of all of it, also for one folder."""
        return self.storage.once(f"collection {kind}", lambda: self._followed(catalog, kind))

    def _followed(self, catalog: CatalogSession, kind: Kind) -> VectorCollection:
        space_id, space = self.storage.active_space()
        collection = self.store.collection(space_id, space, kind)
        if self.storage.parent is None:
            collection.follow(catalog.embeddings(space_id, space, kind))
        else:
            with self.storage.parent.read() as whole:
                collection.follow(whole.embeddings(space_id, space, kind))
        return collection


def exact(queries: Vectors, ids: Ids, vectors: Vectors, k: int) -> tuple[Scores, Ids]:
    """Return the k best of n vectors for each of q queries, all compared: scores and ids, `(q, k')` with k' <= k."""
    scores = np.stack([cosines(vectors, query) for query in queries])
    return _best(scores, np.broadcast_to(ids, (len(queries), len(ids))), k)


def rescored(queries: Vectors, candidates: Ids, ids: Ids, vectors: Vectors, k: int) -> tuple[Scores, Ids]:
    """Return the k best candidates `(q, c)` of each query by their n stored vectors; those without one are left out."""
    row_of = {int(number): row for row, number in enumerate(ids)}
    scores = np.full(candidates.shape, -np.inf, np.float32)
    for q, row in enumerate(candidates):
        there = [(slot, row_of[i]) for slot, i in enumerate(row.tolist()) if i in row_of]
        if there:
            slots, rows = zip(*there, strict=True)
            scores[q, list(slots)] = cosines(vectors[list(rows)], queries[q])
    return _best(scores, np.where(np.isinf(scores), -1, candidates), k)


def cosines(vectors: Vectors, query: Vectors) -> Scores:
    """Return the cosines of n unit rows with one query, `(n,)`; each depends only on its own row."""
    found: Scores = (vectors.astype(np.float64) * query).sum(axis=1).astype(np.float32)
    return found


def _best(scores: Scores, ids: Ids, k: int) -> tuple[Scores, Ids]:
    order = np.lexsort((ids, -scores), axis=1)[:, :k]
    return np.take_along_axis(scores, order, 1), np.take_along_axis(ids, order, 1)
