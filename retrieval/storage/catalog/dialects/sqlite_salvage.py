"""Salvage of a damaged SQLite file: a new file with every row that can still be read.

Does not know what the rows mean.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine

from ....errors import LibraryDamaged
from ..migrations import VERSION, migrate
from ..schema import metadata


def salvage(damaged: Path, fresh: Path) -> dict[str, int]:
    """Copy all readable rows of `damaged` into the new file `fresh`; return how many rows of each table were copied.

    Raises:
        LibraryDamaged: the version is lost, or not even the list of tables can be read.
    """
    engine = create_engine(f"sqlite:///{fresh}")
    with engine.begin() as connection:
        migrate(connection)
    engine.dispose()
    copied: dict[str, int] = {}
    try:
        with (
            closing(sqlite3.connect(f"file:{damaged}?mode=ro", uri=True)) as old,
            closing(sqlite3.connect(fresh)) as new,
        ):
            if old.execute("PRAGMA user_version").fetchone()[0] != VERSION:
                raise LibraryDamaged(f"{damaged} has lost its version: nothing can be saved; index again")
            for table in metadata.sorted_tables:
                columns = [column.name for column in table.columns]
                copied[table.name] = _copy(old, new, table.name, columns)
            _drop_dangling(new)
            new.commit()
    except sqlite3.DatabaseError as exc:
        raise LibraryDamaged(f"nothing of {damaged} can be read ({exc}); delete the library and index again") from exc
    return copied


def _copy(old: sqlite3.Connection, new: sqlite3.Connection, table: str, columns: list[str]) -> int:
    """Copy rows from the front until one cannot be read, then from the back; return how many were copied."""
    names = ", ".join(columns)
    into = f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({', '.join('?' * len(columns))})"
    for order in ("ASC", "DESC"):
        rows: list[Any] = []
        try:
            rows.extend(old.execute(f"SELECT {names} FROM {table} ORDER BY rowid {order}"))
            new.executemany(into, rows)
            break
        except sqlite3.DatabaseError:
            new.executemany(into, rows)
    return int(new.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def _drop_dangling(connection: sqlite3.Connection) -> None:
    """Delete rows that refer to lost rows."""
    for _ in range(3):
        for table, row, *_rest in connection.execute("PRAGMA foreign_key_check").fetchall():
            connection.execute(f"DELETE FROM {table} WHERE rowid = ?", (row,))
