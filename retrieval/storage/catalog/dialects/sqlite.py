"""SQLite: how a catalog file is opened and made durable, its own SQL, its triggers, and its errors in our words."""

from __future__ import annotations

import os
import re
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    LargeBinary,
    Table,
    create_engine,
    event,
    func,
    text,
    type_coerce,
)
from sqlalchemy import cast as as_type
from sqlalchemy.dialects.sqlite import Insert, insert
from sqlalchemy.exc import DatabaseError, DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry, NullPool, QueuePool
from sqlalchemy.sql.selectable import TableValuedAlias
from sqlalchemy.types import Boolean

from ....errors import LibraryDamaged, LibraryError, LibraryLocked, LibraryReadOnly, StorageFull
from ....geocoding import kilometres
from ....types import path_pattern
from .sqlite_full_text import SqliteFullText
from .sqlite_row_security import restrict

BUSY_SECONDS = 30  # that a transaction waits for another one to end
POOLED = 8  # connections that are kept

# Contents that a row has stopped pointing to: `Contents.settle` looks at no others.
ORPHANS = (
    "CREATE TABLE orphan_candidates (content_id INTEGER NOT NULL)",
    *(
        f"CREATE TRIGGER {table}_{event}_orphan AFTER {event.upper()} ON {table} BEGIN "
        f"INSERT INTO orphan_candidates VALUES (old.{column}); END"
        for table, column in (("items", "content_id"), ("captions", "text_id"))
        for event in ("update", "delete")
    ),
)

# Contents that may have become present again.
PRESENCE = tuple(
    f"CREATE TRIGGER {table}_{event}_presence AFTER {event.upper()} ON {table} "
    f"WHEN (SELECT absent FROM contents WHERE id = new.{column}) BEGIN "
    f"INSERT INTO orphan_candidates VALUES (new.{column}); END"
    for table, event, column in (
        ("items", "insert", "content_id"),
        ("items", "update", "content_id"),
        ("captions", "insert", "text_id"),
    )
)


class Sqlite:
    """The SQL of SQLite; see `dialects.Dialect`."""

    def insert(self, table: Table) -> Insert:
        """Return SQLite's INSERT ... ON CONFLICT."""
        return insert(table)

    def contains(self, column: ColumnElement[Any], pattern: str) -> ColumnElement[bool]:
        """Return a call of our function `says`, which knows case beyond ASCII."""
        return as_type(func.says(column, pattern), Boolean)

    def path_fits(self, path: ColumnElement[Any], pattern: str) -> ColumnElement[bool]:
        """Return a call of our function `path_fits`."""
        return as_type(func.path_fits(type_coerce(path, LargeBinary), pattern), Boolean)

    def kilometres(self, latitude: Any, longitude: Any, to_latitude: float, to_longitude: float) -> ColumnElement[Any]:
        """Return a call of our function `kilometres`."""
        return func.kilometres(latitude, longitude, to_latitude, to_longitude)

    def elements(self, column: ColumnElement[Any]) -> TableValuedAlias:
        """Return SQLite's json_each."""
        return func.json_each(column).table_valued("value")

    def first_of(self, element: ColumnElement[Any]) -> ColumnElement[Any]:
        """Return SQLite's json_extract."""
        return func.json_extract(element, "$[0]")

    def full_text(self, connection: Connection) -> SqliteFullText:
        """Return the FTS5 index of a connection."""
        return SqliteFullText(connection)


