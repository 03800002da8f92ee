"""What texts of pictures do to an answer: they help where they say something, and spoil nothing where they do not."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from retrieval import Library, Settings, UsageError
from retrieval.library.evaluation import evaluate_captions_by_models
from retrieval.library.view import LibraryView
from retrieval.search.evidence import RULES, gather
from retrieval.storage.catalog.annotations import CAPTIONS_BY_MODELS
from retrieval.types.records import Band, Hit, Kind
from retrieval.types.results import Gain

from ..conftest import DATA, Paint

PHOTOS = DATA / "photos"
Opened = Callable[..., Library]
BUILTIN = Settings(model="builtin")


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a library of 80 photos that a camera named, in `Pictures` beside it."""
    place = tmp_path_factory.mktemp("evidence")
    (place / "Pictures").mkdir()
    for number, photo in enumerate(sorted(PHOTOS.glob("*.jpg"))):
        shutil.copy(photo, place / "Pictures" / f"IMG_{1000 + number}.jpg")
    with Library.create(place / "library", BUILTIN) as library:
        library.index([place / "Pictures"])
    return place


@pytest.fixture
def opened(indexed: Path, tmp_path: Path) -> Iterator[Opened]:
    """Open a copy of the library with files under other names: `opened({"IMG_1003": "Hund/IMG_1003"})`."""
    libraries: list[Library] = []

    def opened(names: dict[str, str] | None = None) -> Library:
        shutil.copytree(indexed, tmp_path / "all")
        library = Library.open(tmp_path / "all" / "library", BUILTIN)
        libraries.append(library)
        for old, new in (names or {}).items():
            path = tmp_path / "all" / "Fotos" / f"{new}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "all" / "Pictures" / f"{old}.jpg").rename(path)
        library.relocate(indexed / "Pictures", tmp_path / "all" / "Pictures")
        library.index([tmp_path / "all" / "Pictures", *([tmp_path / "all" / "Fotos"] if names else [])])
        return library

    yield opened
    for library in libraries:
        library.close()


def found(library: Library, query: str, k: int = 10) -> tuple[Hit, ...]:
    return library.search(query, k=k, threshold="none").hits


def name(hit: Hit) -> str:
    return hit.path.stem if hit.path else ""


@contextmanager
def captioned(library: Library, texts: dict[str, str], at: Path) -> Iterator[Library]:
    """The library with captions by people for some pictures, by their names."""
    paths = {item.path.stem: item.path for item in library}
    table = at / "captions.csv"
    table.write_text("image,caption\n" + "".join(f'{paths[stem]},"{text}"\n' for stem, text in texts.items()))
    library.index([], [table])
    yield library


@pytest.mark.data
def test_one_caption_and_one_name_do_not_spoil_a_sentence(opened: Opened, tmp_path: Path) -> None:
    query = "a dog on the beach"
    library = opened()
    before = found(library, query, 80)
    low = name(before[-1])
    library.close()
    shutil.rmtree(tmp_path / "all")
    library = opened({low: "copy of dog"})
    with captioned(library, {name(before[-2]): "a dog in a pool"}, tmp_path):
        after = found(library, query, 80)
    assert [name(hit) for hit in after[:5]] == [name(hit) for hit in before[:5]]
    assert [hit.band for hit in after[:5]] == [hit.band for hit in before[:5]]


@pytest.mark.data
@pytest.mark.parametrize("query", ["dog", "a dog on the beach", "people", "a child playing", "something", "red"])
def test_a_list_that_is_best_first_is_never_surer_further_down(opened: Opened, tmp_path: Path, query: str) -> None:
    library = opened({"IMG_1001": "dog", "IMG_1005": "child/red dog", "IMG_1009": "people/a child"})
    with captioned(library, {"IMG_1020": "a dog on a beach", "IMG_1021": "people"}, tmp_path):
        bands = [hit.band.rank for hit in found(library, query, 80)]
    assert bands == sorted(bands)


@pytest.mark.data
def test_a_folder_is_found_by_its_name_its_pictures_in_the_order_of_their_pixels(opened: Opened) -> None:
    inside = {f"IMG_{1000 + number}": f"Hund/IMG_{1000 + number}" for number in range(0, 80, 4)}
    hits = found(opened(inside), "Hund", 40)
    assert {name(hit) for hit in hits[:20]} == set(inside)
    assert {hit.by for hit in hits[:20]} == {"folder"}
    scores = [hit.score or 0 for hit in hits[:20]]
    assert scores == sorted(scores, reverse=True)
    assert all(hit.band is Band.WEAK for hit in hits[20:])


@pytest.mark.data
def test_a_folder_that_is_half_of_the_library_says_little(opened: Opened) -> None:
    library = opened()
    before = [name(hit) for hit in found(library, "a dog")]
    library.close()
    shutil.rmtree(library.path.parent)
    half = {f"IMG_{1000 + number}": f"dog/IMG_{1000 + number}" for number in range(0, 80, 2)}
    after = [name(hit) for hit in found(opened(half), "a dog")]
    assert len(set(before[:5]) & set(after[:8])) >= 4


