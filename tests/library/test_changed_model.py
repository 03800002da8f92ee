"""A library whose model has other weights now: it says so, answers by words and filters, and is encoded anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from retrieval import Library
from retrieval.encoders.colours import ColourEncoder
from retrieval.errors import ModelChanged
from retrieval.types.records import Band, Space

from ..conftest import COLOURS, Paint, Run

OTHER = Space("colours", dimensions=3, fingerprint="2")


@pytest.fixture
def old(library: Library, photos: Path, paint: Paint, monkeypatch: pytest.MonkeyPatch) -> Iterator[Library]:
    """Four pictures of colours and one of `holiday/lime stone.png`, indexed with weights that are gone."""
    paint("holiday/lime stone.png", "grey")
    library.index([photos])
    library.captions.set(photos / "blue.webp", "a wall in the evening")
    monkeypatch.setattr(ColourEncoder, "space", OTHER)
    with Library.open(library.path, COLOURS) as again:
        yield again


def test_words_find_what_texts_say(old: Library, photos: Path) -> None:
    answer = old.search("lime", threshold="none")
    assert {hit.path.name for hit in answer.hits if hit.path} == {"lime.png", "lime stone.png"}
    assert {(hit.score, hit.band) for hit in answer.hits} == {(None, Band.STRONG)}
    assert any("other weights" in note and "retrieval index" in note for note in answer.notes)
    (hit,) = old.search("a wall in the evening").hits
    assert hit.path == photos / "blue.webp"
    assert old.search("nothing of the kind").nothing


def test_filters_go_with_the_words_and_alone(old: Library) -> None:
    assert [hit.path.name for hit in old.search("lime path:holiday").hits if hit.path] == ["lime stone.png"]
    assert len(old.search("type:png").hits) == 2


def test_a_picture_cannot_be_compared(old: Library, photos: Path) -> None:
    with pytest.raises(ModelChanged, match="encode it anew"):
        old.search(image=photos / "red.jpg")


def test_index_encodes_all_of_it_anew(old: Library, run: Run) -> None:
    """Without folders, it goes through those of the library."""
    run("index")
    with Library.open(old.path, COLOURS) as again:
        answer = again.search("lime", k=1)
        assert answer.notes == ()
        assert [hit.path.name for hit in answer.hits if hit.path] == ["lime.png"]
        assert answer.hits[0].score is not None
