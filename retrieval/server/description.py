"""The description of the HTTP API (OpenAPI): names of operations, who may use them, and an example for each input."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from .auth import COOKIE
from .route_facts import facts_of_route

SCHEMES = {
    "token": {"type": "http", "scheme": "bearer", "description": "A token that `retrieval token add` shows"},
    "session": {"type": "apiKey", "in": "cookie", "name": COOKIE, "description": "What POST /v1/login sets"},
}
BODIES = ("Body", "Request")  # endings of the titles of what is sent
EXAMPLES: dict[str, Any] = {  # by the name of a parameter or of a field of a body
    "q": "a dog on the beach since:2023",
    "query": "a dog on the beach",
    "k": 20,
    "item": 12,
    "items": [12],
    "cursor": "3f2a9c81d0b7e645-9a1c44f0.20.20",
    "threshold": "likely",
    "order": "date",
    "until": "2023-06",
    "after": 345,
    "size": "1280",
    "text": "Grandma's kitchen, before the fire",
    "known": "",
    "name": "kitchen",
    "yes": [12, 40],
    "no": [7],
    "root": "Pictures",
    "folder": "2023/summer",
    "job": 1,
    "question": "Is there a dog?",
    "phrase": "the red boat",
    "url": "https://example.org/dog.jpg",
    "token": "rtv_0mP1...",
    "budget": 5.0,
    "depth": 50,
    "model": "builtin",
    "input": ["a dog on the beach"],
    "digest": "7558547b6ba844571b4997acdc5b265c",
    "messages": [{"role": "user", "content": [
        {"type": "text", "text": "Is there a dog?"},
        {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,/9j/4AAQ..."}},
    ]}],
}  # fmt: skip


def name_of(route: APIRoute) -> str:
    """Return the id of an operation: the name of its function, which clients may rely on."""
    return route.name


def described(api: FastAPI, routes: Iterable[BaseRoute]) -> Callable[[], dict[str, Any]]:
    """Return what makes the description of the API, once."""
    make = api.openapi
    public = {  # operations that need no token
        (method.lower(), route.path)
        for route in routes
        if isinstance(route, APIRoute) and (facts := facts_of_route(route)) is not None and facts.scope is None
        for method in route.methods or ()
    }

    def openapi() -> dict[str, Any]:
        if api.openapi_schema is None:
            schema = make()
            schema["components"]["securitySchemes"] = SCHEMES
            schema.setdefault("servers", [{"url": "/"}])
            _tuples_as_lists(schema)
            for path, operations in schema["paths"].items():
                for method, operation in operations.items():
                    free = (method, path) in public
                    operation["security"] = [] if free else [{"token": []}, {"session": []}, {}]
                    for parameter in operation.get("parameters", ()):
                        _exemplify(parameter["name"], parameter)
            for body in schema["components"]["schemas"].values():
                if body.get("title", "").endswith(BODIES) or body.get("title", "").startswith("Body_"):
                    for field, value in body.get("properties", {}).items():
                        _exemplify(field, value)
            api.openapi_schema = schema
        return api.openapi_schema

    return openapi


def _tuples_as_lists(node: Any) -> None:
    """Describe tuples as lists of a fixed length: few programs that read descriptions know `prefixItems`."""
    if isinstance(node, dict):
        if "prefixItems" in node:
            parts = node.pop("prefixItems")
            kinds = [kind for place, kind in enumerate(parts) if kind not in parts[:place]]
            node["items"] = kinds[0] if len(kinds) == 1 else {"anyOf": kinds}
        for value in node.values():
            _tuples_as_lists(value)
    elif isinstance(node, list):
        for value in node:
            _tuples_as_lists(value)


def _exemplify(name: str, value: dict[str, Any]) -> None:
    if name in EXAMPLES and "example" not in value and "examples" not in value:
        if "schema" in value:  # a parameter
            value["example"] = EXAMPLES[name]
        else:
            value["examples"] = [EXAMPLES[name]]
