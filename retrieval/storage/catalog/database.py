"""The database of a catalog: opened, created, migrated, and used in transactions.

Does not know what the tables mean.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine

from ...errors import LibraryDamaged, LibraryVersionError
from ...runtime import private_files
from .dialects.sqlite import ChangeWatch, Sqlite, engine_of, integrity, translated
from .migrations import VERSION, migrate, version_of
from .session import CatalogSession


class Database:
    """An opened catalog file. Each use of it is a transaction that is rolled back on error."""

    def __init__(self, path: Path, engine: Engine) -> None:
        self.path = path
        self.dialect = Sqlite()
        self._engine = engine
        self._watch = ChangeWatch(path)

    def within(self, folder: Path) -> Database:
        """Return a read-only view of the same file, limited to the rows of one folder."""
        return Database(self.path, engine_of(self.path, writable=os.access(self.path, os.W_OK), folder=folder))

    @classmethod
    def open(cls, path: Path, *, read_only: bool = False) -> Database:
        """Open a file made by `create`; if it can be written, migrate it to the current schema version.

        Raises:
            LibraryVersionError: the file is newer than this version of the package, or older and read-only.
            LibraryDamaged: the file is empty, damaged or not an SQLite file.
        """
        writable = not read_only and os.access(path.parent, os.W_OK) and os.access(path, os.W_OK)
        database = cls(path, engine_of(path, writable=writable))
        with database._connection() as connection:
            version = version_of(connection)
        if version > VERSION:
            raise LibraryVersionError(
                f"{path} has version {version}, this program reads up to {VERSION}; install a newer `retrieval`"
            )
        if version == 0:
            raise LibraryDamaged(f"{path} holds no catalog; delete {path.parent} and index again")
        if version < VERSION and not writable:
            raise LibraryVersionError(f"{path} has the older version {version}; open it once where it can be written")
        if version < VERSION:
            database._migrate()
        return database

    @classmethod
    def create(cls, path: Path) -> Database:
        """Create the file with all its tables, for its owner alone."""
        private_files.make_file(path)
        database = cls(path, engine_of(path, writable=True))
        database._migrate()
        return database

    @contextmanager
    def read(self) -> Iterator[CatalogSession]:
        """Yield a session for reading: everything in it comes from one moment."""
        with self._connection() as connection:
            yield CatalogSession(connection, self.dialect)

    @contextmanager
    def transaction(self) -> Iterator[CatalogSession]:
        """Yield a session for writing: committed at the end, rolled back on any error."""
        with self._connection(writes=True) as connection:
            session = CatalogSession(connection, self.dialect)
            yield session
            session.full_text.refresh()
            connection.commit()

    def state(self) -> object:
        """Return a value that is another one after every committed change, by any process; None if that is not known.

        Values of two objects, or of two processes, cannot be compared.
        """
        return self._watch.state()

    def integrity(self) -> list[str]:
        """Return what the database's own checks find wrong; an empty list if nothing is."""
        try:
            with self._connection() as connection:
                return integrity(connection)
        except LibraryDamaged as exc:
            return [str(exc)]

    def close(self) -> None:
        """Close every connection."""
        self._watch.close()
        self._engine.dispose()

    def _migrate(self) -> None:
        with self._connection(writes=True) as connection:
            migrate(connection)
            connection.commit()

    @contextmanager
    def _connection(self, *, writes: bool = False) -> Iterator[Connection]:
        with translated(self.path), self._engine.connect() as connection:
            connection.execution_options(writes=writes)
            yield connection
