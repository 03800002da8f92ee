"""A repository: reads and writes of one kind of thing, inside the transaction of its session."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import Row, Table, insert

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from .dialects import Dialect

T = TypeVar("T")
MANY = 5000  # values in one IN list


class Repository:
    """What all repositories share: the connection, which nothing outside this package sees, and the dialect."""

    def __init__(self, connection: Connection, dialect: Dialect) -> None:
        self._connection = connection
        self._dialect = dialect

    def _insert(self, table: Table, row: Mapping[str, Any]) -> int:
        """Insert a row, and return its numbered key."""
        key = self._connection.execute(insert(table).values(**row)).inserted_primary_key
        assert key is not None  # every table that is inserted into like this has a numbered key
        return int(key[0])

    def _upsert(
        self,
        table: Table,
        rows: Sequence[Mapping[str, Any]],
        keys: Sequence[str] = (),
        update: Sequence[str] | None = None,
    ) -> None:
        """Insert rows; where a row with these `keys` exists, replace the columns `update` (None: all).

        Without `keys`, rows that exist already are skipped.
        """
        if not rows:
            return
        statement = self._dialect.insert(table)
        if not keys:
            self._connection.execute(statement.on_conflict_do_nothing(), list(rows))
            return
        columns = [name for name in rows[0] if name not in keys] if update is None else update
        new = {name: statement.excluded[name] for name in columns or keys}
        self._connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=new), list(rows))

    def _count(self, query: Any) -> int:
        return int(self._connection.execute(query).scalar_one())

    def _each(self, ids: Iterable[int], query: Any) -> Iterator[Row[Any]]:
        """Yield the rows of a query that is made for some of many ids at a time."""
        for some in chunks(int(number) for number in ids):
            yield from self._connection.execute(query(some))


def chunks(values: Iterable[T]) -> Iterator[list[T]]:
    """Yield the values in lists that fit into one statement."""
    rest = iter(values)
    while some := list(islice(rest, MANY)):
        yield some
