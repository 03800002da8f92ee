"""The schema's history: numbered functions, each run once, in order, in one transaction with its number.

A new file begins with the tables as they are now; an older one is brought there step by step.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection, text

from .schema import metadata


def m002_what_models_say(connection: Connection) -> None:
    """Judgements, looks, and captions that a model made."""
    for column in ("model", "prompt", "made_at"):
        connection.execute(text(f"ALTER TABLE captions ADD COLUMN {column} TEXT DEFAULT '' NOT NULL"))
    connection.execute(
        text(
            "CREATE TABLE judgements (content_id INTEGER NOT NULL, question TEXT NOT NULL, model TEXT NOT NULL, "
            "yes FLOAT NOT NULL, mass FLOAT NOT NULL, made_at TEXT NOT NULL, "
            "PRIMARY KEY (content_id, question, model), "
            "FOREIGN KEY(content_id) REFERENCES contents (id) ON DELETE CASCADE)"
        )
    )
    connection.execute(
        text(
            "CREATE TABLE looks (content_id INTEGER NOT NULL, model TEXT NOT NULL, tokens INTEGER NOT NULL, "
            "look BLOB NOT NULL, PRIMARY KEY (content_id, model), "
            "FOREIGN KEY(content_id) REFERENCES contents (id) ON DELETE CASCADE)"
        )
    )


def m003_sidecars(connection: Connection) -> None:
    """What sidecars were before captions were written into them."""
    connection.execute(
        text(
            "CREATE TABLE sidecars (path BLOB NOT NULL, before BLOB, after TEXT NOT NULL, made_at TEXT NOT NULL, "
            "PRIMARY KEY (path))"
        )
    )


MIGRATIONS: tuple[Callable[[Connection], None], ...] = (m002_what_models_say, m003_sidecars)  # from version 1 on
VERSION = 1 + len(MIGRATIONS)


def version_of(connection: Connection) -> int:
    """The version of the tables; 0 for an empty file."""
    return int(connection.execute(text("PRAGMA user_version")).scalar_one())


def migrate(connection: Connection) -> None:
    """Make the tables of an empty file, or run the migrations that an older one lacks."""
    found = version_of(connection)
    if not found:
        metadata.create_all(connection)
    else:
        for number in range(found, VERSION):
            MIGRATIONS[number - 1](connection)
    connection.execute(text(f"PRAGMA user_version = {VERSION}"))
