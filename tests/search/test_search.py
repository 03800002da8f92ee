"""The read path: each kind of query, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from retrieval import Answer, Library, Settings
from retrieval.errors import PictureError, UsageError
from retrieval.search.diversify import maximal_marginal_relevance
from retrieval.storage.vector_search import VectorSearch
from retrieval.types.records import Kind, Order
from retrieval.types.request import SearchRequest

from ..conftest import Paint


@pytest.fixture
def filled(library: Library, photos: Path) -> Library:
    library.index([photos])
    return library


def found(answer: Answer) -> list[str]:
    return [hit.path.name if hit.path else "" for hit in answer.hits]


def test_words_find_their_picture_first(filled: Library) -> None:
    for colour, name in (("red", "red.jpg"), ("lime", "lime.png"), ("blue", "blue.webp"), ("yellow", "yellow.bmp")):
        assert found(filled.search(f"something {colour}", k=1)) == [name]


def test_hits_are_ranked_from_one_with_scores_going_down(filled: Library) -> None:
    hits = filled.search("red").hits
    assert [hit.rank for hit in hits] == [1, 2, 3, 4]
    scores = [hit.score for hit in hits if hit.score is not None]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) == 4
    assert all(-1.0001 <= score <= 1.0001 for score in scores)


def test_a_picture_of_the_library_finds_itself_with_score_one(filled: Library, photos: Path) -> None:
    hit = filled.search(image=photos / "lime.png", k=1).hits[0]
    assert hit.path == photos / "lime.png"
    assert hit.score == pytest.approx(1, abs=1e-5)


def test_bytes_are_a_query_as_a_file_is(filled: Library, paint: Paint) -> None:
    outside = paint("../outside.png", "rgb(200,10,10)")
    assert found(filled.search(image=outside)) == found(filled.search(image=outside.read_bytes()))


def test_an_item_is_not_among_its_own_answers(filled: Library) -> None:
    item = next(each for each in filled if each.path.name == "red.jpg")
    assert sorted(found(filled.search(SearchRequest.similar(item.id)))) == ["blue.webp", "lime.png", "yellow.bmp"]


def test_a_vector_of_any_length_is_a_query(filled: Library) -> None:
    assert found(filled.search(SearchRequest.by_vector(np.array([5, -5, -5], np.float32), k=1))) == ["red.jpg"]


@pytest.mark.parametrize("vector", [[1, 2], [0, 0, 0], [np.nan, 1, 1]])
def test_a_vector_that_cannot_be_compared_is_refused(filled: Library, vector: list[float]) -> None:
    with pytest.raises(UsageError, match="3 finite numbers"):
        filled.search(SearchRequest.by_vector(np.array(vector, np.float32)))


@pytest.mark.parametrize("text", ["", "   ", "\n\t"])
def test_an_empty_query_is_refused(filled: Library, text: str) -> None:
    with pytest.raises(UsageError, match="query is empty"):
        filled.search(text)


@pytest.mark.parametrize("text", ["x" * 10_000, "🐕🏖️", "一只狗在海滩上", "red\0blue", "-" * 50, "' OR 1=1 --"])
def test_strange_queries_have_an_answer(filled: Library, text: str) -> None:
    answer = filled.search(text, k=2)
    assert len(answer.hits) == 2
    assert bool(answer.notes) == (len(text) > 2000)


@pytest.mark.parametrize("k", [0, -1])
def test_k_below_one_is_refused(filled: Library, k: int) -> None:
    with pytest.raises(UsageError, match="at least 1"):
        filled.search("red", k=k)


def test_k_of_a_million_gives_what_there_is(filled: Library) -> None:
    assert len(filled.search("red", k=1_000_000).hits) == 4


def test_a_filter_that_leaves_few_returns_just_those(filled: Library) -> None:
    answer = filled.search("red", within=["*.webp", "*.bmp"])
    assert sorted(found(answer)) == ["blue.webp", "yellow.bmp"]
    assert answer.searched == 2
    nothing = filled.search("red", within=["nothing/*"])
    assert (nothing.hits, nothing.notes) == ((), ("nothing in the library passes the filter",))


def test_a_filter_of_many_is_searched_in_the_index(filled: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retrieval.storage.vector_search.EXACT_UP_TO", 1)
    assert sorted(found(filled.search("red", within=["*.webp", "*.bmp"]))) == ["blue.webp", "yellow.bmp"]


def test_an_item_that_is_not_there_is_refused(filled: Library) -> None:
    with pytest.raises(UsageError, match="no item 999"):
        filled.search(SearchRequest.similar(999))


def test_a_picture_that_cannot_be_used_says_why(filled: Library, tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_text("no picture")
    with pytest.raises(PictureError) as caught:
        filled.search(image=tmp_path / "bad.jpg")
    assert caught.value.reason == "not-a-picture"
    with pytest.raises(PictureError, match="no such file"):
        filled.search(image=tmp_path / "nowhere.jpg")


def test_a_library_without_texts_says_how_to_add_some(filled: Library, photos: Path) -> None:
    answer = filled.captions.find(photos / "red.jpg")
    assert answer.hits == ()
    assert "--captions" in answer.notes[0]


def test_texts_come_with_the_pictures_they_belong_to(filled: Library, photos: Path, tmp_path: Path) -> None:
    table = tmp_path / "c.csv"
    table.write_text("image,caption\nred.jpg,all red\n,blue alone\n")
    filled.index([], [(table, photos)])
    hit = filled.captions.find(photos / "red.jpg", k=1).hits[0]
    assert (hit.kind, hit.text, hit.path) == (Kind.TEXT, "all red", photos / "red.jpg")
    alone = filled.captions.find(photos / "blue.webp", k=1).hits[0]
    assert (alone.text, alone.path) == ("blue alone", None)
    assert filled.search("red", k=1).hits[0].text == "all red"


def test_many_neighbours_agree_with_plain_comparison(library: Library, paint: Paint) -> None:
    """The whole path, FAISS and re-scoring, against a NumPy product."""
    colours = np.random.default_rng(3).integers(0, 255, (60, 3))
    paths = [paint(f"{n:02}.png", f"rgb({r},{g},{b})") for n, (r, g, b) in enumerate(colours.tolist())]
    library.index([paths[0].parent])
    query = np.array([1, -1, 0.2], np.float32)
    centred = colours - 127.25
    scores = (centred / np.linalg.norm(centred, axis=1, keepdims=True)) @ (query / np.linalg.norm(query))
    right = [f"{n:02}.png" for n in np.argsort(-scores)[:10]]
    answer = library.search(SearchRequest.by_vector(query, k=10))
    assert found(answer) == right
    assert [hit.score for hit in answer.hits] == pytest.approx(np.sort(scores)[::-1][:10].tolist(), abs=1e-5)


# --- many pieces ------------------------------------------------------------------------------------------------------


def test_what_is_not_wanted_goes_down(filled: Library) -> None:
    plain, without = found(filled.search("yellow")), found(filled.search("yellow -lime"))
    assert plain[:2] == ["yellow.bmp", "lime.png"]
    assert without.index("lime.png") > plain.index("lime.png")
    assert found(filled.search("-red"))[-1] == "red.jpg"


def test_weights_say_what_counts_more(filled: Library) -> None:
    assert found(filled.search("3:red blue", k=1)) == ["red.jpg"]
    assert found(filled.search("red 3:blue", k=1)) == ["blue.webp"]


def test_a_picture_is_as_good_as_the_side_of_or_that_it_fits_best(filled: Library) -> None:
    answer = filled.search("blue OR red")
    assert set(found(answer)[:2]) == {"blue.webp", "red.jpg"}
    assert len(answer.hits) == 4
    assert [hit.rank for hit in answer.hits] == [1, 2, 3, 4]


def test_each_side_of_or_has_its_own_filter(filled: Library) -> None:
    assert set(found(filled.search("(lime type:webp) OR (blue type:png)"))) == {"lime.png", "blue.webp"}


def test_a_picture_and_words_are_looked_for_together(filled: Library, photos: Path) -> None:
    both = filled.search("lime", image=photos / "red.jpg")
    assert {hit.path.name: hit.score for hit in both.hits if hit.path} == pytest.approx(
        {"red.jpg": 3**-0.5, "lime.png": 3**-0.5, "yellow.bmp": 3**-0.5, "blue.webp": -(3**-0.5)}, abs=0.01
    )
    assert found(filled.search(f"similar:{photos / 'red.jpg'} lime"))[-1] == "blue.webp"
    assert filled.search("lime", k=1, image=photos / "red.jpg").query == f"lime {photos / 'red.jpg'}"


def test_filters_alone_list_the_newest_without_a_score(filled: Library) -> None:
    answer = filled.search("type:png OR type:webp")
    assert sorted(found(answer)) == ["blue.webp", "lime.png"]
    assert {hit.score for hit in answer.hits} == {None}


def test_a_filter_on_what_no_picture_has_says_so(filled: Library) -> None:
    answer = filled.search("red camera:nikon")
    assert answer.hits == ()
    assert answer.notes[0] == "no picture of the library has a camera: the filter on it finds nothing"


def test_a_hit_is_the_file_that_passes_the_filter(filled: Library, paint: Paint, photos: Path) -> None:
    copy = paint("more/zinnober.jpg", "red")
    copy.write_bytes((photos / "red.jpg").read_bytes())
    filled.index([photos])
    assert found(filled.search("red path:more/*", k=1)) == ["zinnober.jpg"]
    hit = filled.search("red", k=1).hits[0]
    assert (hit.path, hit.copies) == (copy, (photos / "red.jpg",))


def test_parts_that_cancel_out_are_refused(filled: Library) -> None:
    with pytest.raises(UsageError, match="cancel each other out"):
        filled.search("red -2:red")


def test_texts_are_filtered_by_their_pictures(filled: Library, photos: Path, tmp_path: Path) -> None:
    table = tmp_path / "c.csv"
    table.write_text("image,caption\nred.jpg,all red\nblue.webp,blue sea\n")
    filled.index([], [(table, photos)])
    answer = filled.search(f"similar:{photos / 'red.jpg'} type:webp", kind=Kind.TEXT)
    assert [hit.text for hit in answer.hits] == ["blue sea"]


# --- pages ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def many(library: Library, paint: Paint) -> Library:
    paths = [paint(f"{n:02}.png", f"rgb({250 - n},{5 * n},0)") for n in range(30)]
    library.index([paths[0].parent])
    return library


def test_page_one_and_page_two_are_the_first_twenty(many: Library) -> None:
    first = many.search("red", page=1)
    second = many.next_page(first.cursor)
    assert found(first) + found(second) == found(many.search("red", k=20))
    assert [hit.rank for hit in second.hits] == list(range(11, 21))
    last = many.next_page(second.cursor)
    assert (len(last.hits), last.cursor) == (10, "")
    assert found(many.search("red", page=2)) == found(second)


def test_pages_stay_as_they_were_while_the_library_changes(many: Library, paint: Paint) -> None:
    before = found(many.search("red", k=20))
    first = many.search("red", page=1)
    new = [paint(f"new{n}.png", f"rgb(255,{n},0)") for n in range(5)]
    (new[0].parent / before[12]).unlink()
    many.index([new[0].parent])
    second = many.next_page(first.cursor)
    assert found(second) == [name for place, name in enumerate(before) if place >= 10 and place != 12]
    assert second.notes[-1] == "1 of this page have left the library since"
    assert found(many.search("red", page=2)) == found(second)
    assert found(many.search("red", page=1))[0].startswith("new")


@pytest.mark.parametrize("cursor", ["", "x", "../../x.0.10", "a.b.c", "a.0.0"])
def test_what_is_no_cursor_is_refused(many: Library, cursor: str) -> None:
    with pytest.raises(UsageError, match="not a cursor"):
        many.next_page(cursor)


def test_an_answer_that_is_not_kept_any_more_says_so(many: Library) -> None:
    with pytest.raises(UsageError, match="begin again with the first page"):
        many.next_page("0123456789abcdef-01234567.10.10")
    with pytest.raises(UsageError, match="counted from 1"):
        many.search("red", page=0)


# --- facets -----------------------------------------------------------------------------------------------------------


def test_facets_count_what_passes_and_leave_out_what_is_not_there(filled: Library, paint: Paint) -> None:
    paint("more/cyan.png", "cyan")
    filled.index([paint("more/teal.png", "teal").parent])
    assert filled.facets("type:png")["folder"] == [("more", 2), ("photos", 1)]
    assert filled.facets("type:png OR type:jpeg")["type"] == [("png", 3), ("jpeg", 1)]
    assert filled.facets("red")["year"] == []
    assert sum(count for _, count in filled.facets("red path:more/*")["folder"]) == 2


# --- other orders -----------------------------------------------------------------------------------------------------


def test_diverse_hits_differ_from_each_other(library: Library, paint: Paint) -> None:
    """Twenty reds and an orange: plain order has three reds first, the diverse one soon the orange."""
    for n in range(12):
        paint(f"red{n:02}.png", f"rgb(255,{n},0)")
    paint("blue.png")
    library.index([paint("orange.png", "rgb(255,150,0)").parent])
    assert "orange.png" not in found(library.search('"red"', k=3))
    answer = library.search('"red"', k=3, order="diverse")
    assert "orange.png" in found(answer)
    assert [hit.rank for hit in answer.hits] == [1, 2, 3]


def test_marginal_relevance_by_hand() -> None:
    vectors = np.array([[1, 0], [1, 0], [0, 1]], np.float32)
    assert maximal_marginal_relevance(vectors, [1.0, 0.5, 0.4], 3) == [
        0,
        2,
        1,
    ]  # 0.5 * 0 - 0.5 * 0 is more than 0.5 * 0.17 - 0.5 * 1
    assert maximal_marginal_relevance(vectors[[0, 2, 2]], [1.0, 0.9, 0.0], 2) == [0, 1]
    assert maximal_marginal_relevance(vectors[:0], [], 3) == []


def test_hits_by_date_are_the_same_hits(library: Library, paint: Paint) -> None:
    for name, day in (("old.jpg", "2001:01:01"), ("new.jpg", "2020:05:05"), ("none.png", "")):
        path = paint(name, "red")
        if day:
            exif = Image.Exif()
            exif.get_ifd(0x8769)[0x9003] = f"{day} 10:00:00"
            Image.open(path).save(path, exif=exif)
    library.index([path.parent])
    answer = library.search("red", k=3, order="date")
    assert found(answer) == ["new.jpg", "old.jpg", "none.png"]
    assert [hit.rank for hit in answer.hits] == [1, 2, 3]
    assert answer.hits[0].taken_at is not None


@pytest.fixture
def zebras(library: Library, paint: Paint) -> Library:
    """Thirty pictures with zebra in their names, of 1990 to 2019, and a hundred others, all of which are newer."""
    folder = paint("0.png", "white").parent
    for number in range(30):
        path = paint(f"zebra {number}.jpg", f"rgb({number},0,0)")
        exif = Image.Exif()
        exif.get_ifd(0x8769)[0x9003] = f"{1990 + number}:01:01 10:00:00"
        Image.open(path).save(path, exif=exif)
    for number in range(100):
        path = paint(f"IMG_{number}.jpg", f"rgb(0,{number},200)")
        exif = Image.Exif()
        exif.get_ifd(0x8769)[0x9003] = "2022:01:01 10:00:00"
        Image.open(path).save(path, exif=exif)
    library.index([folder])
    return library


def years(answer: Answer) -> list[int]:
    return [hit.taken_at.year for hit in answer.hits if hit.taken_at]


def test_newest_first_is_of_all_sure_hits_not_of_the_best_few(zebras: Library) -> None:
    answer = zebras.search("zebra", k=5, order="date", fold=False)
    assert years(answer) == [2019, 2018, 2017, 2016, 2015]
    assert answer.bands is not None
    assert answer.bands["strong"] == 30


def test_newest_first_goes_on_over_pages(zebras: Library) -> None:
    answer = zebras.search("zebra", k=20, order="date", page=1, fold=False)
    following = zebras.next_page(answer.cursor)
    assert years(answer) + years(following) == list(range(2019, 1989, -1))
    assert [hit.rank for hit in following.hits] == list(range(21, 31))
    assert following.cursor == ""
    assert zebras.search("zebra", k=20, order="date", page=2, fold=False).hits == following.hits


def test_a_threshold_ends_the_pages_and_says_so(zebras: Library) -> None:
    answer = zebras.search("zebra", k=50, page=1, threshold="likely", fold=False)
    assert answer.bands is not None
    assert len(answer.hits) == 50
    unsure = zebras.search("zebra", k=1000, page=1, threshold="strong", fold=False)
    assert len(unsure.hits) == sum(count for band, count in answer.bands.items() if band in ("strong", ""))
    assert unsure.cursor == ""


@pytest.mark.parametrize("fold", [True, False])
def test_facets_count_what_pages_show(zebras: Library, fold: bool) -> None:
    for query in ("zebra", "path:*zebra*", "path:*zebra?1*"):
        answer = zebras.search(query, k=1000, order="date", facets=True, fold=fold)
        assert answer.facets is not None
        assert sum(count for _, count in answer.facets["year"]) == len(answer.hits) > 0
        orders: tuple[Order, ...] = ("score", "date")
        for order in orders:
            page = zebras.search(query, k=5, page=1, order=order, facets=True, fold=fold)
            assert page.facets == answer.facets


def test_facets_of_a_picture_and_of_a_taught_word_are_of_the_most_alike(zebras: Library) -> None:
    first = next(item for item in zebras if item.path.name == "zebra 0.jpg")
    zebras.saved.teach("stripes", [first.path])
    for query in (SearchRequest("@stripes", fold=False), SearchRequest.similar(first.id, fold=False, threshold=None)):
        assert sum(count for _, count in zebras.facets(query)["year"]) == 100
    assert sum(count for _, count in zebras.facets("")["type"]) == len(zebras.search("type:photo", k=1000).hits)


# --- one pass -----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_plain_text_query_searches_pictures_once(
    library: Library, paint: Paint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Candidates, calibration, bands and z-scores come from one nearest-neighbour search, one read of its vectors."""
    paths = [paint(f"{n}.png", f"rgb({n},{250 - n},90)") for n in range(40)]
    with Library.create(library.path.parent / "words", Settings(model="builtin")) as words:
        words.index([paths[0].parent])
        words.search("a red wall")
        searches: list[Kind] = []
        plain = VectorSearch._search

        def counted(self: VectorSearch, kind: Kind, *rest: Any) -> Any:
            searches.append(kind)
            return plain(self, kind, *rest)

        monkeypatch.setattr(VectorSearch, "_search", counted)
        assert words.search("a green wall", threshold="none").match is not None
    assert searches == [Kind.PICTURE]
