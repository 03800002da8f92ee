"""The catalog: rolls back unless committed, keeps strange names, remembers its history."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from retrieval.errors import LibraryDamaged
from retrieval.storage.catalog import Database
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
        catalog.contents.settle()
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
        catalog.problems.put(problem, ScannedFile(Path("/x.jpg"), 7, 8, 9))
        assert catalog.problems.all() == {Path("/x.jpg"): (problem, 7, 8, 9)}
        catalog.problems.clear([Path("/x.jpg")])
        assert catalog.problems.all() == {}


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
