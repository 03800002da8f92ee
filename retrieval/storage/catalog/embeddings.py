"""Embeddings in the catalog, the changes the vector files must still learn, and which of those files are whole.

Knows the tables; does not know any vector engine.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from sqlalchemy import Connection, Result, delete, func, insert, select
from sqlalchemy.dialects.sqlite import insert as upsert

from ...types.records import Ids, Kind, Vectors
from .schema import changes, contents, embeddings, vector_files

STORED = np.dtype("<f4")
CHUNK = 4096  # rows read at a time


@dataclass(frozen=True)
class VectorFile:
    """A vector file that was written whole."""

    engine: str
    file: str
    upto: int  # the last change it knows
    checksum: str
    size: int = -1  # as it was written, and when: while they are these, the sum need not be taken
    mtime_ns: int = -1


class Embeddings:
    """The embeddings of one space and kind, inside one transaction."""

    def __init__(self, connection: Connection, space_id: int, kind: Kind, dimensions: int) -> None:
        self.connection = connection
        self.space_id, self.kind, self.dimensions = space_id, kind, dimensions

    def put(self, ids: Sequence[int], vectors: Vectors) -> None:
        """Store n unit rows under their contents, and note the change."""
        stored = np.ascontiguousarray(vectors, STORED)
        same = {"space_id": self.space_id}
        rows = [{**same, "content_id": int(i), "vector": row.tobytes()} for i, row in zip(ids, stored, strict=True)]
        if not rows:
            return
        statement = upsert(embeddings)
        replace = {"vector": statement.excluded.vector}
        self.connection.execute(
            statement.on_conflict_do_update(index_elements=["space_id", "content_id"], set_=replace), rows
        )
        noted = [{**same, "kind": self.kind, "content_id": int(i)} for i in ids]
        self.connection.execute(insert(changes), noted)

    def get(self, ids: Sequence[int]) -> tuple[Ids, Vectors]:
        """Those of these contents that have an embedding, (n,) and (n, dimensions), in no order."""
        found: list[tuple[int, bytes]] = []
        for start in range(0, len(ids), CHUNK):
            some = [int(i) for i in ids[start : start + CHUNK]]
            query = select(embeddings.c.content_id, embeddings.c.vector).where(
                embeddings.c.space_id == self.space_id, embeddings.c.content_id.in_(some)
            )
            found += [(row[0], row[1]) for row in self.connection.execute(query)]
        return self._arrays(found)

    def all(self) -> Iterator[tuple[Ids, Vectors]]:
        """Every embedding, in pieces."""
        for part in self._rows().partitions(CHUNK):
            yield self._arrays([(row.content_id, row.vector) for row in part])

    def contents(self) -> Ids:
        """The contents that have one, in order."""
        query = select(embeddings.c.content_id).join(contents, contents.c.id == embeddings.c.content_id)
        same = (embeddings.c.space_id == self.space_id, contents.c.kind == self.kind)
        found = self.connection.execute(query.where(*same).order_by(embeddings.c.content_id)).scalars()
        return np.array(list(found), np.int64)

    def count(self) -> int:
        """How many there are."""
        joined = embeddings.join(contents, contents.c.id == embeddings.c.content_id)
        same = (embeddings.c.space_id == self.space_id, contents.c.kind == self.kind)
        return int(self.connection.execute(select(func.count()).select_from(joined).where(*same)).scalar_one())

    def malformed(self, tolerance: float) -> list[int]:
        """Contents whose stored vector has the wrong size, is not finite or is not of length one."""
        bad: list[int] = []
        for part in self._rows().partitions(CHUNK):
            size = STORED.itemsize * self.dimensions
            bad += [row.content_id for row in part if len(row.vector) != size]
            ids, vectors = self._arrays([(row.content_id, row.vector) for row in part if len(row.vector) == size])
            lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
            bad += ids[~(np.abs(lengths - 1) <= tolerance)].tolist()
        return bad

    def forget(self, ids: Sequence[int]) -> None:
        """Delete embeddings, so that the next indexing run makes them again."""
        for start in range(0, len(ids), CHUNK):
            some = [int(i) for i in ids[start : start + CHUNK]]
            same = (embeddings.c.space_id == self.space_id, embeddings.c.content_id.in_(some))
            self.connection.execute(delete(embeddings).where(*same))
            noted = [{"space_id": self.space_id, "kind": self.kind, "content_id": i, "removed": 1} for i in some]
            self.connection.execute(insert(changes), noted)

    def _rows(self) -> Result[Any]:
        joined = embeddings.join(contents, contents.c.id == embeddings.c.content_id)
        query = (
            select(embeddings.c.content_id, embeddings.c.vector)
            .select_from(joined)
            .where(embeddings.c.space_id == self.space_id, contents.c.kind == self.kind)
        )
        return self.connection.execute(query.order_by(embeddings.c.content_id))

    def _arrays(self, rows: list[tuple[int, bytes]]) -> tuple[Ids, Vectors]:
        ids = np.array([row[0] for row in rows], np.int64)
        vectors = np.frombuffer(b"".join(row[1] for row in rows), STORED).reshape(len(rows), self.dimensions)
        return ids, vectors.astype(np.float32)

    # --- changes and files ---------------------------------------------------------------------------------

    def last_change(self) -> int:
        """The newest change of this space and kind; 0 when there was none since the changes were last trimmed."""
        same = (changes.c.space_id == self.space_id, changes.c.kind == self.kind)
        newest = self.connection.execute(select(func.max(changes.c.seq)).where(*same)).scalar()
        file = self.file()
        return max(int(newest or 0), file.upto if file else 0)

    def changes_after(self, seq: int) -> tuple[Ids, Ids]:
        """What to add and what to remove since a change, by each content's last change."""
        same = (changes.c.space_id == self.space_id, changes.c.kind == self.kind, changes.c.seq > seq)
        query = select(changes.c.content_id, changes.c.removed).where(*same).order_by(changes.c.seq)
        last = {row.content_id: row.removed for row in self.connection.execute(query)}
        added = [content for content, removed in last.items() if not removed]
        gone = [content for content, removed in last.items() if removed]
        return np.array(added, np.int64), np.array(gone, np.int64)

    def file(self) -> VectorFile | None:
        """The vector file that is whole, if there is one."""
        same = (vector_files.c.space_id == self.space_id, vector_files.c.kind == self.kind)
        known = [vector_files.c[each.name] for each in fields(VectorFile)]
        row = self.connection.execute(select(*known).where(*same)).first()
        return VectorFile(*row) if row else None

    def put_file(self, file: VectorFile) -> None:
        """A new file is whole; the changes it knows are forgotten."""
        row = {"space_id": self.space_id, "kind": self.kind, **asdict(file)}
        statement = upsert(vector_files).values(row)
        self.connection.execute(statement.on_conflict_do_update(index_elements=["space_id", "kind"], set_=row))
        old = (changes.c.space_id == self.space_id, changes.c.kind == self.kind, changes.c.seq <= file.upto)
        self.connection.execute(delete(changes).where(*old))


def evenly(count: int, most: int) -> list[int]:
    """Up to `most` of `count` places, at even distances, always the same ones; all, where they are few."""
    found: list[int] = np.linspace(0, count - 1, min(most, count)).astype(int).tolist()
    return found
