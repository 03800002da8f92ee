"""Honest confidence: what is refused, how well probabilities are calibrated, and that another space changes nothing."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import skimage

from retrieval import Library, Settings
from retrieval.calibration.anchors import AnchorTexts
from retrieval.calibration.calibration import REFRESH_GROWTH, Calibration
from retrieval.config import cache_folder
from retrieval.encoders import Encoder
from retrieval.library import backends
from retrieval.search.confidence import apply_threshold
from retrieval.sources.caption_files import read_captions
from retrieval.types.records import Answer, Band, ByText, Caption, Hit, Kind, Pixels, Space, Threshold, Vectors
from retrieval.types.request import SearchRequest

from ..conftest import DATA, ROOT, Paint

DEV = DATA / "flickr8k" / "dev"
BUILTIN = Settings(model="builtin")


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """The held-back thousand of Flickr8k, without captions."""
    with Library.create(tmp_path_factory.mktemp("dev") / "library", BUILTIN) as library:
        library.index([DEV])
        yield library


@pytest.fixture(scope="module")
def captions() -> list[tuple[Path, str]]:
    rows = read_captions(DEV.with_suffix(".csv"), DEV)
    return [(row.picture, row.text) for row in rows if isinstance(row, Caption) and row.picture]


def queries(name: str) -> list[str]:
    return (ROOT / "benchmarks" / "queries" / f"{name}.txt").read_text(encoding="utf-8").splitlines()


def refused(library: Library, texts: Sequence[str]) -> float:
    calibration = library.services.calibration()
    gauge = calibration.image_scale()
    assert gauge is not None
    return float((calibration.match(library.services.encoder().texts(texts), gauge) < gauge.threshold).mean())


def calibration_error(sure: Sequence[float], right: Sequence[bool]) -> float:
    found, bins = 0.0, np.minimum((np.array(sure) * 15).astype(int), 14)
    for each in np.unique(bins):
        mine = bins == each
        found += float(mine.mean()) * abs(float(np.array(sure)[mine].mean() - np.array(right)[mine].mean()))
    return found


@pytest.mark.slow
@pytest.mark.data
def test_nonsense_and_absent_things_have_no_match_and_captions_have(
    dev: Library, captions: list[tuple[Path, str]]
) -> None:
    assert refused(dev, [*queries("absent"), *queries("nonsense")]) >= 0.9
    assert refused(dev, [text for _, text in captions]) <= 0.05


@pytest.mark.data
def test_a_query_about_nothing_here_is_told_so(dev: Library) -> None:
    answer = dev.search("a plate of sushi")
    assert (answer.hits, answer.nothing) == ((), True)
    assert answer.notes == ("nothing here looks like that; --threshold none shows the nearest",)
    assert len(dev.search("a plate of sushi", threshold="none").hits) == 10
    assert dev.search("a dog on the beach").hits[0].band is Band.STRONG


@pytest.mark.data
@pytest.mark.parametrize("said", ["a person", "chair", "the wall", "a dog", "automobile", "birthday cake"])
def test_common_words_are_not_refused(dev: Library, said: str) -> None:
    """Flickr8k's pictures have all of these."""
    assert not dev.search(said).nothing


@pytest.mark.data
def test_a_single_word_needs_less_than_a_sentence_does(dev: Library) -> None:
    """As a sentence they would be refused."""
    for said in ("a person", "birthday cake"):
        assert not dev.search(said).nothing
        assert refused(dev, [said]) == 1


@pytest.mark.slow
@pytest.mark.data
def test_bands_do_not_hide_what_is_there(dev: Library, captions: list[tuple[Path, str]]) -> None:
    """Of twenty everyday things, most pictures that show one are likely or strong, and few others are."""
    from benchmarks.confidence import things

    found, right = things(dev, captions)
    assert found >= 0.6
    assert right >= 0.75


@pytest.mark.data
@pytest.mark.parametrize("said", ["plokij", "ffffggg", "a toaster", "an igloo", "a passport"])
def test_a_single_word_can_still_be_refused(dev: Library, said: str) -> None:
    assert dev.search(said).nothing


@pytest.mark.slow
@pytest.mark.data
def test_probabilities_are_calibrated(dev: Library, captions: list[tuple[Path, str]]) -> None:
    sure, right = [], []
    for path, text in captions[::10]:
        hits = dev.search(ByText(text), threshold="none").hits
        sure += [hit.confidence or 0.0 for hit in hits]
        right += [hit.path == path for hit in hits]
    assert len(sure) > 1000
    assert calibration_error(sure, right) <= 0.05
    assert calibration_error(sure[::10], right[::10]) <= 0.1  # of 500: chance alone gives about 0.04


