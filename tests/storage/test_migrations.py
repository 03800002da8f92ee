"""Migrations: an older catalog becomes what a new one is, its rows stay, and a newer one is refused."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from retrieval.errors import LibraryVersionError
from retrieval.storage.catalog import Database
from retrieval.storage.catalog.migrations import MIGRATIONS, VERSION
from retrieval.types.records import Space

SPACE = Space("colours", 3, "1")


def test_a_newer_catalog_is_refused_with_its_version(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    Database.create(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    with pytest.raises(LibraryVersionError, match=f"version {VERSION + 1}"):
        Database.open(path)


def triggers_and_views(path: Path) -> dict[str, str]:
    """The text of every trigger and view, by its name, without SQLite's own quotes."""
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE type IN ('trigger', 'view')")
        return {name: sql.replace('"', "") for name, sql in rows}


def tables(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Names, types, defaults and keys of every column, and every index."""
    with sqlite3.connect(path) as connection:
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {
            name: sorted(row[1:] for row in connection.execute(f"PRAGMA table_info({name})"))
            + sorted(row[1:] for row in connection.execute(f"PRAGMA index_list({name})"))
            + sorted(row[2:] for row in connection.execute(f"PRAGMA foreign_key_list({name})"))
            for name in sorted(names)
        }


def test_an_older_catalog_is_migrated_to_what_a_new_one_has(tmp_path: Path) -> None:
    old, new = tmp_path / "old.sqlite", tmp_path / "new.sqlite"
    with sqlite3.connect(old) as connection:
        connection.executescript((Path(__file__).parent / "catalog_v1.sql").read_text(encoding="utf-8"))
        connection.execute("INSERT INTO contents (kind, hash, text) VALUES ('text', 'h', 'words')")
        connection.execute("INSERT INTO captions (text_id, source, origin) VALUES (1, 'file', x'61')")
    Database.open(old).close()
    Database.create(new).close()
    assert tables(old) == tables(new)
    assert triggers_and_views(old) == triggers_and_views(new)
    with sqlite3.connect(old) as connection:
        assert connection.execute("SELECT source, model FROM captions").fetchall() == [("file", "")]
        assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)


def test_rows_keep_their_place_when_tables_get_other_names(tmp_path: Path) -> None:
    """From version 14 on, tables are called what they hold; full text, verdicts and the rest are still there."""
    path = tmp_path / "catalog.sqlite"
    with sqlite3.connect(path) as connection:
        connection.executescript((Path(__file__).parent / "catalog_v1.sql").read_text(encoding="utf-8"))
        connection.execute("INSERT INTO contents (kind, hash, text) VALUES ('picture', 'p', '')")
        columns = (
            "path, content_id, size, mtime_ns, sidecar_mtime_ns, width, height, format, camera, lens, orientation, "
        )
        connection.execute(
            f"INSERT INTO items ({columns} title, description, keywords) "
            "VALUES (x'2f612e6a7067', 1, 1, 1, 0, 9, 9, 'JPEG', '', '', 1, '', '', '[]')"
        )
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as old:
        for migration in MIGRATIONS[: 14 - 1]:
            migration(old)
        old.exec_driver_sql("INSERT INTO looks VALUES (1, 'm', 1, x'003c')")
        old.exec_driver_sql("INSERT INTO readings VALUES (1, 'engine', '[[\"TOTAL 12\", 0, 0, 1, 1]]', 'now')")
        old.exec_driver_sql("INSERT INTO words (rowid, written) VALUES (1, 'before')")
        old.exec_driver_sql("PRAGMA user_version = 14")
    engine.dispose()
    database = Database.open(path)
    with database.transaction() as catalog:
        assert catalog.annotations.vision_features("m", [1])[1].tolist() == [[1.0]]
        assert catalog.annotations.ocr_lines([1])[1][0].label == "TOTAL 12"
    with database.read() as catalog:
        places = list(catalog.full_text.counts(["total"]))
        assert list(catalog.full_text.holders(places).values()) == [[1]], "what was queued by the old triggers is read"
    database.close()
