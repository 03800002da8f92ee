"""The names of a library: saved searches, and concepts (taught words) with their examples."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import delete, func, select

from ...types.serialize import utc_now
from .repository import Repository
from .schema import examples, saved


class NameTable(Repository):
    """Saved searches and concepts, by name."""

    def save(self, name: str, query: str) -> None:
        """Store a query under a name, replacing an earlier one."""
        row = {"name": name, "query": query, "made_at": utc_now()}
        self._upsert(saved, [row], ["name"])

    def saved(self) -> dict[str, str]:
        """Return every saved query by its name."""
        return {row.name: row.query for row in self._connection.execute(select(saved).order_by(saved.c.name))}

    def drop(self, name: str) -> bool:
        """Delete a saved search or concept; return whether there was one of this name."""
        gone = [self._connection.execute(delete(table).where(table.c.name == name)) for table in (saved, examples)]
        return any(result.rowcount for result in gone)

    def teach(self, name: str, wanted: Mapping[int, bool]) -> None:
        """Store pictures as positive or negative examples of a concept; the latest label of each counts."""
        rows = [{"name": name, "content_id": content, "wanted": int(yes)} for content, yes in wanted.items()]
        self._upsert(examples, rows, ["name", "content_id"])

    def copy_examples(self, content: int, to: int) -> None:
        """Make a picture an example of whatever another one is an example of."""
        found = select(examples.c.name, examples.c.wanted).where(examples.c.content_id == content)
        rows = [{"name": row.name, "content_id": to, "wanted": row.wanted} for row in self._connection.execute(found)]
        self._upsert(examples, rows, ["name", "content_id"])

    def examples(self, name: str) -> dict[int, bool]:
        """Return the content ids of the examples of a concept, each with whether it is positive."""
        rows = self._connection.execute(select(examples).where(examples.c.name == name).order_by(examples.c.content_id))
        return {row.content_id: bool(row.wanted) for row in rows}

    def taught(self) -> dict[str, tuple[int, int]]:
        """Return every concept with its numbers of positive and negative examples."""
        yes = func.sum(examples.c.wanted)
        query = select(examples.c.name, yes, func.count() - yes).group_by(examples.c.name).order_by(examples.c.name)
        return {row[0]: (row[1], row[2]) for row in self._connection.execute(query)}