@pytest.mark.data
def test_what_is_taken_away_truly_goes_down(dev: Library, captions: list[tuple[Path, str]]) -> None:
    """Share of the first ten pictures of each place of which two captions name a person."""
    persons = re.compile(r"\b(man|men|woman|women|people|person|boys?|girls?|child|children|kids?|lady|guy)\b")
    named: dict[Path, int] = {}
    for path, text in captions:
        named[path] = named.get(path, 0) + bool(persons.search(text.lower()))

    def share(query: str) -> float:
        return float(np.mean([named[hit.path] >= 2 for hit in dev.search(query, threshold="none").hits if hit.path]))

    places = ("beach", "grass", "snow", "water", "street", "park")
    plain, less, least = (np.mean([share(place + end) for place in places]) for end in ("", " -people", " -2:people"))
    assert less <= 0.85 * plain
    assert least <= 0.65 * plain


@pytest.mark.slow
@pytest.mark.data
def test_texts_that_fit_everything_step_back_and_are_calibrated(
    dev: Library, captions: list[tuple[Path, str]], tmp_path: Path
) -> None:
    shutil.copytree(dev.path, tmp_path / "library")
    with Library.open(tmp_path / "library", BUILTIN) as library:
        library.index([], [(DEV.with_suffix(".csv"), DEV)])
        with library.storage.read() as catalog:
            own: dict[int, set[int]] = {}
            for picture, text in catalog.captions.pairs():
                own.setdefault(picture, set()).add(text)
        numbers, vectors = library.storage.vectors.get(Kind.PICTURE, sorted(own)[::4])
        answers = [library.search(SearchRequest.by_vector(vector, kind=Kind.TEXT)) for vector in vectors]
        right = [[hit.content in own[int(n)] for hit in a.hits] for n, a in zip(numbers, answers, strict=True)]
        sure = [hit.confidence or 0.0 for answer in answers for hit in answer.hits]
        assert np.mean([row[0] for row in right]) >= 0.32  # 0.30 by the cosine alone
        assert calibration_error(sure, np.ravel(right).tolist()) <= 0.05
        assert np.mean([answer.nothing for answer in answers]) <= 0.08
        photos = sorted((Path(skimage.__file__).parent / "data").glob("*.png"))
        assert np.mean([library.captions.find(path).nothing for path in photos]) >= 0.8


# --- any space, any library -------------------------------------------------------------------------------------------


ASKED = ("a cat", "a motorcycle", "a plate of sushi", "sdfsdf qwpo", "a man with a camera", "a page of text")


class Shifted:
    """The built-in encoder in another space: pictures and texts drawn apart, turned and mirrored."""

    space = Space("shifted", 385, "1")

    def __init__(self) -> None:
        self.inner: Encoder = backends.encoder(BUILTIN, "builtin")
        self.image_size = self.inner.image_size
        self.turn = np.linalg.qr(np.random.default_rng(0).normal(size=(385, 385)))[0].astype(np.float32)

    def prepare(self, image: object) -> Pixels:
        return self.inner.prepare(image)  # type: ignore[arg-type]  # a picture

    def images(self, batch: Sequence[Pixels]) -> Vectors:
        return self._moved(self.inner.images(batch), 0.8)

    def texts(self, batch: Sequence[str]) -> Vectors:
        return self._moved(self.inner.texts(batch), -0.9)

    def _moved(self, rows: Vectors, apart: float) -> Vectors:
        longer = np.c_[rows, np.full(len(rows), apart, np.float32)] / np.sqrt(1 + apart**2)
        moved: Vectors = (longer @ self.turn).astype(np.float32)
        return moved


@pytest.mark.slow
def test_a_change_of_space_changes_neither_bands_nor_what_is_refused(tmp_path: Path) -> None:
    photos = Path(skimage.__file__).parent / "data"
    found = []
    for name in ("builtin", "shifted"):
        with Library.create(tmp_path / name, BUILTIN, encoder=Shifted() if name == "shifted" else None) as library:
            library.index([photos])
            asked = (
                "a cat",
                "a motorcycle",
                "a plate of sushi",
                "sdfsdf qwpo",
                "a man with a camera",
                "a page of text",
            )
            answers = [library.search(query, k=3, threshold="none") for query in asked]
            found.append([(answer.nothing, [hit.band for hit in answer.hits[:1]]) for answer in answers])
    assert found[0] == found[1]
    assert [nothing for nothing, _ in found[0]] == [False, False, True, True, False, False]


