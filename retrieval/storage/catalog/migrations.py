"""Schema migrations: numbered functions, each run once and in order, in one transaction with the version number.

A new file gets the current tables at once; an older file is migrated step by step.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from sqlalchemy import Connection, text

from .dialects.sqlite import ORPHANS, PRESENCE
from .dialects.sqlite_full_text import INDEX, QUEUE, VISIBLE_VIEW
from .schema import metadata

log = logging.getLogger(__name__)


def m002_what_models_say(connection: Connection) -> None:
    """Add verdicts, vision features and the columns of generated captions."""
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
    """Add the earlier contents of sidecars that captions are written into."""
    connection.execute(
        text(
            "CREATE TABLE sidecars (path BLOB NOT NULL, before BLOB, after TEXT NOT NULL, made_at TEXT NOT NULL, "
            "PRIMARY KEY (path))"
        )
    )


def m004_frames(connection: Connection) -> None:
    """Allow several items per path: the frames of a video."""
    columns = (
        "id, path, content_id, size, mtime_ns, sidecar_mtime_ns, width, height, format, taken_at, camera, lens, "
        "latitude, longitude, orientation, title, description, keywords, rating"
    )
    for statement in (
        "ALTER TABLE items RENAME TO old_items",
        "DROP INDEX items_by_content",
        "DROP INDEX items_by_time",
        "CREATE TABLE items (id INTEGER NOT NULL, path BLOB NOT NULL, second FLOAT DEFAULT '-1' NOT NULL, "
        "content_id INTEGER NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, "
        "sidecar_mtime_ns INTEGER NOT NULL, width INTEGER NOT NULL, height INTEGER NOT NULL, format TEXT NOT NULL, "
        "taken_at TEXT, camera TEXT NOT NULL, lens TEXT NOT NULL, latitude FLOAT, longitude FLOAT, "
        "orientation INTEGER NOT NULL, title TEXT NOT NULL, description TEXT NOT NULL, keywords TEXT NOT NULL, "
        "rating INTEGER, PRIMARY KEY (id), UNIQUE (path, second), FOREIGN KEY(content_id) REFERENCES contents (id))",
        f"INSERT INTO items ({columns}) SELECT {columns} FROM old_items",
        "DROP TABLE old_items",
        "CREATE INDEX items_by_content ON items (content_id)",
        "CREATE INDEX items_by_time ON items (taken_at)",
    ):
        connection.execute(text(statement))


def m005_trials(connection: Connection) -> None:
    """Add trials: whether reranking with a vision-language model was found to help."""
    connection.execute(
        text(
            "CREATE TABLE trials (space_id INTEGER NOT NULL, model TEXT NOT NULL, points FLOAT NOT NULL, "
            "low FLOAT NOT NULL, high FLOAT NOT NULL, captions INTEGER NOT NULL, made_at TEXT NOT NULL, "
            "PRIMARY KEY (space_id, model), FOREIGN KEY(space_id) REFERENCES spaces (id) ON DELETE CASCADE)"
        )
    )


def m006_places(connection: Connection) -> None:
    """Add the city, region and country of items."""
    for column in ("city", "region", "country"):
        connection.execute(text(f"ALTER TABLE items ADD COLUMN {column} TEXT DEFAULT '' NOT NULL"))


def m007_readings(connection: Connection) -> None:
    """Add text in pictures (OCR)."""
    connection.execute(
        text(
            "CREATE TABLE readings (content_id INTEGER NOT NULL, engine TEXT NOT NULL, lines TEXT NOT NULL, "
            "made_at TEXT NOT NULL, PRIMARY KEY (content_id), "
            "FOREIGN KEY(content_id) REFERENCES contents (id) ON DELETE CASCADE)"
        )
    )


def m008_words(connection: Connection) -> None:
    """Add full text, and queue all pictures for it."""
    for statement in _m008_statements():
        connection.execute(text(statement))
    connection.execute(text("INSERT INTO unread SELECT content_id FROM items"))


def _m008_statements() -> list[str]:
    """Return the full-text table, its queue and its triggers, as version 8 had them."""
    triggers = [
        f"CREATE TRIGGER {table}_{event}_{row} AFTER {event.upper()} ON {table} WHEN {row}.{column} IS NOT NULL BEGIN "
        f"INSERT INTO unread VALUES ({row}.{column}); END"
        for table, column in (("items", "content_id"), ("captions", "picture_id"), ("readings", "content_id"))
        for event, row in (("insert", "new"), ("update", "old"), ("update", "new"), ("delete", "old"))
    ]
    return [
        "CREATE VIRTUAL TABLE words USING fts5(captions, told, about, names, written, "
        "tokenize = 'porter unicode61 remove_diacritics 2')",
        "CREATE TABLE unread (content_id INTEGER NOT NULL)",
        *triggers,
    ]


def m009_collections(connection: Connection) -> None:
    """Add fingerprints, saved searches and examples of concepts."""
    for statement in (
        "CREATE TABLE fingerprints (content_id INTEGER NOT NULL, bits INTEGER NOT NULL, PRIMARY KEY (content_id), "
        "FOREIGN KEY(content_id) REFERENCES contents (id) ON DELETE CASCADE)",
        "CREATE TABLE saved (name TEXT NOT NULL, query TEXT NOT NULL, made_at TEXT NOT NULL, PRIMARY KEY (name))",
        "CREATE TABLE examples (name TEXT NOT NULL, content_id INTEGER NOT NULL, wanted INTEGER NOT NULL, "
        "PRIMARY KEY (name, content_id), FOREIGN KEY(content_id) REFERENCES contents (id) ON DELETE CASCADE)",
    ):
        connection.execute(text(statement))


def m010_seen(connection: Connection) -> None:
    """Add the view of what full text may return: everything, unless a connection is limited to a folder."""
    connection.execute(text("CREATE VIEW seen AS SELECT id FROM contents"))


def m011_clock(connection: Connection) -> None:
    """Add the index by the camera's clock."""
    connection.execute(text("CREATE INDEX items_by_clock ON items (coalesce(substr(taken_at, 1, 19), ''), id)"))


