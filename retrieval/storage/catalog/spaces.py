"""Embedding spaces: which models have embeddings here, and which of them answers queries."""

from __future__ import annotations

from sqlalchemy import and_, delete, func, select, update

from ...types.records import Space
from .repository import Repository
from .schema import changes, embeddings, spaces


class Spaces(Repository):
    """The embedding spaces of a library."""

    def id_of(self, space: Space) -> int | None:
        """Return the id of a space; None if the library does not have it."""
        same = and_(spaces.c.model == space.model, spaces.c.fingerprint == space.fingerprint)
        return self._connection.execute(select(spaces.c.id).where(same)).scalar()

    def add(self, space: Space) -> int:
        """Return the id of a space, adding it if it is new; the first space becomes the active one."""
        known = self.id_of(space)
        if known is not None:
            return known
        first = self.active() is None
        row = {
            "model": space.model,
            "dimensions": space.dimensions,
            "fingerprint": space.fingerprint,
            "serving": int(first),
        }
        return self._insert(spaces, row)

    def all(self) -> list[tuple[int, Space]]:
        """Return every space with its id."""
        rows = self._connection.execute(select(spaces).order_by(spaces.c.id))
        return [(row.id, Space(row.model, row.dimensions, row.fingerprint)) for row in rows]

    def active(self) -> tuple[int, Space] | None:
        """Return the active space with its id; None if there is none."""
        row = self._connection.execute(select(spaces).where(spaces.c.serving == 1)).first()
        return (row.id, Space(row.model, row.dimensions, row.fingerprint)) if row else None

    def activate(self, space_id: int) -> None:
        """Make this space the active one."""
        self._connection.execute(update(spaces).values(serving=spaces.c.id == space_id))

    def drop(self, space_id: int) -> int:
        """Delete a space with its embeddings; return how many embeddings it had."""
        count = self._count(select(func.count()).where(embeddings.c.space_id == space_id))
        self._connection.execute(delete(changes).where(changes.c.space_id == space_id))
        self._connection.execute(delete(spaces).where(spaces.c.id == space_id))  # its embeddings are deleted with it
        return count
