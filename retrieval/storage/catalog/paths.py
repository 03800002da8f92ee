"""Moves the rows of all tables that name files from one folder to another."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import ColumnElement, Table, bindparam, delete, select, update

from .mapping import inside
from .repository import Repository, chunks
from .schema import captions, items, live_photo_films, problems, roots, sidecars


class Paths(Repository):
    """The paths that rows have."""

    def move(self, old: Path, new: Path) -> int:
        """Give what lies at or below `old` the same place at or below `new`; return how many files that moves.

        The moved files count as there. A file that has a row at its new path already loses one of the two: the old
        one, unless the new one is absent.
        """
        moved = self._renamed(items, "path", old, new)
        there = items.c.absent_since.is_(None)
        taken = set(self._paths(items, "path", new, there))
        self._drop(items, [before for before, after in moved.items() if after in taken])
        self._drop(items, [after for after in moved.values() if after not in taken])
        self._rename(items, "path", {before: after for before, after in moved.items() if after not in taken})
        self._connection.execute(update(items).where(inside(new)).values(absent_since=None))
        self._rename(captions, "origin", self._renamed(captions, "origin", old, new))
        for table in (problems, sidecars, live_photo_films, roots):
            renamed = self._renamed(table, "path", old, new)
            self._drop(table, list(renamed.values()))
            self._rename(table, "path", renamed)
        return len(moved)

    def _paths(self, table: Table, column: str, place: Path, *which: ColumnElement[bool]) -> list[Path]:
        chosen = select(table.c[column]).where(inside(place, table.c[column]), *which).distinct()
        return list(self._connection.execute(chosen).scalars())

    def _renamed(self, table: Table, column: str, old: Path, new: Path) -> dict[Path, Path]:
        return {path: new / path.relative_to(old) for path in self._paths(table, column, old)}

    def _drop(self, table: Table, paths: list[Path]) -> None:
        for some in chunks(paths):
            self._connection.execute(delete(table).where(table.c.path.in_(some)))

    def _rename(self, table: Table, column: str, renamed: dict[Path, Path]) -> None:
        if renamed:
            statement = update(table).where(table.c[column] == bindparam("before")).values({column: bindparam("after")})
            rows = [{"before": before, "after": after} for before, after in renamed.items()]
            self._connection.execute(statement, rows)
