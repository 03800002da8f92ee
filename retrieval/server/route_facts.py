"""Facts of a route, said at the route: who may use it, what it costs, and whether it is logged.

Whatever stands around the routes (auth, admission control, the access log) reads them from here. Does not know what any
route does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeVar
from urllib.parse import parse_qs

from starlette.routing import BaseRoute, Match
from starlette.types import Scope as Request

from .tokens import Scope

F = TypeVar("F", bound=Callable[..., Any])

NO = frozenset({"false", "0", "off", "no", "f", "n"})  # values of a parameter that mean no, as pydantic has them


class Lane(Enum):
    """Where a request waits for its turn: requests of one lane do not hold up those of another."""

    SMALL = "small"
    SHORT = "short"
    LONG = "long"


@dataclass(frozen=True)
class RouteFacts:
    """What is true of every request to a route."""

    scope: Scope | None = Scope.READ  # what a caller must be allowed to do; None: anyone is answered, without a token
    whole: bool = False  # only for callers who may see the whole library, not one folder
    slow: bool = False  # a vision-language model answers, or it takes as long: it waits in a lane of its own
    slow_with: tuple[str, ...] = ()  # parameters that make it slow
    small: bool = False  # it reads something that is stored, such as a thumbnail, and does not queue behind searches
    large_with: tuple[str, ...] = ()  # parameters, with a value (`size=1280`), that make it as costly as others
    free: bool = False  # it costs nothing, or only waits itself: it is not queued
    quiet: bool = False  # requests that succeed are not logged

    def is_slow(self, request: Request) -> bool:
        """Return whether this request is slow."""
        if self.slow or not self.slow_with:
            return self.slow
        given = parse_qs(request["query_string"].decode("latin-1"))
        return any(given[name][-1].lower() not in NO for name in self.slow_with if name in given)

    def lane(self, request: Request) -> Lane:
        """Return the lane that this request waits in."""
        if self.is_slow(request):
            return Lane.LONG
        given = request["query_string"].decode("latin-1").split("&")
        return Lane.SMALL if self.small and not any(each in given for each in self.large_with) else Lane.SHORT


UNKNOWN = RouteFacts()  # of addresses that no route has


def facts(**values: Any) -> Callable[[F], F]:
    """Return a decorator that says the facts of a route; see `RouteFacts`."""
    known = RouteFacts(**values)

    def decorate(endpoint: F) -> F:
        endpoint.facts = known  # type: ignore[attr-defined]  # read by `facts_of_route`
        return endpoint

    return decorate


def facts_of_route(route: BaseRoute) -> RouteFacts | None:
    """Return the facts that a route says; None if it says none."""
    found = getattr(route, "facts", None) or getattr(getattr(route, "endpoint", None), "facts", None)
    return found if isinstance(found, RouteFacts) else None


class RouteTable:
    """The facts of every route of an application, by request."""

    def __init__(self, routes: Iterable[BaseRoute] = ()) -> None:
        self._routes = list(routes)

    def of(self, request: Request) -> RouteFacts:
        """Return the facts of the route that takes a request; looked up once a request."""
        state = request.setdefault("state", {})
        if "facts" not in state:
            state["facts"] = self._find(request)
        found: RouteFacts = state["facts"]
        return found

    def _find(self, request: Request) -> RouteFacts:
        partial = None  # the route of the address, for another method
        for route in self._routes:
            match, _ = route.matches(request)
            if match is Match.FULL:
                return facts_of_route(route) or UNKNOWN
            partial = partial or (route if match is Match.PARTIAL else None)
        return (facts_of_route(partial) if partial is not None else None) or UNKNOWN
