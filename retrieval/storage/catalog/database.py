"""One SQLite file: opening, transactions, durability, and translation of its errors into those of this package.

Does not know what the tables mean.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import NullPool

from ...errors import LibraryDamaged, LibraryError, LibraryLocked, LibraryReadOnly, LibraryVersionError, StorageFull
from .functions import register
from .migrations import VERSION, migrate, version_of
from .row_security import restrict

BUSY_SECONDS = 10


class Database:
    """An opened catalog file. Each use of it is a transaction that is rolled back on error."""

    def __init__(self, path: Path, engine: Engine) -> None:
        self.path = path
        self.engine = engine

    def within(self, folder: Path) -> Database:
        """Return a read-only view of the same file, limited to the rows of one folder."""
        return Database(self.path, _engine(self.path, writable=os.access(self.path, os.W_OK), folder=folder))

    @classmethod
    def open(cls, path: Path, *, read_only: bool = False) -> Database:
        """Open a file made by `create`; if it can be written, migrate it to the current schema version.

        Raises:
            LibraryVersionError: the file is newer than this version of the package, or older and read-only.
            LibraryDamaged: the file is empty, damaged or not an SQLite file.
        """
        writable = not read_only and os.access(path.parent, os.W_OK) and os.access(path, os.W_OK)
        database = cls(path, _engine(path, writable=writable))
        with database.connect() as connection:
            found = version_of(connection)
        if found > VERSION:
            raise LibraryVersionError(
                f"{path} has version {found}, this program reads up to {VERSION}; install a newer `retrieval`"
            )
        if found == 0:
            raise LibraryDamaged(f"{path} holds no catalog; delete {path.parent} and index again")
        if found < VERSION and not writable:
            raise LibraryVersionError(f"{path} has the older version {found}; open it once where it can be written")
        if found < VERSION:
            with database.begin() as connection:
                migrate(connection)
        return database

    @classmethod
    def create(cls, path: Path) -> Database:
        """Create the file with all its tables."""
        database = cls(path, _engine(path, writable=True))
        with database.begin() as connection:
            migrate(connection)
        return database

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """Yield a connection for reading."""
        with _translated(self.path), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Yield a connection in a write transaction: committed at the end, rolled back on any error."""
        with _translated(self.path), self.engine.connect() as connection:
            yield connection
            connection.commit()

    def integrity(self) -> list[str]:
        """Return what SQLite's own checks find wrong; an empty list if nothing is."""
        try:
            with self.connect() as connection:
                rows = [str(row[0]) for row in connection.execute(text("PRAGMA integrity_check(20)"))]
                orphans = connection.execute(text("PRAGMA foreign_key_check")).fetchall()
        except LibraryDamaged as exc:
            return [str(exc)]
        return [row for row in rows if row != "ok"] + [f"a row of {row[0]} points to nothing" for row in orphans]

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def _engine(path: Path, *, writable: bool, folder: Path | None = None) -> Engine:
    # WAL needs a writable folder for its shared memory. Where there is none, no one writes: the file is immutable.
    mode = "rwc" if writable else ("ro" if os.access(path.parent, os.W_OK) else "ro&immutable=1")
    uri = f"file:{quote(os.fsencode(path.absolute()))}?mode={mode}"

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, check_same_thread=False)
        connection.execute("PRAGMA foreign_keys = ON")
        register(connection)
        if writable:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
        if folder is not None:
            restrict(connection, folder)
        connection.isolation_level = None  # transactions are begun explicitly, below
        return connection

    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:  # pragma: no cover  # called by SQLAlchemy
        connection.exec_driver_sql("BEGIN")

    return engine


@contextmanager
def _translated(path: Path) -> Iterator[None]:
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