def m012_stamps(connection: Connection) -> None:
    """Add size and modification time of vector files as they were written."""
    for name in ("size", "mtime_ns"):
        connection.execute(text(f"ALTER TABLE vector_files ADD COLUMN {name} INTEGER DEFAULT '-1' NOT NULL"))


def m013_loose(connection: Connection) -> None:
    """Record orphan candidates by triggers, and index items without a place.

    Before this, each indexing run scanned the whole library for them.
    """
    connection.execute(
        text(
            "CREATE INDEX items_unplaced ON items (id) "
            "WHERE latitude IS NOT NULL AND longitude IS NOT NULL AND country = ''"
        )
    )
    for statement in _m013_statements():
        connection.execute(text(statement))
    connection.execute(text("INSERT INTO loose SELECT id FROM contents"))


def _m013_statements() -> list[str]:
    """Return the list of orphan candidates and its triggers, as version 13 had them."""
    return ["CREATE TABLE loose (content_id INTEGER NOT NULL)"] + [
        f"CREATE TRIGGER {table}_{event}_loose AFTER {event.upper()} ON {table} BEGIN "
        f"INSERT INTO loose VALUES (old.{column}); END"
        for table, column in (("items", "content_id"), ("captions", "text_id"))
        for event in ("update", "delete")
    ]


def m014_forgetting(connection: Connection) -> None:
    """Add the index of embeddings by content, so that deleting contents does not scan all embeddings."""
    connection.execute(text("CREATE INDEX embeddings_by_content ON embeddings (content_id)"))


def m015_names(connection: Connection) -> None:
    """Give tables the names of what they hold; the rows stay as they are."""
    triggers = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars().all()
    for statement in (
        *(f"DROP TRIGGER {name}" for name in triggers),
        "DROP VIEW seen",
        "ALTER TABLE looks RENAME TO vision_features",
        "ALTER TABLE vision_features RENAME COLUMN look TO features",
        "ALTER TABLE readings RENAME TO ocr_lines",
        "ALTER TABLE trials RENAME TO rerank_trials",
        "ALTER TABLE words RENAME TO full_text",
        "ALTER TABLE loose RENAME TO orphan_candidates",
        "ALTER TABLE unread RENAME TO fts_queue",
        *(statement for statement in (*ORPHANS, *QUEUE) if statement.startswith("CREATE TRIGGER")),
        VISIBLE_VIEW,
    ):
        connection.execute(text(statement))


