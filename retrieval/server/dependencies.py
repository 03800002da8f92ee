"""Dependencies of the routes: the caller, the library limited to what they may see, JSON answers, error handlers."""

from __future__ import annotations

from typing import Annotated, Any, cast

from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import Field
from starlette.exceptions import HTTPException

from .. import errors
from ..library.view import LibraryView
from ..types.serialize import dumps
from .auth import AuthMiddleware, HTTPRefusal
from .route_facts import UNKNOWN
from .service import Service
from .tokens import Caller

STATUS = (  # error class -> HTTP status; the first match counts
    (errors.NotFound, 404),
    (errors.UsageError, 400),
    (errors.LibraryNotFound, 404),
    (errors.LibraryLocked, 409),
    (errors.Changed, 409),
    (errors.LibraryReadOnly, 403),
    (errors.LibraryError, 503),
    (errors.ModelRefused, 502),
    (errors.ModelError, 503),
    (errors.PictureError, 422),
    (errors.SourceError, 400),
    (errors.StorageFull, 507),
)


class JSONResponse(Response):
    """A response with values of this package as JSON."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Return the content as one line of JSON, in UTF-8."""
        return dumps(content).encode()


# Dependencies are coroutines: functions would each wait for a thread, for less than that takes.


async def service_of(request: Request) -> Service:
    """Return the service of this application."""
    return cast(Service, request.app.state.service)


def caller_of(request: Request) -> Caller:
    """Return the caller of a request.

    Raises:
        HTTPRefusal: the request has no valid token.
    """
    caller = request.state.caller
    if caller is None:
        raise HTTPRefusal(
            401, "unauthorized", "show a token: Authorization: Bearer ...", {"www-authenticate": "Bearer"}
        )
    return cast(Caller, caller)


async def enforce(request: Request) -> None:
    """Let in only who may use the route, as its facts say; every route depends on this.

    Raises:
        HTTPRefusal: the caller shows no token, or one that may not do this.
    """
    route_facts = getattr(request.scope.get("endpoint"), "facts", UNKNOWN)
    if route_facts.scope is None:
        return
    caller = caller_of(request)
    if caller.scope < route_facts.scope:
        raise HTTPRefusal(403, "forbidden", f"this needs a token that may {route_facts.scope.name.lower()}")
    if route_facts.whole and caller.folder is not None:
        raise HTTPRefusal(403, "forbidden", "this token is for one folder")


async def view_of(request: Request) -> LibraryView:
    """Return the library, limited to what the caller may see."""
    service = await service_of(request)
    return service.asked_by(caller_of(request))


async def guard_of(request: Request) -> AuthMiddleware:
    """Return the authentication middleware of this application."""
    return cast(AuthMiddleware, request.app.state.guard)


View = Annotated[LibraryView, Depends(view_of)]
Serving = Annotated[Service, Depends(service_of)]
Guard = Annotated[AuthMiddleware, Depends(guard_of)]

Number = Annotated[int, Field(ge=1, lt=2**63)]  # of an item or a job

ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["type", "message"],
            "properties": {"type": {"type": "string"}, "message": {"type": "string"}},
        }
    },
}
FORM = {"application/json": {"schema": ERROR}}
ERRORS: dict[int | str, dict[str, Any]] = {  # the error responses of every route
    "4XX": {"description": "It cannot be answered; the message says why", "content": FORM},
    "5XX": {"description": "A model, the library or the disk failed", "content": FORM},
}


def error(status: int, kind: str, message: str, headers: dict[str, str] | None = None) -> Response:
    """Return an error in the one format that all routes use."""
    return JSONResponse({"error": {"type": kind, "message": message}}, status, headers)


def handle_package_error(_request: Request, exc: Exception) -> Response:
    """Return an error of this package as a response, with the HTTP status of its class."""
    status = next((code for kind, code in STATUS if isinstance(exc, kind)), 500)
    if isinstance(exc, errors.QueryError):
        told = {"type": "QueryError", "message": exc.reason, "place": exc.place, "query": exc.query}
        return JSONResponse({"error": told}, status)
    return error(status, type(exc).__name__, str(exc))


def handle_fault(_request: Request, _exc: Exception) -> Response:
    """Return 500 for a bug; the log has the details, under the request's id."""
    return error(500, "fault", "the server failed; its log says more, under the x-request-id")


def handle_refusal(_request: Request, exc: Exception) -> Response:
    """Return a refusal as a response."""
    assert isinstance(exc, HTTPRefusal)  # it is registered for these
    return error(exc.status, exc.kind, exc.message, dict(exc.headers))


def handle_invalid(_request: Request, exc: Exception) -> Response:
    """Return 422 for a parameter of the wrong form."""
    assert isinstance(exc, RequestValidationError)  # it is registered for these
    first = exc.errors()[0]
    place = ".".join(str(part) for part in first["loc"][1:]) or str(first["loc"][0])
    return error(422, "invalid", f"{place}: {first['msg']}")


def handle_http(_request: Request, exc: Exception) -> Response:
    """Return an error of the framework, such as an unknown route or a wrong method, as a response."""
    assert isinstance(exc, HTTPException)  # it is registered for these
    return error(exc.status_code, "http", str(exc.detail), dict(exc.headers or {}))
