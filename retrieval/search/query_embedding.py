"""Embeds the pieces of a query (texts, pictures, and what is not wanted) as one vector, on one scale.

The scores that a picture gives a library spread far more than those of a text, so each piece's weight is divided by the
spread of its own scores. Unwanted pieces are subtracted by the same rule. Does not know filters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..encoders import Encoder
from ..errors import UsageError, naming
from ..queries.expression import WeightedPiece
from ..storage.storage import Storage
from ..types.records import ByBytes, ByFile, ByItem, ByTaught, ByText, ByVector, Kind, Query, Space, Vectors
from . import concepts

LONGEST = 2000  # characters of a text that are read; every model reads far less


@dataclass(frozen=True)
class QueryEmbedding:
    """The embedding of a query, (1, dimensions) of unit length, and the contents that it was made from."""

    vector: Vectors
    words: Vectors | None = None  # of the wanted texts; None if pictures are searched for, too
    itself: frozenset[int] = frozenset()  # contents that must not be among the hits: the query's own pictures
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class QueryEmbedder:
    """Embeds the pieces of queries, for one library and one space."""

    storage: Storage
    space: Space
    encoder: Callable[[Space], Encoder]
    max_megapixels: float = 250.0

    def meaning(self, pieces: Sequence[WeightedPiece], kind: Kind) -> QueryEmbedding:
        """Return the weighted sum of the pieces.

        Raises:
            UsageError: a text is empty, an item is missing, a vector is invalid, or the pieces cancel each other out.
            PictureError: a picture cannot be used.
        """
        found = [self._piece(part.piece) for part in pieces]
        itself = frozenset().union(*(each.itself for each in found))
        notes = tuple(note for each in found for note in each.notes)
        vectors = np.concatenate([each.vector for each in found])
        weights = np.array([part.weight for part in pieces])
        spoken = np.array([isinstance(part.piece, ByText) or part.feedback for part in pieces])
        wanted = np.array([part.weight > 0 and not part.feedback for part in pieces])
        words = self._sum(vectors[wanted], weights[wanted], kind) if spoken.all() and wanted.any() else None
        return QueryEmbedding(self._sum(vectors, weights, kind), words, itself, notes)

    def _sum(self, vectors: Vectors, weights: np.ndarray, kind: Kind) -> Vectors:
        if len(vectors) == 1 and weights[0] > 0:
            return vectors
        whole = (weights / self._spreads(vectors.astype(np.float64), kind)) @ vectors
        length = float(np.linalg.norm(whole))
        if length < 1e-6:
            raise UsageError("the parts of the query cancel each other out; nothing is left to look for")
        found: Vectors = (whole / length).astype(np.float32)[None]
        return found

    def _spreads(self, vectors: np.ndarray, kind: Kind) -> np.ndarray:
        """Return the standard deviation of each piece's scores over the library, (n,)."""
        known = self.storage.vectors.sample(kind).astype(np.float64)
        if len(known) < 2:
            return np.ones(len(vectors))
        spreads: np.ndarray = np.maximum((vectors @ known.T).std(axis=1), 1e-6)
        return spreads

    def _piece(self, piece: Query) -> QueryEmbedding:
        match piece:
            case ByText(text):
                if not text.strip():
                    raise UsageError('the query is empty; write what the picture shows, such as "a dog on the beach"')
                long = len(text) > LONGEST
                notes = (f"only the first {LONGEST} of {len(text)} characters were read",) if long else ()
                return QueryEmbedding(self.encoder(self.space).texts([text[:LONGEST]]), notes=notes)
            case ByFile(path):
                return self._file(path)
            case ByBytes(data):
                return QueryEmbedding(self._picture(data, ""))
            case ByItem(number):
                return self._item(number)
            case ByVector(vector):
                return QueryEmbedding(_checked(vector, self.space))
            case ByTaught(name):
                return QueryEmbedding(concepts.direction(self.storage, name)[None])

    def _file(self, path: Path) -> QueryEmbedding:
        from ..pictures import read_file  # loads Pillow, which text queries do not need

        with naming(path):
            return QueryEmbedding(self._picture(read_file(path)[0], path.name))

    def _picture(self, data: bytes, name: str) -> Vectors:
        from ..pictures import decode

        encoder = self.encoder(self.space)
        picture = decode(data, name, encoder.image_size, self.max_megapixels)
        return encoder.images([encoder.prepare(picture.image)])

    def _item(self, number: int) -> QueryEmbedding:
        with self.storage.read() as catalog:
            item = next(catalog.items.get([number]), None)
        if item is None:
            raise UsageError(f"the library has no item {number}; `retrieval search --json` shows the numbers of items")
        ids, vectors = self.storage.vectors.get(Kind.PICTURE, [item.content])
        if not len(ids):
            raise UsageError(f"item {number} is not indexed with the present model yet; run `retrieval index`")
        return QueryEmbedding(vectors, itself=frozenset({item.content}))


def _checked(vector: Vectors, space: Space) -> Vectors:
    row = np.asarray(vector, np.float32).reshape(1, -1)
    length = float(np.linalg.norm(row))
    if row.shape[1] != space.dimensions or not np.isfinite(length) or length == 0:
        raise UsageError(
            f"a query vector must have {space.dimensions} finite numbers, not all zero; got {row.shape[1]}"
        )
    return row / np.float32(length)