def m016_absence(connection: Connection) -> None:
    """Keep files that are not there, their change times, and what metadata is read since.

    No file has a change time yet, so that the next indexing run reads the metadata of each one anew.
    """
    columns = {
        "items": (
            "ctime_ns INTEGER DEFAULT '0' NOT NULL, sidecar_digest TEXT DEFAULT '' NOT NULL, taken_to TEXT, "
            "date_precision TEXT DEFAULT 'second' NOT NULL, date_from_name INTEGER DEFAULT '0' NOT NULL, "
            "comments TEXT DEFAULT '[]' NOT NULL, people TEXT DEFAULT '[]' NOT NULL, iso INTEGER, aperture FLOAT, "
            "focal_length FLOAT, exposure FLOAT, damaged INTEGER DEFAULT '0' NOT NULL, absent_since TEXT"
        ),
        "contents": "absent INTEGER DEFAULT '0' NOT NULL",
        "problems": "ctime_ns INTEGER DEFAULT '0' NOT NULL",
        "roots": "passed_over TEXT DEFAULT '{}' NOT NULL",
    }
    for statement in (
        *(f"ALTER TABLE {table} ADD COLUMN {each}" for table, some in columns.items() for each in some.split(", ")),
        "ALTER TABLE items DROP COLUMN sidecar_mtime_ns",
        "CREATE TABLE live_photo_films (path BLOB NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, "
        "ctime_ns INTEGER NOT NULL, PRIMARY KEY (path))",
        "DROP INDEX items_unplaced",
        "CREATE INDEX items_unplaced ON items (id) "
        "WHERE latitude IS NOT NULL AND longitude IS NOT NULL AND (city = '' OR country = '')",
        "CREATE INDEX items_absent ON items (absent_since) WHERE absent_since IS NOT NULL",
        *PRESENCE,
    ):
        connection.execute(text(statement))


def m017_folder_names(connection: Connection) -> None:
    """Keep the names of folders apart from the names of files in the full text, which is read anew."""
    for statement in (
        "DROP TABLE full_text",
        INDEX,
        "INSERT INTO fts_queue SELECT DISTINCT content_id FROM items",
    ):
        connection.execute(text(statement))


def m018_jobs(connection: Connection) -> None:
    """Keep the indexing jobs of servers."""
    connection.execute(text("CREATE TABLE jobs (id INTEGER NOT NULL, job TEXT NOT NULL, PRIMARY KEY (id))"))


MIGRATIONS: tuple[Callable[[Connection], None], ...] = (  # the first one starts from version 1
    m002_what_models_say,
    m003_sidecars,
    m004_frames,
    m005_trials,
    m006_places,
    m007_readings,
    m008_words,
    m009_collections,
    m010_seen,
    m011_clock,
    m012_stamps,
    m013_loose,
    m014_forgetting,
    m015_names,
    m016_absence,
    m017_folder_names,
    m018_jobs,
)
VERSION = 1 + len(MIGRATIONS)


def version_of(connection: Connection) -> int:
    """Return the schema version of the file; 0 if it is empty."""
    return int(connection.execute(text("PRAGMA user_version")).scalar_one())


def migrate(connection: Connection) -> None:
    """Create the tables in an empty file, or run the migrations that an older file lacks."""
    version = version_of(connection)
    if not version:
        metadata.create_all(connection)
        for statement in (INDEX, *QUEUE, VISIBLE_VIEW, *ORPHANS, *PRESENCE):
            connection.execute(text(statement))
    else:
        for number in range(version, VERSION):
            log.info("migrating the catalog from version %d to %d", number, number + 1)
            MIGRATIONS[number - 1](connection)
    connection.execute(text(f"PRAGMA user_version = {VERSION}"))
