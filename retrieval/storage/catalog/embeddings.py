"""The stored embeddings, the log of their changes, and the vector files that are complete.

Does not know any vector engine.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import ColumnElement, Result, delete, func, insert, select

from ...types.records import Ids, Kind, Vectors
from ...vectors import SyncPoint
from .repository import Repository
from .schema import changes, contents, embeddings, vector_files

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from .dialects import Dialect

STORED = np.dtype("<f4")
CHUNK = 4096  # rows read at a time


class Embeddings(Repository):
    """The embeddings of one space and kind, inside one transaction."""

    def __init__(self, connection: Connection, dialect: Dialect, space_id: int, kind: Kind, dimensions: int) -> None:
        super().__init__(connection, dialect)
        self.space_id, self.kind, self.dimensions = space_id, kind, dimensions

    def put(self, ids: Sequence[int], vectors: Vectors) -> None:
        """Store unit rows `(n, dimensions)` for n contents, and log the change."""
        stored = np.ascontiguousarray(vectors, STORED)
        same = {"space_id": self.space_id}
        rows = [{**same, "content_id": int(i), "vector": row.tobytes()} for i, row in zip(ids, stored, strict=True)]
        if not rows:
            return
        self._upsert(embeddings, rows, ["space_id", "content_id"])
        noted = [{**same, "kind": self.kind, "content_id": int(i)} for i in ids]
        self._connection.execute(insert(changes), noted)

    def get(self, ids: Sequence[int]) -> tuple[Ids, Vectors]:
        """Return the ids `(n,)` and vectors `(n, dimensions)` of those contents that have one, in no order."""
        rows: list[Any] = []
        for start in range(0, len(ids), CHUNK):
            some = [int(i) for i in ids[start : start + CHUNK]]
            query = select(embeddings.c.content_id, embeddings.c.vector).where(
                embeddings.c.space_id == self.space_id, embeddings.c.content_id.in_(some)
            )
            rows += self._connection.execute(query).all()
        return self._arrays(rows)

    def all(self) -> Iterator[tuple[Ids, Vectors]]:
        """Yield the embeddings of present contents in chunks of ids `(n,)` and vectors `(n, dimensions)`."""
        for part in self._rows(contents.c.absent == 0).partitions(CHUNK):
            yield self._arrays(part)

    def contents(self) -> Ids:
        """Return the ids of the present contents that have an embedding, `(n,)`, in order."""
        query = select(embeddings.c.content_id).join(contents, contents.c.id == embeddings.c.content_id)
        same = (embeddings.c.space_id == self.space_id, contents.c.kind == self.kind, contents.c.absent == 0)
        found = self._connection.execute(query.where(*same).order_by(embeddings.c.content_id)).scalars()
        return np.array(list(found), np.int64)

    def count(self) -> int:
        """Return the number of embeddings of present contents."""
        joined = embeddings.join(contents, contents.c.id == embeddings.c.content_id)
        same = (embeddings.c.space_id == self.space_id, contents.c.kind == self.kind, contents.c.absent == 0)
        return int(self._connection.execute(select(func.count()).select_from(joined).where(*same)).scalar_one())

    def malformed(self, tolerance: float) -> list[int]:
        """Return the ids of contents whose stored vector has the wrong size, is not finite or is not of unit length.

        `tolerance` is the largest accepted difference of the length from 1.
        """
        bad: list[int] = []
        for part in self._rows().partitions(CHUNK):
            size = STORED.itemsize * self.dimensions
            bad += [row.content_id for row in part if len(row.vector) != size]
            ids, vectors = self._arrays([row for row in part if len(row.vector) == size])
            lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
            bad += ids[~(np.abs(lengths - 1) <= tolerance)].tolist()
        return bad

    def forget(self, ids: Sequence[int]) -> None:
        """Delete embeddings, so that the next indexing run makes them again."""
        for start in range(0, len(ids), CHUNK):
            some = [int(i) for i in ids[start : start + CHUNK]]
            same = (embeddings.c.space_id == self.space_id, embeddings.c.content_id.in_(some))
            self._connection.execute(delete(embeddings).where(*same))
            noted = [{"space_id": self.space_id, "kind": self.kind, "content_id": i, "removed": 1} for i in some]
            self._connection.execute(insert(changes), noted)

    def _rows(self, *which: ColumnElement[bool]) -> Result[Any]:
        joined = embeddings.join(contents, contents.c.id == embeddings.c.content_id)
        query = (
            select(embeddings.c.content_id, embeddings.c.vector)
            .select_from(joined)
            .where(embeddings.c.space_id == self.space_id, contents.c.kind == self.kind, *which)
        )
        return self._connection.execute(query.order_by(embeddings.c.content_id))

    def _arrays(self, rows: Sequence[Any]) -> tuple[Ids, Vectors]:
        ids = np.array([row[0] for row in rows], np.int64)
        vectors = np.frombuffer(b"".join(row[1] for row in rows), STORED).reshape(len(rows), self.dimensions)
        return ids, vectors.astype(np.float32)

    # --- changes and files ---------------------------------------------------------------------------------

    def last_change(self) -> int:
        """Return the newest change, in the log or in the vector file; 0 if there is none."""
        same = (changes.c.space_id == self.space_id, changes.c.kind == self.kind)
        newest = self._connection.execute(select(func.max(changes.c.seq)).where(*same)).scalar()
        file = self.file()
        return max(int(newest or 0), file.upto if file else 0)

    def changes_after(self, seq: int) -> tuple[Ids, Ids]:
        """Return the content ids to add and to remove since a change, by the last change of each content."""
        same = (changes.c.space_id == self.space_id, changes.c.kind == self.kind, changes.c.seq > seq)
        query = select(changes.c.content_id, changes.c.removed).where(*same).order_by(changes.c.seq)
        last = {row.content_id: row.removed for row in self._connection.execute(query)}
        added = [content for content, removed in last.items() if not removed]
        gone = [content for content, removed in last.items() if removed]
        return np.array(added, np.int64), np.array(gone, np.int64)

    def file(self) -> SyncPoint | None:
        """Return the current complete vector file, or None."""
        same = (vector_files.c.space_id == self.space_id, vector_files.c.kind == self.kind)
        known = [vector_files.c[each.name] for each in fields(SyncPoint)]
        row = self._connection.execute(select(*known).where(*same)).first()
        return SyncPoint(*row) if row else None

    def put_file(self, file: SyncPoint) -> None:
        """Register a new complete vector file, and delete the logged changes that it includes."""
        row = {"space_id": self.space_id, "kind": self.kind, **asdict(file)}
        self._upsert(vector_files, [row], ["space_id", "kind"])
        old = (changes.c.space_id == self.space_id, changes.c.kind == self.kind, changes.c.seq <= file.upto)
        self._connection.execute(delete(changes).where(*old))
