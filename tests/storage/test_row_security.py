"""What someone who may see one folder learns of the others: nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from retrieval import Library, LibraryError, LibraryReadOnly
from retrieval.library.view import LibraryView
from retrieval.storage.catalog.dialects.sqlite_row_security import UNRESTRICTED, VIEWS
from retrieval.storage.catalog.schema import metadata
from retrieval.types.records import Answer

from ..conftest import COLOURS, Paint

pytestmark = pytest.mark.slow


@pytest.fixture
def mine(paint: Paint) -> Path:
    """A folder to be seen; beside it lie others whose names begin alike, and copies of its pictures."""
    for name in ("red", "lime", "blue", "maroon"):
        paint(f"mine/{name}.png")
    for name in ("navy", "crimson", "orange"):
        paint(f"mine2/{name}.png")
    folder = paint("mine/yellow.png").parent
    hidden = folder.parent / "hidden"
    hidden.mkdir()
    for name in ("blue", "lime"):
        shutil.copy(folder / f"{name}.png", hidden / f"secret {name}.png")
    (hidden / "secret blue.txt").write_text("my secret wedding")
    (folder / "maroon.txt").write_text("a green meadow")
    (hidden / "broken.jpg").write_bytes(b"no picture")
    return folder


@pytest.fixture
def part(library: Library, mine: Path) -> LibraryView:
    """One folder of a library of three."""
    library.index([mine.parent])
    library.saved.save("secrets", "navy")
    library.saved.teach("warm", yes=[mine.parent / "mine2" / "crimson.png"], no=[mine / "blue.png"])
    return library.within(mine)


@pytest.fixture
def alone(tmp_path: Path, mine: Path) -> Library:
    """A library that has nothing but that folder."""
    library = Library.create(tmp_path / "alone", COLOURS)
    library.index([mine])
    return library


def told(answer: Answer) -> object:
    hits = [(hit.path, hit.score, hit.copies, hit.beneath, hit.text, hit.band, hit.sources) for hit in answer.hits]
    hits.sort(key=lambda hit: (-(hit[1] or 0), hit[0]))  # equal scores stand in the order of indexing
    return hits, answer.searched, answer.match, answer.nothing, answer.notes


def test_every_table_is_limited_or_known_to_be_of_no_picture() -> None:
    assert set(metadata.tables) == (set(VIEWS) - {"visible"}) | UNRESTRICTED


@pytest.mark.parametrize(
    "query", ["red", "navy", "meadow", "red -blue", "type:png", "red OR maroon", "has:caption red"]
)
def test_answers_are_those_of_a_library_with_nothing_else(part: LibraryView, alone: Library, query: str) -> None:
    for threshold in ("none", "weak"):
        assert told(part.search(query, k=20, threshold=threshold)) == told(
            alone.search(query, k=20, threshold=threshold)
        )
    assert part.facets(query) == alone.facets(query)
    assert told(part.search(query, page=1)) == told(alone.search(query, page=1))


@pytest.mark.parametrize("query", ["secret", "wedding", "hidden", "text:secret", "caption:wedding", "path:*secret*"])
def test_words_of_copies_elsewhere_bring_nothing_up(part: LibraryView, alone: Library, query: str) -> None:
    assert told(part.search(query, threshold="none")) == told(alone.search(query, threshold="none"))


def test_the_rest_is_that_of_a_library_with_nothing_else(part: LibraryView, alone: Library, mine: Path) -> None:
    assert [item.path for item in part] == [item.path for item in alone]
    ours, theirs = part.status(), alone.status()
    counts = ("items", "pictures", "texts", "captions", "problems", "roots")
    assert [getattr(ours, name) for name in counts] == [getattr(theirs, name) for name in counts]
    assert part.problems() == []
    assert ours.bytes == 0
    assert told(part.captions.find(mine / "lime.png")) == told(alone.captions.find(mine / "lime.png"))
    assert told(part.search(image=mine / "red.png")) == told(alone.search(image=mine / "red.png"))
    why, same = part.why("red", 1), alone.why("red", 1)
    assert (why.parts, why.sources, why.reading, why.searched) == (same.parts, same.sources, same.reading, 5)


def test_a_picture_elsewhere_is_as_unknown_as_one_that_does_not_exist(part: LibraryView, mine: Path) -> None:
    assert not part.items.has(mine.parent / "mine2" / "navy.png")
    assert part.why_not("navy", mine.parent / "mine2" / "navy.png").standing == "unknown"
    assert part.saved.saved() == {}
    assert part.saved.taught() == {"warm": (0, 1)}


def test_captions_of_a_copy_elsewhere_are_not_read(library: Library, mine: Path) -> None:
    table = mine.parent / "hidden" / "captions.csv"
    table.write_text("image,caption\nsecret lime.png,the secret garden\n")
    library.index([mine.parent], [table])
    part = library.within(mine)
    lime = next(item for item in part if item.path.stem == "lime")
    assert part.items.texts_of(lime.content) == []
    assert part.captions.find(mine / "lime.png", threshold="none").hits[0].text != "the secret garden"


def test_how_often_words_occur_elsewhere_changes_no_order(library: Library, paint: Paint) -> None:
    folder = paint("mine/zalpha.png", "red").parent
    paint("mine/zbeta.png", "lime")
    library.index([folder])
    orders: list[list[Path | None]] = []
    for name in ("zalpha", "zbeta"):
        for number in range(12):
            paint(f"{name}/{name} {number}.png", (number, 9, len(orders)))
        library.index([folder.parent])
        orders.append([hit.path for hit in library.within(folder).search("zalpha zbeta", threshold="none").hits])
    assert len(orders[0]) == 2
    assert orders[0] == orders[1]


def test_what_is_indexed_later_is_seen_at_once(part: LibraryView, library: Library, paint: Paint, mine: Path) -> None:
    part.search("red")
    paint("mine/olive.png")
    paint("hidden/teal.png")
    library.index([mine.parent])
    assert part.search("red").searched == 6


def test_a_part_cannot_be_written(part: LibraryView, mine: Path) -> None:
    with pytest.raises(LibraryReadOnly), part.storage.write_lock("test"):
        pass
    with pytest.raises(LibraryError), part.storage.transaction() as catalog:
        catalog.items.remove([mine / "red.png"])
