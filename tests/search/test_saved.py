"""Saved searches, taught words and feedback."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from retrieval import Library, Settings
from retrieval.errors import NotIndexed, QueryError, UsageError
from retrieval.queries import interpret
from retrieval.queries.expression import WeightedPiece
from retrieval.queries.saved_names import KnownNames
from retrieval.search.concepts import train
from retrieval.types.records import ByFile, ByItem, ByTaught, ByText

from ..calibration.test_confidence import Shifted
from ..conftest import Paint, Run

NAMES = KnownNames({"best": "rating:>=4 type:jpeg", "pets": "cat OR dog", "warm": "@pets sofa"}, frozenset({"kitchen"}))


@pytest.fixture
def filled(library: Library, photos: Path) -> Library:
    library.index([photos])
    return library


def first(library: Library, query: str) -> str:
    path = library.search(query, k=1, threshold="none").hits[0].path
    return path.name if path else ""


# --- the language -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("@best a dog", "rating:>=4 type:jpeg a dog"),
        ("-@best a dog", "-(rating:>=4 type:jpeg) a dog"),
        ("@warm", "(cat OR dog) sofa"),
        ("2:@pets", "2:(cat OR dog)"),
        ("red OR @pets", "red OR cat OR dog"),
    ],
)
def test_a_saved_search_stands_for_itself(short: str, long: str) -> None:
    assert interpret(short, names=NAMES).alternatives == interpret(long).alternatives


def test_a_taught_word_is_something_to_look_for() -> None:
    found = interpret("2:@kitchen -@kitchen night", names=NAMES).alternatives[0].pieces
    kitchen = ByTaught("kitchen")
    assert found == (WeightedPiece(ByText("night")), WeightedPiece(kitchen, 2.0), WeightedPiece(kitchen, -0.5))


@pytest.mark.parametrize("text", ["me@home", '"@best"', "a @ b", "@best, more"])
def test_an_at_sign_elsewhere_is_a_word(text: str) -> None:
    assert interpret(text, names=NAMES).words


def test_a_name_that_is_not_there_suggests_the_nearest() -> None:
    with pytest.raises(QueryError, match="perhaps @kitchen") as caught:
        interpret("a dog @kitchn", names=NAMES)
    assert caught.value.place == (6, 13)
    with pytest.raises(QueryError, match="retrieval save"):
        interpret("@zzz")


def test_a_search_that_is_part_of_itself_is_refused() -> None:
    with pytest.raises(QueryError, match="part of itself"):
        interpret("@a", names=KnownNames({"a": "red @b", "b": "blue @a"}))


def test_feedback_is_weighed_as_in_rocchios_formula() -> None:
    found = interpret("a dog like:a.jpg like:#12 unlike:b.jpg").alternatives[0].pieces
    assert found[1:] == (
        WeightedPiece(ByFile(Path("a.jpg")), 0.5, feedback=True),
        WeightedPiece(ByItem(12), 0.5, feedback=True),
        WeightedPiece(ByFile(Path("b.jpg")), -0.5, feedback=True),
    )
    assert interpret("a dog unlike:b.jpg").alternatives[0].pieces[1].weight == -0.15
    with pytest.raises(QueryError, match="no sign"):
        interpret("a dog -like:a.jpg")


# --- in a library -----------------------------------------------------------------------------------------------------


def test_a_saved_search_is_used_listed_and_forgotten(filled: Library) -> None:
    filled.saved.save("@small", "type:png")
    assert filled.saved.saved() == {"small": "type:png"}
    assert first(filled, "@small red") == "lime.png"
    assert filled.search("@small").hits[0].path
    filled.saved.forget("small")
    with pytest.raises(QueryError):
        filled.search("@small red")


@pytest.mark.parametrize(
    ("name", "query", "error"),
    [("two words", "red", "is not a name"), ("x", "camra:nikon", "perhaps camera:"), ("x", "red @x", "part of itself")],
)
def test_what_could_not_be_used_is_not_saved(filled: Library, name: str, query: str, error: str) -> None:
    with pytest.raises(UsageError, match=error):
        filled.saved.save(name, query)
    assert filled.saved.saved() == {}


def test_a_search_and_a_word_do_not_share_a_name(filled: Library, photos: Path) -> None:
    filled.saved.teach("sea", [photos / "blue.webp"])
    with pytest.raises(UsageError, match="taught word"):
        filled.saved.save("sea", "blue")
    filled.saved.save("sky", "blue")
    with pytest.raises(UsageError, match="saved search"):
        filled.saved.teach("sky", [photos / "blue.webp"])


def test_a_taught_word_finds_what_it_was_taught_with_weights_and_filters(filled: Library, photos: Path) -> None:
    assert filled.saved.teach("@warm", [photos / "red.jpg", photos / "yellow.bmp"], [photos / "blue.webp"]) == (2, 1)
    hits = filled.search("@warm", k=4, threshold="none").hits
    assert [hit.path.name for hit in hits if hit.path][-1] == "blue.webp"
    assert first(filled, "@warm type:png") == "lime.png"
    assert first(filled, "-@warm") == "blue.webp"
    assert first(filled, "@warm 5:lime") == "lime.png"


def test_examples_change_their_side_when_they_are_given_again(filled: Library, photos: Path) -> None:
    filled.saved.teach("x", [photos / "red.jpg", photos / "blue.webp"])
    assert filled.saved.teach("x", no=[photos / "red.jpg"]) == (1, 1)
    assert filled.saved.taught() == {"x": (1, 1)}


def test_what_cannot_be_taught_says_why(filled: Library, photos: Path, paint: Paint) -> None:
    with pytest.raises(NotIndexed, match="index it first"):
        filled.saved.teach("x", [paint("../elsewhere/red.png")])
    with pytest.raises(UsageError, match="--yes"):
        filled.saved.teach("x", no=[photos / "red.jpg"])
    assert filled.saved.taught() == {}


def test_files_in_a_saved_search_are_found_from_anywhere(
    filled: Library, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(photos)
    filled.saved.save("reddish", "similar:red.jpg")
    monkeypatch.chdir("/")
    assert first(filled, "@reddish") == "red.jpg"
    with pytest.raises(UsageError, match="empty"):
        filled.saved.save("x", "  ")
    with pytest.raises(UsageError, match="and as a counterexample"):
        filled.saved.teach("x", [photos / "red.jpg"], [photos / "red.jpg"])


def test_a_word_whose_pictures_are_gone_says_so(filled: Library, photos: Path) -> None:
    filled.saved.teach("x", [photos / "red.jpg"])
    filled.remove([photos / "red.jpg"])
    with pytest.raises(QueryError, match="nothing is saved or taught"):
        filled.search("@x")


@pytest.mark.slow
def test_a_word_is_trained_anew_for_another_model(filled: Library, photos: Path) -> None:
    filled.saved.teach("sea", [photos / "blue.webp"])
    with Library.open(filled.path, Settings(), encoder=Shifted()) as library:
        library.index([photos])
        assert library.model == "shifted"
        assert first(library, "@sea") == "blue.webp"


def test_examples_part_two_kinds_that_their_mean_does_not() -> None:
    """A strong direction that says nothing, and a weak one that does."""
    rng = np.random.default_rng(0)
    rows = rng.normal(0, (1, 0.1, 0.1, 0.1), (400, 4))
    rows[:40, 1] += 0.6
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    found = train(rows[:10], rows[100:103], rows)
    scores, means = rows @ found, rows @ rows[:10].mean(axis=0)

    def right(values: np.ndarray) -> int:
        return sum(place < 40 for place in np.argsort(-values)[:40])

    assert right(scores) > right(means)
    assert right(scores) > 25


# --- on the command line ----------------------------------------------------------------------------------------------


def test_names_on_the_command_line(run: Run, photos: Path) -> None:
    run("index", photos)
    run("save", "small", "type:png")
    assert run("save").stdout == "name\tquery\n@small\ttype:png\n"
    run("teach", "@warm", "--yes", photos / "red.jpg", photos / "yellow.bmp", "--no", photos / "blue.webp")
    assert json.loads(run("teach", "--json").stdout)["taught"] == [{"name": "warm", "yes": 2, "no": 1}]
    assert "lime.png" in run("search", "@small @warm").stdout
    run("save", "warm", "--remove")
    assert json.loads(run("teach", "--json").stdout)["taught"] == []
    assert "perhaps @small" in run("save", "smal", "--remove", code=2).stderr
    run("teach", "--yes", photos / "red.jpg", code=2)


def test_feedback_moves_the_answer(filled: Library, photos: Path) -> None:
    before = [hit.score for hit in filled.search("red").hits if hit.path == photos / "yellow.bmp"]
    query = f"red like:{photos / 'yellow.bmp'}"
    after = [hit.score for hit in filled.search(query).hits if hit.path == photos / "yellow.bmp"]
    assert after[0] is not None
    assert before[0] is not None
    assert after[0] > before[0]
