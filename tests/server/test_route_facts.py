"""Every route says who may use it, what it costs and whether it is logged; nothing else lists addresses."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.routing import BaseRoute

import retrieval.server
from retrieval import Library
from retrieval.server.api import routed, served_routes
from retrieval.server.route_facts import RouteFacts, RouteTable, facts_of_route
from retrieval.server.service import Service
from retrieval.server.tokens import Scope


@pytest.fixture
def api(library: Library) -> FastAPI:
    return routed(Service(library))


def path_of(route: BaseRoute) -> str:
    return getattr(route, "path", "")


def facts_of(api: FastAPI, path: str, method: str = "GET", query: bytes = b"") -> RouteFacts:
    request = {"type": "http", "path": path, "method": method, "query_string": query, "headers": [], "root_path": ""}
    return RouteTable(served_routes(api)).of(request)


def test_every_route_says_its_facts(api: FastAPI) -> None:
    assert len(served_routes(api)) > 40
    assert [path_of(route) for route in served_routes(api) if facts_of_route(route) is None] == []


@pytest.mark.parametrize(
    ("path", "method", "scope"),
    [
        ("/", "GET", None),
        ("/page/main.js", "GET", None),
        ("/healthz", "GET", None),
        ("/v1/login", "POST", None),
        ("/v1/search", "GET", Scope.READ),
        ("/v1/items/7", "GET", Scope.READ),
        ("/v1/items/7/caption", "PUT", Scope.WRITE),
        ("/v1/names/x", "DELETE", Scope.WRITE),
        ("/v1/jobs", "POST", Scope.ADMIN),
        ("/nowhere", "GET", Scope.READ),
    ],
)
def test_who_may_use_a_route(api: FastAPI, path: str, method: str, scope: Scope | None) -> None:
    assert facts_of(api, path, method).scope == scope


@pytest.mark.parametrize("path", ["/v1/ask", "/v1/caption/stream", "/v1/why-not", "/v1/duplicates", "/mcp"])
def test_what_a_model_answers_or_takes_as_long_is_slow(api: FastAPI, path: str) -> None:
    method = "GET" if path in ("/v1/why-not", "/v1/duplicates") else "POST"
    request = {"query_string": b""}
    assert facts_of(api, path, method).is_slow(request)


@pytest.mark.parametrize(
    ("query", "slow"),
    [(b"", False), (b"rerank=true", True), (b"rerank=1", True), (b"rerank=false", False), (b"vlm=true", False)],
)
def test_a_search_is_slow_where_a_model_has_its_say(api: FastAPI, query: bytes, slow: bool) -> None:
    assert facts_of(api, "/v1/search").is_slow({"query_string": query}) is slow


def test_no_other_file_of_the_server_lists_addresses() -> None:
    """Auth, admission control, log and metrics know no route by its address."""
    folder = Path(retrieval.server.__file__).parent
    for name in ("auth.py", "admission.py", "logs.py", "metrics.py", "dependencies.py", "route_facts.py"):
        text = (folder / name).read_text(encoding="utf-8")
        assert not re.findall(r'"/v1/[^"]+"|"/healthz"|"/metrics"|"/mcp"', text), name
