"""The catalog: rolls back unless committed, keeps strange names, remembers its history."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import create_engine

from retrieval.errors import LibraryDamaged, LibraryVersionError
from retrieval.storage.catalog import Database
from retrieval.storage.catalog.migrations import MIGRATIONS, VERSION
from retrieval.types.records import Facts, Judgement, Kind, Problem, Reason, ScannedFile, Space
from retrieval.vectors import SyncPoint

SPACE = Space("colours", 3, "1")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database.create(tmp_path / "catalog.sqlite")
    yield database
    database.close()


def test_rolls_back_unless_the_block_ends_well(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.transaction() as catalog:
        catalog.contents.add(Kind.TEXT, "h", "words")
        raise ZeroDivisionError
    with database.read() as catalog:
        assert catalog.contents.find(Kind.TEXT, "h") is None


def test_a_committed_block_is_there_for_other_connections(database: Database) -> None:
    with database.transaction() as catalog:
        catalog.contents.add(Kind.TEXT, "h", "words")
    with sqlite3.connect(database.path) as other:
        assert other.execute("SELECT text FROM contents").fetchall() == [("words",)]


def test_it_is_durable_and_checks_foreign_keys(database: Database) -> None:
    with database.read() as catalog:
        values = [
            catalog.items._connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    assert values == ["wal", 2, 1]


def test_a_name_that_is_not_utf8_comes_back_unchanged(database: Database) -> None:
    path = Path(os.fsdecode(b"/photos/caf\xe9\xff.jpg"))
    with database.transaction() as catalog:
        content = catalog.contents.add(Kind.PICTURE, "h")
        catalog.items.put(ScannedFile(path, 1, 2), [(content, None)], Facts(keywords=("a", "ü")))
    with database.read() as catalog:
        item = next(catalog.items.all())
    assert (item.path, item.facts.keywords) == (path, ("a", "ü"))


def test_the_first_space_serves_and_another_is_served_when_told(database: Database) -> None:
    other = Space("builtin", 256, "x")
    with database.transaction() as catalog:
        first, second = catalog.spaces.add(SPACE), catalog.spaces.add(other)
        assert catalog.spaces.active() == (first, SPACE)
        catalog.spaces.activate(second)
        assert catalog.spaces.active() == (second, other)
        assert catalog.spaces.add(SPACE) == first


def test_contents_no_file_holds_are_dropped_and_the_vector_files_are_told(database: Database) -> None:
    with database.transaction() as catalog:
        space = catalog.spaces.add(SPACE)
        content = catalog.contents.add(Kind.PICTURE, "h")
        catalog.items.put(ScannedFile(Path("/a.jpg"), 1, 1), [(content, None)], Facts())
        stored = catalog.embeddings(space, SPACE, Kind.PICTURE)
        stored.put([content], np.array([[1, 0, 0]], np.float32))
        before = stored.last_change()
        catalog.items.remove([Path("/a.jpg")])
        catalog.contents.drop_orphans()
        assert stored.count() == 0
        assert [part.tolist() for part in stored.changes_after(before)] == [[], [content]]


def test_a_file_that_knows_the_changes_lets_them_be_forgotten(database: Database) -> None:
    with database.transaction() as catalog:
        space, content = catalog.spaces.add(SPACE), catalog.contents.add(Kind.PICTURE, "h")
        stored = catalog.embeddings(space, SPACE, Kind.PICTURE)
        stored.put([content], np.array([[0, 1, 0]], np.float32))
        upto = stored.last_change()
        stored.put_file(SyncPoint("faiss", "f", upto, "sum"))
        assert (stored.last_change(), stored.changes_after(0)[0].tolist()) == (upto, [])


def test_a_problem_is_kept_with_the_state_of_its_file(database: Database) -> None:
    problem = Problem(Path("/x.jpg"), Reason.TRUNCATED, "broken")
    with database.transaction() as catalog:
        catalog.problems.put(problem, ScannedFile(Path("/x.jpg"), 7, 8))
        assert catalog.problems.all() == {Path("/x.jpg"): (problem, 7, 8)}
        catalog.problems.clear([Path("/x.jpg")])
        assert catalog.problems.all() == {}


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
        assert catalog.full_text.search("total", 5) == [1], "what was queued by the old triggers is read"
    database.close()


def test_what_a_model_said_is_kept_and_a_humans_words_stay(database: Database) -> None:
    with database.transaction() as catalog:
        said = catalog.captions
        picture = catalog.contents.add(Kind.PICTURE, "p")
        catalog.items.put(ScannedFile(Path("/a.jpg"), 1, 1), [(picture, None)], Facts())
        words = {text: catalog.contents.add(Kind.TEXT, text, text) for text in ("by hand", "one", "two", "edited")}
        assert said.lacking("m", of_any_source=True) == [picture]
        said.put_generated(picture, words["one"], "m", "say")
        catalog.captions.link(picture, [words["by hand"]], "file", Path("/t.csv"))
        said.put_generated(picture, words["two"], "m", "say")
        assert catalog.captions.of([picture]) == {picture: ["by hand", "two"]}
        assert said.lacking("m", of_any_source=False) == []
        assert said.lacking("n", of_any_source=False) == [picture]
        said.put_edited(picture, words["edited"])
        assert catalog.captions.of([picture]) == {picture: ["edited", "by hand"]}
        assert said.lacking("n", of_any_source=False) == []


def test_a_judgement_is_kept_by_content_question_and_model(database: Database) -> None:
    with database.transaction() as catalog:
        said = catalog.annotations
        pictures = [catalog.contents.add(Kind.PICTURE, each) for each in "ab"]
        said.put_judgements("a dog", "m", {pictures[0]: Judgement(0.25, 0.5)})
        said.put_judgements("a dog", "m", {pictures[0]: Judgement(0.75, 1.0)})
        assert said.judgements("a dog", "m", pictures) == {pictures[0]: Judgement(0.75, 1.0)}
        assert said.judgements("a dog", "n", pictures) == said.judgements("a cat", "m", pictures) == {}


def test_a_file_that_is_no_database_is_named_as_damaged(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(LibraryDamaged, match="check --repair"):
        Database.open(path)