@pytest.mark.data
@pytest.mark.parametrize("query", ["IMG_1003", "img 1003", "IMG_1003.jpg", "harbour 7", "Two Words.JPG"])
def test_an_exact_file_name_comes_first(opened: Opened, query: str) -> None:
    first = found(opened({"IMG_1007": "harbour 7", "IMG_1008": "two words"}), query)[0]
    assert first.by == "name"
    assert name(first) in ("IMG_1003", "harbour 7", "two words")


@pytest.mark.data
def test_the_captioned_picture_of_two_that_are_alike_comes_first(opened: Opened, tmp_path: Path) -> None:
    library = opened()
    before = found(library, "a birthday cake with candles", 80)
    third = name(before[2])
    with captioned(library, {third: "the birthday cake of our grandmother, with far too many candles on it"}, tmp_path):
        after = found(library, "a birthday cake with candles")
    assert name(after[0]) == third
    assert after[0].by in ("caption", "")


def test_half_of_the_words_must_be_said(library: Library, paint: Paint, tmp_path: Path) -> None:
    paths = [paint(f"{stem}.png", "grey", (40 + place, 30)) for place, stem in enumerate(("one", "two", "three"))]
    table = tmp_path / "captions.csv"
    table.write_text("image,caption\ntwo.png,a dog in a house\nthree.png,a dog on a windy beach at night\n")
    library.index([paths[0].parent], [(table, paths[0].parent)])
    hits = {name(hit): hit.sources for hit in found(library, "dog beach night storm")}
    assert "words" in hits["three"]
    assert "words" not in hits["two"]
    assert name(found(library, "dog beach night storm")[0]) == "three"


def test_words_of_other_folders_do_not_change_what_a_token_sees(library: Library, paint: Paint) -> None:
    """How rare a word is, is counted among the pictures that one may see."""
    for number in range(6):
        paint(f"mine/{'boat' if number == 0 else 'tree'} {number}.png", "grey", (40 + number, 30))
    mine = paint("mine/tree 9.png", "grey", (60, 30)).parent
    for number in range(20):
        paint(f"yours/boat {number}.png", "grey", (40 + number, 50))
    library.index([mine])
    alone = _nats(library.within(mine), "boat")
    library.index([mine.parent])
    assert _nats(library.within(mine), "boat") == alone
    assert _nats(library, "boat") != alone


def _nats(library: LibraryView, query: str) -> list[float]:
    searcher = library.services.searcher()
    _, space = library.storage.active_space()
    with library.storage.snapshot():
        branch = searcher.branches(library.parse(query), space, Kind.PICTURE)[0]
        return sorted(round(each.nats, 6) for each in gather(branch, [], 10).values())


def test_every_column_of_the_full_text_has_a_rule(library: Library, photos: Path) -> None:
    library.index([photos])
    with library.storage.read() as catalog:
        counts = catalog.full_text.counts(["red", "photos"])
    assert {place.column for place in counts} == {"names", "folders"}
    assert {place.column for place in counts} <= set(RULES)


# --- captions by models -----------------------------------------------------------------------------------------------


def shown(library: Library, query: str) -> list[tuple[str, Band, str]]:
    return [(name(hit), hit.band, hit.by) for hit in found(library, query)]


@pytest.mark.slow
@pytest.mark.data
def test_captions_by_models_order_hits_only_where_they_were_measured_to_help(indexed: Path, tmp_path: Path) -> None:
    shutil.copytree(indexed / "library", tmp_path / "library")
    with Library.open(tmp_path / "library", replace(BUILTIN, vlm="colours")) as library:
        query = "a green picture"
        before = shown(library, query)
        report = library.captions.generate(None)
        assert report.captioned == 80
        assert shown(library, query) == before
        assert library.search("a xylophone in a green picture").nothing == library.search("a xylophone").nothing
        number, _ = library.storage.active_space()
        with library.storage.small_write() as catalog:
            catalog.annotations.put_trial(number, CAPTIONS_BY_MODELS, Gain(2.0, -0.5, 4.0), 100)
        assert shown(library, query) == before, "it may be chance"
        with library.storage.small_write() as catalog:
            catalog.annotations.put_trial(number, CAPTIONS_BY_MODELS, Gain(2.0, 0.5, 3.5), 100)
        assert shown(library, query) != before


@pytest.mark.slow
@pytest.mark.data
def test_eval_measures_what_captions_by_models_add(indexed: Path, tmp_path: Path) -> None:
    shutil.copytree(indexed / "library", tmp_path / "library")
    with Library.open(tmp_path / "library", replace(BUILTIN, vlm="colours")) as library:
        with pytest.raises(UsageError, match="captions by people"):
            evaluate_captions_by_models(library)
        stems = [item.path.stem for item in library]
        told = {stem: f"number {place} in the row" for place, stem in enumerate(stems)}
        with captioned(library, told, tmp_path):
            assert evaluate_captions_by_models(library) is None
            library.captions.generate(None)
            found_gain = evaluate_captions_by_models(library)
            assert found_gain is not None
            gain, captions = found_gain
            assert captions == 80
            assert gain.low <= 0, "colours say nothing of numbers"
            number, _ = library.storage.active_space()
            with library.storage.read() as catalog:
                assert catalog.annotations.trial(number, CAPTIONS_BY_MODELS) == (gain, 80)
