"""A search request is one value: validated once, the same by every face."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from retrieval import Budget, UsageError
from retrieval.cli import cli
from retrieval.server.search_routes import SearchParams
from retrieval.types.records import ByItem, Kind
from retrieval.types.request import PARAMS, SearchOptions, SearchRequest

NAMES = [each.name for each in fields(SearchRequest)]


def test_its_fields_are_the_options_of_every_search() -> None:
    assert list(SearchOptions.__annotations__) == [name for name in NAMES if name != "query"]


def test_its_parameters_are_those_of_the_http_api_with_their_help_and_bounds() -> None:
    model = SearchParams.model_fields
    for each in PARAMS:
        assert model[each.name].description == each.metadata["help"]
    assert {"q", "item", "rerank", "budget", "depth", "anyway"} == set(model) - {each.name for each in PARAMS}
    assert str(model["k"].metadata) == "[Ge(ge=1), Le(le=1000)]"


def test_its_parameters_are_options_of_the_command_line() -> None:
    command = cli.get_command(None, "search")  # type: ignore[arg-type]  # it needs no context
    assert command is not None
    options = {parameter.name for parameter in command.params}
    spelled_otherwise = {"order"}  # --sort and --diverse
    assert {each.name for each in PARAMS} - options == spelled_otherwise


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": 0}, "k must be at least 1"),
        ({"page": 0}, "counted from 1"),
        ({"page": 1, "rerank": Budget()}, "pages cannot be combined with rerank"),
        ({"page": 1, "order": "diverse"}, "pages cannot be combined"),
        ({"rerank": Budget(), "order": "diverse"}, "rerank cannot be combined with another order"),
    ],
)
def test_what_contradicts_itself_is_refused_when_it_is_made(options: SearchOptions, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        SearchRequest("red", **options)
    with pytest.raises(UsageError, match=message):
        SearchRequest.of(SearchRequest("red"), **options)


def test_named_requests_are_ordinary_ones() -> None:
    assert SearchRequest.similar(3, k=5) == SearchRequest(ByItem(3), k=5, threshold="none")
    assert SearchRequest.texts_for("a.jpg", k=1).kind is Kind.TEXT
    assert SearchRequest.similar(3, threshold="strong").threshold == "strong"


def test_its_http_parameters_say_all_of_it() -> None:
    request = SearchRequest("red", k=3, fold=False, rerank=Budget(2.0, 7, True))
    assert request.to_params() == {
        "q": "red", "k": 3, "threshold": None, "order": "score", "fold": False, "facets": False, "page": None,
        "rerank": True, "budget": 2.0, "depth": 7, "anyway": True,
    }  # fmt: skip


@pytest.mark.parametrize("request_", [SearchRequest(ByItem(1)), SearchRequest("red", within=["*.jpg"])])
def test_what_http_cannot_ask_is_refused_before_it_is_sent(request_: SearchRequest) -> None:
    with pytest.raises(UsageError, match="queries in words"):
        request_.to_params()


def test_an_option_is_named_in_few_places() -> None:
    """In the request, in the command-line option, and where it is carried out; no face passes it on by its name."""
    package = Path(__file__).parent.parent.parent / "retrieval"
    named = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if any(word in path.read_text(encoding="utf-8") for word in ("fold=", "fold:", ".fold\n", ".fold)"))
    }
    assert named == {
        "types/request.py",
        "search/searcher.py",
        "search/explain/why_not.py",
    }, "a face or a service passes `fold` on by its name"
