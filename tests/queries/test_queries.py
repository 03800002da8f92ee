"""The query language: what each form means, that any text has a tree or an error that points at a place, and dates."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval import geocoding
from retrieval.errors import QueryError
from retrieval.queries import dates, interpret
from retrieval.queries.expression import Alternative, Expression, WeightedPiece
from retrieval.queries.fields import FIELDS
from retrieval.queries.filters import (
    And,
    Between,
    Near,
    Not,
    NumberField,
    OfType,
    Or,
    PathFits,
    Taken,
    TextContains,
    TextField,
)
from retrieval.queries.syntax import AnyOf, parse, unparse
from retrieval.types.records import ByFile, ByText

NOW = datetime(2026, 11, 21, 17, 0)


def one(text: str) -> Alternative:
    found = interpret(text, NOW)
    assert len(found.alternatives) == 1
    return found.alternatives[0]


def weights(text: str) -> list[tuple[str, float]]:
    pieces = one(text).pieces
    return [(piece.piece.text, piece.weight) for piece in pieces if isinstance(piece.piece, ByText)]


# --- grammar ------------------------------------------------------------------------------------------------------

SIGNS = st.sampled_from('a dog OR AND ( ) - 2: .5: " “ ” \\ path: since: near: ~ * / 3 é 犬 🐕'.split())
TEXTS = st.lists(SIGNS | st.just(" "), max_size=30).map("".join) | st.text(max_size=60)


@given(TEXTS)
@settings(max_examples=400, deadline=None)
def test_any_text_has_a_tree_that_comes_back_from_its_own_spelling(text: str) -> None:
    try:
        tree = parse(text)
    except QueryError as exc:
        assert 0 <= exc.place[0] <= exc.place[1] <= len(text) + 1
        return
    assert parse(unparse(tree)) == tree


@pytest.mark.slow
@given(TEXTS)
@settings(max_examples=200, deadline=None)
def test_any_text_is_understood_or_refused_at_a_place(text: str) -> None:
    try:
        assert interpret(text, NOW).alternatives
    except QueryError as exc:
        assert str(exc).endswith("^")


def test_words_side_by_side_are_one_text_whatever_stands_between() -> None:
    assert weights("a dog camera:nikon on the beach") == [("a dog on the beach", 1)]


def test_a_minus_takes_a_meaning_away_and_a_number_weighs_it() -> None:
    assert weights('snow -people 2:night .5:"palm tree" -3:rain') == [
        ("snow", 1), ("people", -0.5), ("night", 2), ("palm tree", 0.5), ("rain", -1.5),
    ]  # fmt: skip


def test_signs_inside_words_are_words() -> None:
    assert weights("black-and-white rock'n'roll 5\" - -- :) 50%".replace(" :)", "")) == [
        ("black-and-white rock'n'roll 5\" - -- 50%", 1)
    ]


def test_or_spreads_out_and_binds_less_than_side_by_side() -> None:
    found = interpret("red car OR (blue (boat OR plane))", NOW)
    assert [each.words for each in found.alternatives] == ["red car", "blue boat", "blue plane"]
    assert found.words == "red car or blue boat or blue plane"


def test_quotes_keep_signs_words_and_dates_as_they_are() -> None:
    assert weights('"cat OR -dog" “in May 2022”') == [("cat OR -dog in May 2022", 1)]
    assert one('"in May 2022"').where == And()


def test_alternatives_of_filters_alone_are_one_filter() -> None:
    assert one("camera:nikon OR (camera:canon -type:raw)").where == Or(
        (TextContains(TextField.CAMERA, "nikon"), And((TextContains(TextField.CAMERA, "canon"), Not(OfType("raw")))))
    )


def test_every_group_keeps_its_place_in_the_tree() -> None:
    assert isinstance(parse("a OR b c"), AnyOf)
    assert unparse(parse("((a) OR (b c)) d")) == "(a OR b c) d"


# --- tokens -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("token", "means"),
    [
        ("since:2023-06", Taken(since=datetime(2023, 6, 1))),
        ("until:2024", Taken(until=datetime(2025, 1, 1))),
        ("on:2023-12-24", Taken(datetime(2023, 12, 24), datetime(2023, 12, 25))),
        ('on:"last summer"', Taken(datetime(2026, 6, 1), datetime(2026, 9, 1))),
        ("lens:50mm", TextContains(TextField.LENS, "50mm")),
        ("path:holidays/**", PathFits("holidays/**")),
        ("path:~x/a~b", PathFits("~x/a~b")),
        ("type:JPG", OfType("jpeg")),
        ("rating:>=4", Between(NumberField.RATING, 4, None)),
        ("rating:3..5", Between(NumberField.RATING, 3, 5)),
        ("mp:..12.5", Between(NumberField.MEGAPIXELS, None, 12.5)),
        ("near:38.7,-9.1~5mi", Near(38.7, -9.1, 8.04672, "38.7,-9.1")),
        (
            "place:lisbon",
            Or(
                (
                    TextContains(TextField.CITY, "lisbon"),
                    TextContains(TextField.REGION, "lisbon"),
                    TextContains(TextField.COUNTRY, "lisbon"),
                )
            ),
        ),
    ],
)
def test_a_token_is_a_filter(token: str, means: object) -> None:
    assert one(token) == Alternative((), means)  # type: ignore[arg-type]  # filters
    assert one(f"a dog -{token}").where == Not(means)  # type: ignore[arg-type]  # as above


def test_a_strict_bound_leaves_its_number_out() -> None:
    found = one("rating:>3").where
    assert isinstance(found, Between)
    assert found.low is not None
    assert 3 < found.low < 3.001


@pytest.mark.slow
def test_a_place_is_found_by_its_name_in_any_language() -> None:
    for name in ("Lisbon", "lissabon", "Lisboa, Portugal"):
        found = one(f'near:"{name}"~20km').where
        assert isinstance(found, Near)
        assert (found.name, found.kilometres) == ("Lisbon, Portugal", 20)
        assert found.latitude == pytest.approx(38.7, abs=0.1)


def test_coordinates_are_a_town_a_region_and_a_country() -> None:
    here, there = geocoding.describe([(46.596, 7.908), (38.72, -9.14)])
    assert (here.city, here.country, there.city, there.country) == (
        "Lauterbrunnen",
        "Switzerland",
        "Lisbon",
        "Portugal",
    )
    assert geocoding.describe([]) == []


def test_a_picture_is_looked_for_beside_words() -> None:
    found = one('2:similar:"my pool.jpg" at night').pieces
    assert [(type(each.piece), each.weight) for each in found] == [(ByText, 1), (ByFile, 2)]


def test_every_token_has_an_example_that_it_takes() -> None:
    for name, field in FIELDS.items():
        assert field.example.startswith(f"{name}:")
        assert interpret(field.example, NOW)


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ("a dog foo:bar", "foo:bar", 'nothing is called "foo:"; put it in quotes'),
        ("camra:nikon", "camra:nikon", "perhaps camera:"),
        ('cat "abc', '"', "never closed"),
        ("(a", "(", "never closed"),
        ("a) b", ")", "closes nothing"),
        ("dog OR", "OR", "both sides"),
        ("OR dog", "OR", "both sides"),
        ("a -OR b", "-", "nothing follows it"),
        ("since:2023-02-30", "since:2023-02-30", "is not a date"),
        ("since:2023-13", "since:2023-13", "is not a date"),
        ("near:Nowhereville", "near:Nowhereville", "no city is called"),
        ("near:95,10", "near:95,10", "nowhere"),
        ("near:Paris~far", "near:Paris~far", "is not a distance"),
        ("rating:many", "rating:many", "is not a number"),
        ("type:foo", "type:foo", "there are photo, video, raw"),
        ("has:money", "has:money", "there are gps, date"),
        ("a -(b type:raw)", "-(b type:raw)", "a sign or a weight goes before words"),
        ("2:type:raw", "2:type:raw", "a sign or a weight goes before words"),
        ("cat OR type:raw", "cat OR type:raw", "either each side of OR"),
        ("5000:cat", "5000:cat", "weights go to 1000"),
        ("(a OR b) (a OR b) (a OR b) (a OR b) (a OR b) (a OR b)", "(", "more than 32 different queries"),
        ("(" * 60 + "a" + ")" * 60, "(", "more than 50 brackets"),
    ],
)
def test_what_cannot_be_understood_points_at_the_place(text: str, place: str, says: str) -> None:
    with pytest.raises(QueryError) as caught:
        interpret(text, NOW)
    assert says in str(caught.value)
    assert text[slice(*caught.value.place)].startswith(place)
    line, marks = str(caught.value).split("\n")[-2:]
    assert line[marks.index("^") :].startswith(place[:1])


# --- dates --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "rest", "span"),
    [
        ("a dog in May 2022", "a dog", "2022-05-01 .. 2022-05-31"),
        ("last summer on the beach", "on the beach", "2026-06-01 .. 2026-08-31"),
        ("last winter", "", "2025-12-01 .. 2026-02-28"),
        ("this autumn", "", "2026-09-01 .. 2026-11-30"),
        ("two years ago today", "", "2024-11-21"),
        ("two years ago", "", "2024-01-01 .. 2024-12-31"),
        ("snow 3 weeks ago", "snow", "2026-10-26 .. 2026-11-01"),
        ("last week", "", "2026-11-09 .. 2026-11-15"),
        ("the 1990s party", "party", "1990-01-01 .. 1999-12-31"),
        ("lunch in 2019", "lunch", "2019-01-01 .. 2019-12-31"),
        ("12 June 2023", "", "2023-06-12"),
        ("a wedding, june 3rd, 2021", "a wedding,", "2021-06-03"),
        ("winter 2020", "", "2020-12-01 .. 2021-02-28"),
        ("last May", "", "2026-05-01 .. 2026-05-31"),
        ("yesterday", "", "2026-11-20"),
    ],
)
def test_dates_in_words_are_understood_and_said(text: str, rest: str, span: str) -> None:
    found = interpret(text, NOW)
    assert found.alternatives[0].words == rest
    assert found.notes[0].startswith(f"understood: {span} (")
    assert isinstance(found.alternatives[0].where, Taken)


@pytest.mark.parametrize(
    "text",
    ["a may tree", "a march on the street", "sun on sunday", "2019", "a man in his 20s", "seven dogs", "in the fall"],
)
def test_words_that_only_look_like_dates_stay_words(text: str) -> None:
    assert interpret(text, NOW) == Expression(text, (Alternative((WeightedPiece(ByText(text)),)),))


@pytest.mark.parametrize(("text", "span"), [("mai 2022", "2022-05-01 .. 2022-05-31"), ("heute", "2026-11-21")])
def test_dates_of_tokens_may_be_in_other_languages(text: str, span: str) -> None:
    assert str(dates.read(text, NOW)) == span


def test_what_is_absent_is_said_to_be_read_as_present() -> None:
    assert interpret("a beach without people", NOW).notes == (
        "models read what is absent as present; -people takes it away",
    )


@pytest.mark.parametrize("text", ["18:45", "16:9 television", "2:45", "train 18:45"])
def test_a_time_or_ratio_is_words_and_no_weight(text: str) -> None:
    assert weights(text) == [(text, 1.0)]


@pytest.mark.parametrize("text", ["2:snow", '2:"45"', "2:(45)", "2:été"])
def test_a_weight_stands_before_a_letter_or_a_sign(text: str) -> None:
    assert [weight for _, weight in weights(text)] == [2.0]


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [("iso:>=1600", 1600.0, None), ("f:1.8", 1.8, 1.8), ("focal:24..70", 24.0, 70.0), ("exposure:1/250", 0.004, 0.004)],
)
def test_exposure_is_a_filter(text: str, low: float | None, high: float | None) -> None:
    where = one(text).where
    assert isinstance(where, Between)
    assert (where.low, where.high) == (low, high)


@pytest.mark.parametrize("text", ["exposure:1/0", "path:\\", "path:*a*b*c*d*e*f*g*", "iso:many"])
def test_a_value_that_makes_no_sense_points_at_its_place(text: str) -> None:
    with pytest.raises(QueryError):
        interpret(text, NOW)
