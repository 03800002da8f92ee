"""A path that leads nowhere is never shown as a hit."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

import pytest

from retrieval import Library
from retrieval.queries import interpret
from retrieval.search.pagination import AnswerStore, Pager
from retrieval.types.records import Kind
from retrieval.types.request import SearchRequest


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


def test_pages_work_where_they_cannot_be_kept(library: Library, photos: Path, tmp_path: Path) -> None:
    library.index([photos])
    (tmp_path / "file").touch()
    pager = Pager(library.services.searcher(), AnswerStore(tmp_path / "file" / "pages"))
    pages = [pager.page(interpret("type:photo"), SearchRequest("type:photo", k=3, page=page)) for page in (1, 2)]
    assert [len(page.hits) for page in pages] == [3, 1]
    assert all("each page is found anew" in page.notes[-1] and not page.cursor for page in pages)


def test_why_not_says_what_a_picture_has_of_each_filter(library: Library, photos: Path) -> None:
    library.index([photos])
    said = {
        "iso:>=1600": "no iso",
        "f:<2": "no f",
        "person:anna": "no people named",
        "keyword:zebra": "no keywords",
        "camera:nikon": "no camera",
        "near:Munich": "no coordinates",
        "on:2019": "no date",
        "path:nothing": str(photos / "red.jpg"),
        "width:>4000": "64",
    }
    for query, value in said.items():
        found = library.why_not(f"red {query}", photos / "red.jpg")
        assert [check.value for check in found.filters if not check.passes] == [value], query
