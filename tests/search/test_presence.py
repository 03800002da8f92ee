"""A path that leads nowhere is never shown as a hit."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

import pytest

from retrieval import Library
from retrieval.types.records import Kind


def test_a_file_that_vanished_since_is_left_out_and_that_is_said(library: Library, photos: Path) -> None:
    library.index([photos])
    (photos / "red.jpg").unlink()
    answer = library.search("red", threshold="none")
    assert len(answer.hits) == 3
    assert [hit.rank for hit in answer.hits] == [1, 2, 3]
    assert any("1 hit is a file that is not there now; `retrieval index`" in note for note in answer.notes)


def test_a_copy_that_is_there_comes_first(library: Library, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "zz").mkdir()
    shutil.copy(photos / "red.jpg", tmp_path / "zz" / "red.jpg")
    library.index([photos, tmp_path / "zz"])
    (photos / "red.jpg").unlink()
    hit = library.search("red", k=1).hits[0]
    assert (hit.path, hit.copies) == (tmp_path / "zz" / "red.jpg", ())


def test_a_text_stays_without_its_picture(library: Library, photos: Path) -> None:
    library.index([photos])
    library.captions.set(photos / "red.jpg", "red paint")
    (photos / "red.jpg").unlink()
    (hit,) = library.search("red paint", kind=Kind.TEXT, threshold="none").hits
    assert (hit.text, hit.path) == ("red paint", None)


def test_a_drive_that_does_not_answer_costs_a_second_once(
    library: Library, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.index([photos])
    never, asked = threading.Event(), []
    real = os.path.exists

    def stuck(path: Path) -> bool:
        if str(path).startswith(str(photos)):
            asked.append(path)
            never.wait(30)
        return real(path)

    monkeypatch.setattr(os.path, "exists", stuck)
    assert len(library.search("red", threshold="none").hits) == 4
    assert len(library.search("red", threshold="none").hits) == 4
    never.set()
    assert len(asked) == 1