def engine_of(path: Path, *, writable: bool, folder: Path | None = None) -> Engine:
    """Return an engine for a catalog file; with `folder`, its connections see only the rows of that folder."""
    # WAL needs a writable folder for its shared memory. Where there is none, no one writes: the file is immutable.
    mode = "rwc" if writable else ("ro" if os.access(path.parent, os.W_OK) else "ro&immutable=1")
    uri = _uri(path, mode)

    above = b"" if folder is None else os.fsencode(folder.parent).rstrip(b"/")

    def path_fits(file: bytes, pattern: str) -> bool:
        # Who sees one folder must not find out by patterns where it lies.
        return path_pattern.fits(os.fsdecode(file.removeprefix(above)), pattern)

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, check_same_thread=False)
        connection.execute("PRAGMA foreign_keys = ON")
        connection.create_function("says", 2, contains, deterministic=True)
        connection.create_function("path_fits", 2, path_fits, deterministic=True)
        connection.create_function("kilometres", 4, kilometres, deterministic=True)
        if writable:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
        if folder is not None:
            restrict(connection, folder)
        connection.isolation_level = None  # transactions are begun explicitly, below
        return connection

    # Opening a connection takes as long as a small query. One to an immutable file would not see that it has changed.
    pooled = {"poolclass": QueuePool, "pool_size": POOLED, "max_overflow": -1}
    engine = create_engine("sqlite://", creator=connect, **({"poolclass": NullPool} if "immutable" in mode else pooled))

    @event.listens_for(engine, "connect")
    def connected(_connection: sqlite3.Connection, record: ConnectionPoolEntry) -> None:
        record.info["file"] = _identity(path)

    @event.listens_for(engine, "checkout")
    def checked_out(_connection: sqlite3.Connection, record: ConnectionPoolEntry, _proxy: object) -> None:
        if record.info["file"] != _identity(path):  # as a repair does
            raise DisconnectionError

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:  # pragma: no cover  # called by SQLAlchemy
        # A transaction that reads first and writes then would fail at once if another one has written in between.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writes") else "BEGIN")

    return engine


@dataclass
class ChangeWatch:
    """Sees whether a catalog file has changed, by a connection of its own: SQLite's data version counts the commits
    of all others.
    """

    path: Path
    _connection: sqlite3.Connection | None = None
    _opened: int = 0  # data versions of one connection can be compared only
    _file: tuple[int, ...] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def state(self) -> tuple[int, int] | None:
        """Return a value that is another one after every committed change; None if that is not known."""
        if not os.access(self.path.parent, os.W_OK):
            return None  # it is read as a file that cannot change
        with self._lock:
            try:
                file = _identity(self.path)
                if self._connection is None or file != self._file:
                    self._reopen()
                    self._file = file
                assert self._connection is not None
                return self._opened, int(self._connection.execute("PRAGMA data_version").fetchone()[0])
            except sqlite3.Error:
                return None

    def close(self) -> None:
        """Close the connection; `state` opens it again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
            self._connection = None

    def _reopen(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = sqlite3.connect(
            _uri(self.path, "ro"), uri=True, timeout=BUSY_SECONDS, check_same_thread=False
        )
        self._opened += 1


def _uri(path: Path, mode: str) -> str:
    """Return a catalog file as SQLite opens it in a mode, which parameters may follow."""
    return f"file:{quote(os.fsencode(path.absolute()))}?mode={mode}"


def _identity(path: Path) -> tuple[int, ...] | None:
    """Return what changes when another file is put in the place of this one."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def contains(text: str | None, pattern: str) -> bool:
    """Whether a text contains a pattern, ignoring case; `*` matches anything."""
    return text is not None and _compiled(pattern).search(text.casefold()) is not None


@lru_cache(64)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, pattern.casefold().split("*"))), re.DOTALL)


def integrity(connection: Connection) -> list[str]:
    """Return what SQLite's own checks find wrong; empty if nothing is."""
    rows = [str(row[0]) for row in connection.execute(text("PRAGMA integrity_check(20)"))]
    orphans = connection.execute(text("PRAGMA foreign_key_check")).fetchall()
    return [row for row in rows if row != "ok"] + [f"a row of {row[0]} points to nothing" for row in orphans]


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Translate errors of SQLite into errors of this package."""
    try:
        yield
    except (DatabaseError, sqlite3.DatabaseError) as exc:
        raise _error(path, getattr(exc, "orig", exc) or exc) from exc


def _error(path: Path, cause: Any) -> Exception:
    message = str(cause)
    code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL or "disk is full" in message:
        return StorageFull(f"no room on the disk that holds {path}; free some and run it again: it goes on from here")
    if code == sqlite3.SQLITE_READONLY:
        return LibraryReadOnly(f"{path} cannot be written; check its permissions")
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return LibraryLocked(f"another process has {path} locked for more than {BUSY_SECONDS} s; try again later")
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return LibraryDamaged(f"{path} is damaged ({message}); `retrieval check --repair` saves what can be saved")
    if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return LibraryError(f"cannot open {path}: {message}; check its permissions")
    return LibraryError(f"{path}: {message}")
