"""What is suggested where an answer is weak or empty: tokens for words that are a camera or a folder, and spellings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from retrieval import Library
from retrieval.geocoding import NearestTown
from retrieval.search.confidence import unsure
from retrieval.search.suggestions import Suggester
from retrieval.types.records import Answer, Band, Hit, Kind, ScannedFile, Suggestion

from ..conftest import Paint


@pytest.fixture
def travelled(library: Library, paint: Paint) -> Library:
    """Three pictures by a Nikon in Lisbon, one with a keyword and a person, in a folder of two words."""
    for number in range(3):
        paint(f"2019 Italy/picture {number}.png", "grey", (40 + number, 30))
    library.index([paint("other.png", "red").parent])
    with library.storage.transaction() as catalog:
        for place, item in enumerate(list(catalog.items.all())):
            if item.path.parent.name == "2019 Italy":
                facts = replace(item.facts, camera="NIKON D750", people=("Anna",) if place else ())
                catalog.items.put(ScannedFile(item.path, 1, 1), [(item.content, None)], facts)
        numbers = [item.id for item in catalog.items.all() if item.facts.camera]
        catalog.items.put_places(numbers, [NearestTown("Lisbon", "", "Portugal")] * len(numbers))
    return library


@pytest.mark.parametrize(
    ("query", "suggested"),
    [
        ("nikon", Suggestion("camera:nikon", "camera", 3)),
        ("Lisbon at night", Suggestion("place:lisbon at night", "place", 3)),
        ("a picture of Anna", Suggestion("a picture of person:anna", "person", 2)),
        ("2019 italy", Suggestion('path:"2019 Italy"', "folder", 3)),
        ("the italy", Suggestion('path:"2019 Italy"', "folder", 3)),
        ("bycicle", Suggestion("bicycle", "spelling")),
        ("a red bycicle -car", Suggestion("a red bicycle -car", "spelling")),
        ("elefant", Suggestion("elephant", "spelling")),
        ("Lisbonn", Suggestion("lisbon", "spelling")),
        ("folder:Itally", Suggestion('folder:"2019 Italy"', "spelling", 3)),
        ("person:Ana", Suggestion("person:Anna", "spelling", 2)),
        ("path:other red", Suggestion("path:other.* red", "spelling", 1)),
        ("2019", Suggestion('path:"2019 Italy"', "folder", 3)),
        ("camera:canon", Suggestion('camera:"NIKON D750"', "spelling", 3)),
    ],
)
def test_words_that_are_something_else_are_named(travelled: Library, query: str, suggested: Suggestion) -> None:
    found = Suggester(travelled.storage).suggest(travelled.parse(query))
    assert found[0] == suggested
    if suggested.count is not None:
        assert travelled.search(suggested.query, threshold="none").searched == suggested.count


@pytest.mark.parametrize(
    "query", ["bicycle", "a dog", "kitten", "the", "camera:d750", "xqzvw", "12345", "picture", "Kinder im Schnee"]
)
def test_nothing_is_suggested_for_words_that_are_known_or_like_none(travelled: Library, query: str) -> None:
    assert Suggester(travelled.storage).suggest(travelled.parse(query)) == ()


def test_sure_answers_get_no_suggestion_weak_and_empty_ones_do() -> None:
    def answer(*bands: Band, nothing: bool = False) -> Answer:
        hits = tuple(Hit(rank, 0.5, Kind.PICTURE, rank, band=band) for rank, band in enumerate(bands, start=1))
        return Answer("q", hits, 9, "m", nothing=nothing)

    assert unsure(answer())
    assert unsure(answer(Band.WEAK, Band.WEAK))
    assert unsure(answer(Band.WEAK, nothing=True))
    assert not unsure(answer(Band.LIKELY, Band.WEAK))
    assert not unsure(answer(Band.UNKNOWN)), "without a calibration nothing is known to be weak"


def test_an_answer_says_how_many_pictures_there_are(travelled: Library) -> None:
    answer = travelled.search("camera:canon")
    assert (answer.searched, answer.total) == (0, 4)
    paged = travelled.search("red path:other.png", page=1)
    assert (paged.searched, paged.total) == (1, 4)


def test_names_of_other_programs_are_understood(travelled: Library, tmp_path: Path) -> None:
    for query in ('folder:"2019 Italy"', "make:nikon", "people:anna path:photos", "location:portugal"):
        assert travelled.search(query).hits, query
    assert tmp_path.name  # the photos lie there


def test_a_suggestion_finds_something_and_filters_that_pass_nothing_are_named(travelled: Library) -> None:
    answer = travelled.search("italy camera:canon")
    assert all(travelled.search(each.query).hits for each in answer.suggestions)
    assert "camera:canon passes nothing, even alone" in travelled.search("city:lisbon camera:canon").notes


def test_a_file_name_that_the_library_lacks_is_said(travelled: Library) -> None:
    assert "no file of the library is called nofile.jpg" in travelled.search("nofile.jpg").notes
    assert not [note for note in travelled.search("OTHER.png").notes if "is called" in note]
    assert not [note for note in travelled.search("a dog. and a cat").notes if "is called" in note]


def test_a_view_of_one_folder_suggests_nothing_of_another(travelled: Library, paint: Paint) -> None:
    other = travelled.within(paint("apart/blue.png").parent)
    travelled.index([paint("apart/blue.png").parent])
    for query in ("nikon", "Lisbonn", "2019 italy", "folder:Itally", "person:Ana"):
        assert other.search(query, threshold="strong").suggestions == (), query
