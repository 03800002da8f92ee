"""The schema's history: numbered functions, each run once, in order, in one transaction with its number."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection, text

from .schema import metadata


def m001_first_tables(connection: Connection) -> None:
    """Everything of version 0.1."""
    metadata.create_all(connection)


MIGRATIONS: tuple[Callable[[Connection], None], ...] = (m001_first_tables,)
VERSION = len(MIGRATIONS)


def version_of(connection: Connection) -> int:
    """How many migrations the database has seen."""
    return int(connection.execute(text("PRAGMA user_version")).scalar_one())


def migrate(connection: Connection) -> None:
    """Run the migrations that are still missing."""
    for number in range(version_of(connection), VERSION):
        MIGRATIONS[number](connection)
        connection.execute(text(f"PRAGMA user_version = {number + 1}"))
