"""Full text beside embeddings: what is found by its words, in which languages."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retrieval import Library, Settings
from retrieval.geocoding import NearestTown
from retrieval.storage.catalog.full_text import terms
from retrieval.types.records import Band, ScannedFile

from ..conftest import Paint

Say = Callable[..., Library]


@pytest.fixture
def say(library: Library, paint: Paint, tmp_path: Path) -> Say:
    """Index one grey picture for each name, with captions for some: `say("a", b="a dog")`."""

    def say(*names: str, **captions: str) -> Library:
        paths = [paint(f"{name}.png", "grey", (40 + place, 30)) for place, name in enumerate([*names, *captions])]
        rows = "".join(f'{name}.png,"{text}"\n' for name, text in captions.items())
        table = tmp_path / "captions.csv"
        table.write_text("image,caption\n" + rows, encoding="utf-8")
        library.index([tmp_path / "photos"], [(table, paths[0].parent)])
        return library

    return say


def words(library: Library, query: str) -> list[str]:
    """The pictures whose texts have half of the words or more, by name, those with most of them first."""
    with library.storage.read() as catalog:
        wanted = terms(query)
        held = catalog.full_text.holders(list(catalog.full_text.counts(wanted)))
        had = Counter(
            content for term in wanted for content in {c for at, some in held.items() if at.term == term for c in some}
        )
        files = catalog.items.holding(had)
    return [files[content][0].path.stem for content, count in had.most_common() if 2 * count >= len(wanted)]


@pytest.mark.slow
def test_what_is_said_of_a_picture_brings_it_up(say: Say) -> None:
    library = say("one", "two", three="the invoice of the plumber")
    hit = library.search("plumber invoice", k=1).hits[0]
    assert (hit.path.stem if hit.path else "", hit.sources, hit.band) == ("three", ("pixels", "words"), Band.STRONG)
    assert hit.by == "caption"
    assert library.search("something else", k=1).hits[0].sources == ("pixels",)


def test_names_of_files_and_folders_keywords_and_places_are_words(say: Say, tmp_path: Path) -> None:
    library = say("2023_birthday-party", "IMG_1", b="cake")
    assert words(library, "party") == ["2023_birthday-party"]
    assert sorted(words(library, "photos")) == ["2023_birthday-party", "IMG_1", "b"]
    with library.storage.transaction() as catalog:
        item = next(catalog.items.get([2]))
        found = ScannedFile(item.path, 1, 1)
        catalog.items.put(found, [(item.content, None)], replace(item.facts, keywords=("caf\u00e9",)))
        catalog.items.put_places([item.id], [NearestTown("Lisbon", "", "Portugal")])
    assert words(library, "portugal cafe") == words(library, "CAFÉ") == ["IMG_1"]


@pytest.mark.parametrize(
    ("said", "query"),
    [
        ("two dogs running", "dog"),
        ("l'été à la plage", "ETE"),
        ("我的生日派对", "生日"),
        ("我的生日派对", "日"),
        ("東京タワーの夜景", "東京タワー"),
        ("한국어 사진", "사진"),
        ("Straßenfest in München", "munchen"),
        ("день рождения", "РОЖДЕНИЯ"),
    ],
)
def test_words_are_found_in_any_case_accent_and_script(say: Say, said: str, query: str) -> None:
    assert words(say("one", "two", three=said), query) == ["three"]


def test_the_tokenizer_was_chosen_over_trigrams_that_miss_short_words_and_stems() -> None:
    """The alternative that SQLite has for scripts without spaces."""
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE VIRTUAL TABLE t USING fts5(x, tokenize = 'trigram')")
    connection.executemany("INSERT INTO t VALUES (?)", [("我的生日派对",), ("a dog runs",)])
    found = [connection.execute("SELECT count(*) FROM t WHERE t MATCH ?", (f'"{q}"',)) for q in ("生日", "dogs")]
    assert [row.fetchone()[0] for row in found] == [0, 0]
    connection.close()


def test_what_is_said_is_read_again_when_it_changes(say: Say, tmp_path: Path) -> None:
    library = say("one", two="a red barn", three="a tower")
    library.captions.set(tmp_path / "photos" / "two.png", "a boat")
    assert words(library, "barn") == ["two"]  # the caption file still says so
    assert words(library, "boat") == ["two"]
    (tmp_path / "captions.csv").write_text("image,caption\ntwo.png,a lake\n")
    library.index([], [(tmp_path / "captions.csv", tmp_path / "photos")])
    assert (words(library, "barn"), words(library, "tower"), words(library, "lake")) == ([], [], ["two"])
    (tmp_path / "photos" / "two.png").rename(tmp_path / "photos" / "cottage.png")
    library.index([tmp_path / "photos"])
    assert words(library, "cottage") == ["cottage"]
    library.remove([tmp_path / "photos" / "cottage.png"])
    assert words(library, "cottage") == words(library, "boat") == []


def test_a_models_words_count_and_are_not_taken_for_certain(library: Library, photos: Path) -> None:
    library.index([photos])
    with Library.open(library.path, Settings(model="colours", vlm="colours")) as opened:
        opened.captions.generate()
    with library.storage.read() as catalog:
        assert {place.column for place in catalog.full_text.counts(["picture"])} == {"told"}


def test_filters_hold_for_words_too(say: Say) -> None:
    library = say(one="a kite", two="a kite")
    assert [hit.path.stem for hit in library.search("kite path:two.png").hits if hit.path] == ["two"]


@pytest.mark.slow
@given(query=st.text(max_size=40))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_can_be_looked_up(say: Say, query: str) -> None:
    library = say("one")
    assert isinstance(words(library, query), list)
    assert words(library, query) in ([], ["one"])


def test_words_that_say_nothing_are_left_out() -> None:
    assert terms("The dog is on the BEACH, the dog") == ["dog", "BEACH"]
    assert terms("生日 party") == ["生 日", "party"]
