"""Fingerprints of pictures, saved searches and the examples of concepts (taught words), inside one transaction.

Does not know what a fingerprint means or how a query is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, delete, exists, func, select
from sqlalchemy.dialects.sqlite import insert as upsert

from ...types.records import Kind
from .catalog import chunks
from .mapping import NO_SECOND
from .schema import contents, examples, fingerprints, items, saved

Bits = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class ShotTime:
    """When and with which camera a picture was taken."""

    content: int
    at: datetime | None  # by the camera's clock, without a time zone
    camera: str


class Collections:
    """Reads and writes of fingerprints, saved searches and concepts, inside one transaction."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    # --- fingerprints --------------------------------------------------------------------------------------

    def put_fingerprints(self, found: Mapping[int, int]) -> None:
        """Store the 64-bit fingerprint of each picture; existing ones stay."""
        rows = [{"content_id": content, "bits": _signed(bits)} for content, bits in found.items()]
        if rows:
            self.connection.execute(upsert(fingerprints).on_conflict_do_nothing(), rows)

    def fingerprints(self, pictures: Sequence[int]) -> dict[int, int]:
        """Return the known fingerprints of photos, by content id; video frames are left out."""
        found: dict[int, int] = {}
        for some in chunks(pictures):
            photo = exists().where(items.c.content_id == fingerprints.c.content_id, items.c.second == NO_SECOND)
            chosen = select(fingerprints).where(fingerprints.c.content_id.in_(some), photo)
            rows = self.connection.execute(chosen)
            found |= {row.content_id: row.bits & 0xFFFFFFFFFFFFFFFF for row in rows}
        return found

    def without_fingerprint(self) -> list[int]:
        """Return the ids of the pictures that have a thumbnail but no fingerprint."""
        has = exists().where(fingerprints.c.content_id == contents.c.id)
        lacking = select(contents.c.id).where(contents.c.kind == Kind.PICTURE, ~has)  # from an index: reads no rows
        found: list[int] = []
        for some in chunks(sorted(self.connection.execute(lacking).scalars())):
            shown = select(contents.c.id).where(contents.c.id.in_(some), contents.c.thumbnail.is_not(None))
            found += sorted(self.connection.execute(shown).scalars())
        return found

    def shot_times(self, pictures: Iterable[int]) -> dict[int, ShotTime]:
        """Return when and with which camera each photo was taken; video frames are left out."""
        found: dict[int, ShotTime] = {}
        clock = func.substr(items.c.taken_at, 1, 19)
        for some in chunks(pictures):
            chosen = select(items.c.content_id, clock, items.c.camera)
            chosen = chosen.where(items.c.content_id.in_(some), items.c.second == NO_SECOND)
            for content, at, camera in self.connection.execute(chosen):
                found[content] = ShotTime(content, datetime.fromisoformat(at) if at else None, camera)
        return found

    # --- saved searches ------------------------------------------------------------------------------------

    def save(self, name: str, query: str) -> None:
        """Store a query under a name, replacing an earlier one."""
        row = {"name": name, "query": query, "made_at": _now()}
        self.connection.execute(upsert(saved).values(row).on_conflict_do_update(index_elements=["name"], set_=row))

    def saved(self) -> dict[str, str]:
        """Return every saved query by its name."""
        return {row.name: row.query for row in self.connection.execute(select(saved).order_by(saved.c.name))}

    def drop(self, name: str) -> bool:
        """Delete a saved search or concept; return whether there was one of this name."""
        gone = [self.connection.execute(delete(table).where(table.c.name == name)) for table in (saved, examples)]
        return any(result.rowcount for result in gone)

    # --- taught words --------------------------------------------------------------------------------------

    def teach(self, name: str, wanted: Mapping[int, bool]) -> None:
        """Store pictures as positive or negative examples of a concept; the latest label of each counts."""
        rows = [{"name": name, "content_id": content, "wanted": int(yes)} for content, yes in wanted.items()]
        if rows:
            statement = upsert(examples)
            new = {"wanted": statement.excluded.wanted}
            keys = ["name", "content_id"]
            self.connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=new), rows)

    def examples(self, name: str) -> dict[int, bool]:
        """Return the content ids of the examples of a concept, each with whether it is positive."""
        rows = self.connection.execute(select(examples).where(examples.c.name == name).order_by(examples.c.content_id))
        return {row.content_id: bool(row.wanted) for row in rows}

    def taught(self) -> dict[str, tuple[int, int]]:
        """Return every concept with its numbers of positive and negative examples."""
        yes = func.sum(examples.c.wanted)
        query = select(examples.c.name, yes, func.count() - yes).group_by(examples.c.name).order_by(examples.c.name)
        return {row[0]: (row[1], row[2]) for row in self.connection.execute(query)}


def _signed(bits: int) -> int:
    """Return 64 bits as a signed integer, the only kind that SQLite stores."""
    return bits - (1 << 64) if bits >= 1 << 63 else bits


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
