"""The catalog: rolls back unless committed, keeps strange names, remembers its history."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from retrieval.errors import LibraryDamaged, LibraryVersionError
from retrieval.storage.catalog import Catalog, Database
from retrieval.storage.catalog.annotations import Annotations
from retrieval.storage.catalog.embeddings import Embeddings, VectorFile
from retrieval.storage.catalog.migrations import VERSION
from retrieval.types.records import Facts, Judgement, Kind, Problem, Reason, ScannedFile, Space

SPACE = Space("colours", 3, "1")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database.create(tmp_path / "catalog.sqlite")
    yield database
    database.close()


def test_rolls_back_unless_the_block_ends_well(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.begin() as connection:
        Catalog(connection).add_content(Kind.TEXT, "h", "words")
        raise ZeroDivisionError
    with database.connect() as connection:
        assert Catalog(connection).content(Kind.TEXT, "h") is None


def test_a_committed_block_is_there_for_other_connections(database: Database) -> None:
    with database.begin() as connection:
        Catalog(connection).add_content(Kind.TEXT, "h", "words")
    with sqlite3.connect(database.path) as other:
        assert other.execute("SELECT text FROM contents").fetchall() == [("words",)]


def test_it_is_durable_and_checks_foreign_keys(database: Database) -> None:
    with database.connect() as connection:
        values = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    assert values == ["wal", 2, 1]


def test_a_name_that_is_not_utf8_comes_back_unchanged(database: Database) -> None:
    path = Path(os.fsdecode(b"/photos/caf\xe9\xff.jpg"))
    with database.begin() as connection:
        catalog = Catalog(connection)
        content = catalog.add_content(Kind.PICTURE, "h")
        catalog.put_item(ScannedFile(path, 1, 2), [(content, None)], Facts(keywords=("a", "ü")))
    with database.connect() as connection:
        item = next(Catalog(connection).items())
    assert (item.path, item.facts.keywords) == (path, ("a", "ü"))


def test_the_first_space_serves_and_another_is_served_when_told(database: Database) -> None:
    other = Space("builtin", 256, "x")
    with database.begin() as connection:
        catalog = Catalog(connection)
        first, second = catalog.add_space(SPACE), catalog.add_space(other)
        assert catalog.active_space() == (first, SPACE)
        catalog.serve(second)
        assert catalog.active_space() == (second, other)
        assert catalog.add_space(SPACE) == first


def test_contents_no_file_holds_are_dropped_and_the_vector_files_are_told(database: Database) -> None:
    with database.begin() as connection:
        catalog = Catalog(connection)
        space = catalog.add_space(SPACE)
        content = catalog.add_content(Kind.PICTURE, "h")
        catalog.put_item(ScannedFile(Path("/a.jpg"), 1, 1), [(content, None)], Facts())
        stored = Embeddings(connection, space, Kind.PICTURE, 3)
        stored.put([content], np.array([[1, 0, 0]], np.float32))
        before = stored.last_change()
        catalog.remove_items([Path("/a.jpg")])
        catalog.drop_orphans()
        assert stored.count() == 0
        assert [part.tolist() for part in stored.changes_after(before)] == [[], [content]]


def test_a_file_that_knows_the_changes_lets_them_be_forgotten(database: Database) -> None:
    with database.begin() as connection:
        catalog = Catalog(connection)
        space, content = catalog.add_space(SPACE), catalog.add_content(Kind.PICTURE, "h")
        stored = Embeddings(connection, space, Kind.PICTURE, 3)
        stored.put([content], np.array([[0, 1, 0]], np.float32))
        upto = stored.last_change()
        stored.put_file(VectorFile("faiss", "f", upto, "sum"))
        assert (stored.last_change(), stored.changes_after(0)[0].tolist()) == (upto, [])


def test_a_problem_is_kept_with_the_state_of_its_file(database: Database) -> None:
    problem = Problem(Path("/x.jpg"), Reason.TRUNCATED, "broken")
    with database.begin() as connection:
        catalog = Catalog(connection)
        catalog.put_problem(problem, ScannedFile(Path("/x.jpg"), 7, 8))
        assert catalog.problems() == {Path("/x.jpg"): (problem, 7, 8)}
        catalog.clear_problems([Path("/x.jpg")])
        assert catalog.problems() == {}


def test_a_newer_catalog_is_refused_with_its_version(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    Database.create(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    with pytest.raises(LibraryVersionError, match=f"version {VERSION + 1}"):
        Database.open(path)


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
    with sqlite3.connect(old) as connection:
        assert connection.execute("SELECT source, model FROM captions").fetchall() == [("file", "")]
        assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)


def test_what_a_model_said_is_kept_and_a_humans_words_stay(database: Database) -> None:
    with database.begin() as connection:
        catalog, said = Catalog(connection), Annotations(connection)
        picture = catalog.add_content(Kind.PICTURE, "p")
        catalog.put_item(ScannedFile(Path("/a.jpg"), 1, 1), [(picture, None)], Facts())
        words = {text: catalog.add_content(Kind.TEXT, text, text) for text in ("by hand", "one", "two", "edited")}
        assert said.without_caption("m", of_any_source=True) == [picture]
        said.put_caption(picture, words["one"], "m", "say")
        catalog.put_captions(picture, [words["by hand"]], "file", Path("/t.csv"))
        said.put_caption(picture, words["two"], "m", "say")
        assert catalog.captions_of([picture]) == {picture: ["by hand", "two"]}
        assert said.without_caption("m", of_any_source=False) == []
        assert said.without_caption("n", of_any_source=False) == [picture]
        said.put_edited(picture, words["edited"])
        assert catalog.captions_of([picture]) == {picture: ["edited", "by hand"]}
        assert said.without_caption("n", of_any_source=False) == []


def test_a_judgement_is_kept_by_content_question_and_model(database: Database) -> None:
    with database.begin() as connection:
        said = Annotations(connection)
        pictures = [Catalog(connection).add_content(Kind.PICTURE, each) for each in "ab"]
        said.put_judgements("a dog", "m", {pictures[0]: Judgement(0.25, 0.5)})
        said.put_judgements("a dog", "m", {pictures[0]: Judgement(0.75, 1.0)})
        assert said.judgements("a dog", "m", pictures) == {pictures[0]: Judgement(0.75, 1.0)}
        assert said.judgements("a dog", "n", pictures) == said.judgements("a cat", "m", pictures) == {}


def test_a_file_that_is_no_database_is_named_as_damaged(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(LibraryDamaged, match="check --repair"):
        Database.open(path)
