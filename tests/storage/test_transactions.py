"""Snapshots: one state for all reads of a thread, and what was computed from a state, kept until it changes."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

from retrieval import Library
from retrieval.types.records import Kind

from ..conftest import Paint


def computed(library: Library, calls: list[int]) -> int:
    """A value that is computed from the catalog at most once for each of its states."""

    def work() -> int:
        calls.append(1)
        with library.storage.read() as catalog:
            return catalog.counts()[Kind.PICTURE]

    with library.storage.snapshot():
        return library.storage.once("a test's value", work)


def test_what_was_computed_is_kept_until_anything_is_written(library: Library, paint: Paint, tmp_path: Path) -> None:
    calls: list[int] = []
    library.index([paint("red.jpg").parent])
    assert [computed(library, calls) for _ in range(3)] == [1, 1, 1]
    assert len(calls) == 1
    library.index([paint("blue.jpg").parent])
    assert [computed(library, calls) for _ in range(2)] == [2, 2]
    assert len(calls) == 2
    with sqlite3.connect(library.path / "catalog.sqlite") as other:  # as another process does
        other.execute("UPDATE items SET rating = 3")
    other.close()
    computed(library, calls)
    assert len(calls) == 3


def test_a_value_is_that_of_the_snapshots_own_state(library: Library, paint: Paint) -> None:
    """A snapshot that began before a write neither reads nor leaves what is computed after it."""
    calls: list[int] = []
    folder = paint("red.jpg").parent
    library.index([folder])
    with library.storage.snapshot():
        paint("blue.jpg")
        writer = threading.Thread(target=library.index, args=([folder],))
        writer.start()
        writer.join()
        later: list[int] = []
        reader = threading.Thread(target=lambda: later.append(computed(library, calls)))
        reader.start()
        reader.join()
        assert later == [2]
        assert computed(library, calls) == 1
    assert computed(library, calls) == 2


def test_a_file_that_was_put_in_its_place_is_seen(library: Library, paint: Paint) -> None:
    library.index([paint("red.jpg").parent])
    before = library.storage.database.state()
    assert before is not None
    assert library.storage.database.state() == before
    catalog = library.path / "catalog.sqlite"
    other = catalog.with_suffix(".other")
    with sqlite3.connect(catalog) as old, sqlite3.connect(other) as new:
        old.backup(new)
    old.close()
    new.close()
    other.replace(catalog)
    assert library.storage.database.state() != before