def test_a_model_that_cannot_tell_words_apart_says_nothing_of_itself(library: Library, photos: Path) -> None:
    library.index([photos])
    answer = library.search("no colour at all")
    assert (answer.match, answer.nothing, {hit.band for hit in answer.hits}) == (None, False, {Band.UNKNOWN})
    assert len(answer.hits) == 4


@pytest.mark.slow
def test_one_picture_is_a_library_too(tmp_path: Path, paint: Paint) -> None:
    with Library.create(tmp_path / "one", BUILTIN) as library:
        library.index([paint("red.jpg")])
        answer = library.search("a red wall", threshold="none")
        assert [hit.confidence for hit in answer.hits] == [None]
        assert answer.match is not None
        assert library.search("-people", threshold="none").hits[0].band is Band.UNKNOWN


@pytest.mark.slow
def test_what_the_bank_says_is_kept_beside_the_vectors_and_made_again(tmp_path: Path, paint: Paint) -> None:
    paths = [paint(f"{n}.png", f"rgb({20 * n},90,{250 - 20 * n})") for n in range(10)]
    with Library.create(tmp_path / "library", BUILTIN) as library:
        library.index([paths[0].parent])
        file = next((library.path / "vectors").glob("*-calibration.npz"))
        kept_then = Calibration(library.storage, _never).image_scale()
        assert kept_then == library.services.calibration().image_scale()
        file.write_bytes(b"broken")
        assert library.search("red", threshold="none").hits
        paint("new.png", "rgb(0,255,0)").rename(paths[0].parent / "new.png")
        paint("newer.png", "rgb(0,200,0)")
        library.index([paths[0].parent])
        again = Calibration(library.storage, library.services.encoder_of).image_scale()
        assert again is not None
        assert kept_then is not None
        assert abs(again.count - 12) <= REFRESH_GROWTH * 12


@pytest.mark.slow
def test_the_bank_is_encoded_once_for_all_libraries_of_a_model(tmp_path: Path, paint: Paint) -> None:
    for name in ("one", "two"):
        with Library.create(tmp_path / name, BUILTIN) as library:
            library.index([paint(f"{name}.png", "red")])
    (file,) = (cache_folder() / "anchors").iterdir()
    encoder = backends.encoder(BUILTIN, "builtin")
    again = AnchorTexts.of_space(encoder.space, _never)
    with np.load(file) as stored:
        assert np.array_equal(stored["nouns"], again.nouns)
    file.write_bytes(b"broken")
    assert np.allclose(AnchorTexts.of_space(encoder.space, lambda _: encoder).nouns, again.nouns, atol=1e-5)
    assert AnchorTexts.of_space(encoder.space, _never).usable


def _never(space: Space) -> Encoder:
    raise AssertionError(f"{space.model} was loaded")


@pytest.mark.slow
def test_words_are_known_from_strings_of_letters() -> None:
    encoder = backends.encoder(BUILTIN, "builtin")
    found = AnchorTexts.of_space(encoder.space, lambda _: encoder).word_likeness(
        encoder.texts(["a man riding a horse", "a photo of a chair", "qxzv trplk"])
    )
    assert found[:2].min() > 0.6
    assert found[2] < 0.3


# --- the threshold ----------------------------------------------------------------------------------------------------

BANDS = (Band.STRONG, Band.LIKELY, Band.WEAK, Band.UNKNOWN)
HITS = tuple(Hit(rank, 0.5, Kind.PICTURE, rank, band=band) for rank, band in enumerate(BANDS, start=1))


@pytest.mark.parametrize(
    ("threshold", "shown"),
    [("none", BANDS), ("weak", BANDS), ("likely", (Band.STRONG, Band.LIKELY, Band.UNKNOWN)), ("strong", BANDS[::3])],
)
def test_the_threshold_leaves_out_what_is_less_sure(threshold: Threshold, shown: tuple[Band, ...]) -> None:
    answer = apply_threshold(Answer("q", HITS, 9, "m"), threshold)
    assert tuple(hit.band for hit in answer.hits) == shown
    assert [hit.rank for hit in answer.hits] == list(range(1, len(shown) + 1))
    assert bool(answer.notes) == (len(shown) < 4)


def test_only_none_shows_the_nearest_where_nothing_matches() -> None:
    answer = replace(Answer("q", HITS, 9, "m"), nothing=True)
    assert apply_threshold(answer, "none") == answer
    assert apply_threshold(answer, "weak").hits == ()
