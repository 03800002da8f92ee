"""Captions by hand: nobody's is lost, each can be taken back, and none commands a terminal."""

from __future__ import annotations

from pathlib import Path

import pytest

from retrieval import Library
from retrieval.errors import Changed, NotFound, NotIndexed, UsageError


@pytest.fixture
def red(library: Library, photos: Path) -> Path:
    library.index([photos])
    return photos / "red.jpg"


def texts(library: Library, path: Path) -> list[str]:
    content = next(item.content for item in library if item.path == path)
    return [each.text for each in library.items.texts_of(content)]


def test_a_caption_that_someone_else_has_changed_is_not_overwritten(library: Library, red: Path) -> None:
    library.captions.set(red, "a barn", known="")
    with pytest.raises(Changed, match='now "a barn"'):
        library.captions.set(red, "a house", known="")
    library.captions.set(red, "a red barn", known="a barn")
    with pytest.raises(Changed, match="a red barn"):
        library.captions.remove(red, known="a barn")
    assert texts(library, red) == ["a red barn"]


def test_a_caption_is_removed_and_put_back(library: Library, red: Path) -> None:
    library.captions.set(red, "a quokka")
    assert library.search("quokka", k=1).hits[0].by
    assert library.captions.remove(red, known="a quokka") == "a quokka"
    assert texts(library, red) == []
    assert not library.search("quokka", k=1, threshold="none").hits[0].by
    with pytest.raises(Changed, match="removed"):
        library.captions.set(red, "two quokkas", known="a quokka")
    library.captions.set(red, "a quokka", known="")
    assert texts(library, red) == ["a quokka"]


def test_what_is_not_there_cannot_be_removed_or_captioned(library: Library, red: Path) -> None:
    with pytest.raises(NotFound, match="nobody"):
        library.captions.remove(red)
    with pytest.raises(NotIndexed, match="index it first"):
        library.captions.remove(red.parent / "none.jpg")
    with pytest.raises(NotIndexed, match="index it first"):
        library.captions.set(red.parent / "none.jpg", "a barn")


@pytest.mark.parametrize(
    ("given", "kept"),
    [("a\0b", "a b"), ("a \u202eb", "a b"), ("\u2066a\u2069 barn", "a barn"), ("a \x1b[31m\x9bbarn", "a [31m barn"),
     ("half \ud83d", "half ?"), ("שלום \u200fעולם", "שלום \u200fעולם")],
)  # fmt: skip
def test_control_characters_and_overrides_are_not_stored(library: Library, red: Path, given: str, kept: str) -> None:
    library.captions.set(red, given)
    assert texts(library, red) == [kept]


def test_nothing_but_control_characters_is_no_caption(library: Library, red: Path) -> None:
    with pytest.raises(UsageError, match="empty"):
        library.captions.set(red, "\0\u202e ")


def test_every_text_is_cleaned_where_it_is_stored(library: Library, photos: Path) -> None:
    (photos / "red.txt").write_text("a \u202ebarn\x1b[2J")
    table = photos.parent / "captions.csv"
    table.write_text("image,caption\nblue.webp,the \u202esea\x07\n", encoding="utf-8")
    library.index([photos], [(table, photos)])
    assert texts(library, photos / "red.jpg") == ["a  barn [2J"]
    assert texts(library, photos / "blue.webp") == ["the  sea"]
    library.saved.save("sea", "the \u202esea")
    assert library.saved.saved() == {"sea": "the sea"}
