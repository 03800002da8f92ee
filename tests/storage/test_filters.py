"""Filters as SQL against the same filters worked out row by row, and facets."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retrieval.geocoding import NearestTown
from retrieval.queries.filters import (
    And,
    Between,
    Captioned,
    Filter,
    Has,
    Near,
    Not,
    NumberField,
    OcrContains,
    OfType,
    Or,
    PathFits,
    Presence,
    Taken,
    TextContains,
    TextField,
)
from retrieval.storage.catalog import Database
from retrieval.types.records import Box, DatePrecision, Facts, Kind, ScannedFile

PATHS = ("/p/holidays/2023/a.jpg", "/p/holidays/b [1].jpg", "/p/work/c.nef", "/p/work/Été.JPG", "/p/film.mp4")
FILES = {  # everything about five files, some of it unknown
    PATHS[0]: Facts(4000, 3000, "JPEG", datetime(2023, 6, 1, 12, tzinfo=timezone(timedelta(hours=-9))), "NIKON D850",
                    "50mm f/1.8", 38.72, -9.14, 1, "Trip", "", ("family", "Été"), 4),
    PATHS[1]: Facts(800, 600, "MPO", datetime(2024, 1, 1), "Canon 100%_x", "", 48.85, 2.35, rating=0),
    PATHS[2]: Facts(6000, 4000, "RAW", datetime(2023, 5, 31, 23, 59, 59), keywords=("a\"b",), rating=-1),
    PATHS[3]: Facts(10, 10, "PNG", None, "", "", 0.0, 179.9, title="été 100%"),
    PATHS[4]: Facts(1920, 1080, "MP4", datetime(2022, 12, 31, 8), latitude=0.0, longitude=-179.9),
}  # fmt: skip
FILES[PATHS[0]] = replace(FILES[PATHS[0]], people=("Anna", "Été"), iso=1600, aperture=1.8, exposure=0.004)
FILES[PATHS[2]] = replace(FILES[PATHS[2]], iso=100, focal_length=50.0, damaged=True)
FILES[PATHS[1]] = replace(FILES[PATHS[1]], date_precision=DatePrecision.MONTH)
CAPTIONS = {PATHS[0]: ["A Dog on the beach", "sand"], PATHS[3]: ["ÉTÉ"]}
READ = {PATHS[2]: ["TOTAL 12.90", "Plumber"], PATHS[4]: []}
PLACES = {
    PATHS[0]: NearestTown("Lisbon", "Lisbon", "Portugal"),
    PATHS[1]: NearestTown("Paris", "Ile-de-France", "France"),
}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    database = Database.create(tmp_path_factory.mktemp("filters") / "catalog.sqlite")
    with database.transaction() as catalog:
        for number, (path, facts) in enumerate(FILES.items(), start=1):
            content = catalog.contents.add(Kind.PICTURE, path)
            second = 3.5 if path.endswith(".mp4") else None
            catalog.items.put(ScannedFile(Path(path), 1, 1), [(content, second)], facts)
            if path in READ:
                catalog.annotations.put_ocr_lines(content, "engine", [Box(line, 0, 0, 1, 1) for line in READ[path]])
            for text in CAPTIONS.get(path, []):
                catalog.captions.link(content, [catalog.contents.add(Kind.TEXT, text, text)], "file", Path("/c.csv"))
            if path in PLACES:
                catalog.items.put_places([number], [PLACES[path]])
    yield database
    database.close()


def passing(database: Database, where: Filter) -> set[str]:
    with database.read() as catalog:
        chosen = [item for item, _ in catalog.filters.passing(where)]
        return {str(item.path) for item in catalog.items.get(chosen)}


# --- the same, row by row -----------------------------------------------------------------------------------------


def fits(where: Filter, path: str) -> bool:
    facts = FILES[path]
    match where:
        case And(parts):
            return all(fits(part, path) for part in parts)
        case Or(parts):
            return any(fits(part, path) for part in parts)
        case Not(part):
            return not fits(part, path)
        case Taken(since, until):
            at = facts.taken_at and facts.taken_at.replace(tzinfo=None)
            to = facts.taken_to or at
            return at is not None and (since is None or at >= since) and (until is None or (to or at) < until)
        case Between(number, low, high):
            found = {
                NumberField.RATING: facts.rating,
                NumberField.WIDTH: facts.width,
                NumberField.HEIGHT: facts.height,
                NumberField.MEGAPIXELS: facts.width * facts.height / 1e6,
                NumberField.ISO: facts.iso,
                NumberField.APERTURE: facts.aperture,
                NumberField.FOCAL_LENGTH: facts.focal_length,
                NumberField.EXPOSURE: facts.exposure,
            }[number]
            return found is not None and (low is None or found >= low) and (high is None or found <= high)
        case Near(latitude, longitude, kilometres):
            return distance(facts.latitude, facts.longitude, latitude, longitude) <= kilometres
        case PathFits(glob):
            return PATHS.index(path) in GLOBS[glob]
        case OfType(name):
            return name in {"JPEG": "jpeg photo", "MPO": "jpeg photo", "RAW": "raw photo", "PNG": "png photo",
                            "MP4": "mp4 video"}[facts.format].split()  # fmt: skip
        case _:
            return in_words(where, path)


def in_words(where: Filter, path: str) -> bool:
    facts, place = FILES[path], PLACES.get(path, NearestTown())
    match where:
        case TextContains(word, text):
            words = {"camera": [facts.camera], "lens": [facts.lens], "keyword": facts.keywords, "title": [facts.title],
                     "person": facts.people, "city": [place.city],
                     "region": [place.region], "country": [place.country]}[word]  # fmt: skip
            return any(contains(each, text) for each in words)
        case Captioned(text):
            return any(contains(each, text) for each in CAPTIONS.get(path, []))
        case OcrContains(text):
            return any(contains(each, text) for each in READ.get(path, []))
        case Has(mark):
            return {
                Presence.TEXT: bool(READ.get(path)),
                Presence.GPS: facts.latitude is not None,
                Presence.DATE: facts.taken_at is not None,
                Presence.CAMERA: bool(facts.camera),
                Presence.CAPTION: path in CAPTIONS,
                Presence.RATING: facts.rating is not None,
                Presence.KEYWORDS: bool(facts.keywords),
                Presence.PEOPLE: bool(facts.people),
                Presence.DAMAGE: facts.damaged,
            }[mark]
    raise TypeError(where)


def contains(text: str, part: str) -> bool:
    """With `*` for anything: its pieces come one after the other."""
    place, low = 0, text.casefold()
    for piece in part.casefold().split("*"):
        place = low.find(piece, place) + len(piece)
        if place < len(piece):
            return False
    return True


def distance(a: float | None, b: float | None, c: float, d: float) -> float:
    """By the chord between two points on the unit sphere."""
    if a is None or b is None:
        return math.inf
    first, second = (
        (math.cos(x) * math.cos(y), math.cos(x) * math.sin(y), math.sin(x))
        for x, y in ((math.radians(a), math.radians(b)), (math.radians(c), math.radians(d)))
    )
    return 2 * 6371.0088 * math.asin(min(1.0, math.dist(first, second) / 2))


MOMENTS = st.sampled_from([None, *(facts.taken_at.replace(tzinfo=None) for facts in FILES.values() if facts.taken_at)])
WORDS = st.sampled_from(["", "nikon", "d*0", "100%", "_", "été", "ÉTÉ", 'a"b', "fam", "dog on", "lis", "*", "france"])
NUMBERS = st.sampled_from([None, -1, 0, 0.004, 1.8, 3.5, 4, 12, 10, 50, 600, 4000])
GLOBS = {  # what each fits, by the place in `PATHS`
    "holidays/*": {0, 1},
    "holidays": {0, 1},
    "*.jpg": {0, 1, 3},
    "b [[]1].jpg": {1},
    "b [1].jpg": {1},
    "[!a].*": {2},
    "work/**": {2, 3},
    "c.nef": {2},
    "/p/work/*": {2, 3},
    "/work": set(),
    "*": {0, 1, 2, 3, 4},
    "nothing": set(),
    "É?é.JPG": {3},
    "*.{NEF,mp4}": {2, 4},
}
LEAVES = st.one_of(
    st.builds(Taken, MOMENTS, MOMENTS),
    st.builds(TextContains, st.sampled_from(TextField), WORDS),
    st.builds(Captioned, WORDS),
    st.builds(OcrContains, WORDS | st.sampled_from(["total 12", "12.90 plumber", "PLUMBER"])),
    st.builds(Between, st.sampled_from(NumberField), NUMBERS, NUMBERS),
    st.builds(
        Near, st.sampled_from([38.7, 48.8, 0.0]), st.sampled_from([-9.1, 2.3, 180.0]), st.sampled_from([5, 50, 2e3])
    ),
    st.builds(PathFits, st.sampled_from(sorted(GLOBS))),
    st.builds(OfType, st.sampled_from(["photo", "video", "raw", "jpeg", "png", "mp4", "gif"])),
    st.builds(Has, st.sampled_from(Presence)),
)
FILTERS = st.recursive(
    LEAVES,
    lambda inner: (
        st.builds(Not, inner)
        | st.lists(inner, max_size=3).map(tuple).map(And)
        | st.lists(inner, max_size=3).map(tuple).map(Or)
    ),
    max_leaves=6,
)


@pytest.mark.slow
@given(where=FILTERS)
@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_filter_in_sql_keeps_what_it_keeps_row_by_row(database: Database, where: Filter) -> None:
    assert passing(database, where) == {path for path in PATHS if fits(where, path)}


@pytest.mark.parametrize(
    ("where", "names"),
    [
        (Taken(datetime(2023, 6, 1), datetime(2024, 1, 1)), ["a.jpg"]),  # by the camera's clock, whatever its zone
        (TextContains(TextField.KEYWORD, "été"), ["a.jpg"]),
        (Near(0.0, 180.0, 20), ["film.mp4", "Été.JPG"]),  # on both sides of the date line
        (Not(Between(NumberField.RATING, 1, None)), ["b [1].jpg", "c.nef", "film.mp4", "Été.JPG"]),
    ],
)
def test_filters_by_hand(database: Database, where: Filter, names: list[str]) -> None:
    assert sorted(Path(path).name for path in passing(database, where)) == names


def test_the_newest_come_first_and_those_without_a_date_last(database: Database) -> None:
    with database.read() as catalog:
        order = [item for item, _ in catalog.filters.passing(And())]
        assert [Path(PATHS[item - 1]).name for item in order] == ["b [1].jpg", "a.jpg", "c.nef", "film.mp4", "Été.JPG"]


def test_facets_count_what_there_is(database: Database) -> None:
    with database.read() as catalog:
        found = catalog.filters.facets([1, 2, 3, 4])
    assert found["year"] == [("2023", 2), ("2024", 1)]
    assert found["country"] == [("France", 1), ("Portugal", 1)]
    assert found["folder"] == [("work", 2), ("2023", 1), ("holidays", 1)]


def test_a_filter_on_what_nobody_has_is_known(database: Database) -> None:
    with database.read() as catalog:
        selection = catalog.filters
        assert selection.unknown(And((Taken(), Not(TextContains(TextField.LENS, "x"))))) == []
        catalog.items._connection.exec_driver_sql("UPDATE items SET lens = '', keywords = '[]'")
        assert selection.unknown(Or((TextContains(TextField.LENS, "x"), TextContains(TextField.KEYWORD, "y")))) == [
            "lens",
            "keyword",
        ]
