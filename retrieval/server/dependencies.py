"""What every route is given: the caller, the library as that one may see it, and the one form of answers and errors.

Knows FastAPI and the error tree; does not know any route.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, cast

from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import Field
from starlette.exceptions import HTTPException

from .. import errors
from ..library.view import Questions
from ..types.serialize import compact
from .auth import Guard, Refusal
from .service import Service
from .tokens import Caller, Scope

STATUS = (  # of the error tree; the first that fits
    (errors.NotFound, 404),
    (errors.UsageError, 400),
    (errors.LibraryNotFound, 404),
    (errors.LibraryLocked, 409),
    (errors.LibraryReadOnly, 403),
    (errors.LibraryError, 503),
    (errors.ModelRefused, 502),
    (errors.ModelError, 503),
    (errors.PictureError, 422),
    (errors.SourceError, 400),
    (errors.StorageFull, 507),
)


class Json(Response):
    """Values of this package as JSON."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """One line, in UTF-8."""
        return compact(content).encode()


def service_of(request: Request) -> Service:
    """The service of this application."""
    return cast(Service, request.app.state.service)


def caller_of(request: Request) -> Caller:
    """Who asks."""
    caller = request.state.caller
    if caller is None:
        raise Refusal(401, "unauthorized", "show a token: Authorization: Bearer ...", {"www-authenticate": "Bearer"})
    return cast(Caller, caller)


def needs(scope: Scope) -> Callable[[Request], Service]:
    """The service, for those who may do that."""

    def service(request: Request) -> Service:
        caller = caller_of(request)
        if caller.scope < scope:
            raise Refusal(403, "forbidden", f"this needs a token that may {scope.name.lower()}")
        return service_of(request)

    return service


def asked_of(request: Request) -> Questions:
    """The library, as far as the caller may see it."""
    return service_of(request).asked_by(caller_of(request))


def guard_of(request: Request) -> Guard:
    """The gate that this application stands behind."""
    return cast(Guard, request.app.state.guard)


def whole_of(request: Request) -> Service:
    """The service, for those who may see the whole library."""
    if caller_of(request).folder is not None:
        raise Refusal(403, "forbidden", "this token is for one folder")
    return service_of(request)


Asked = Annotated[Questions, Depends(asked_of)]
Serving = Annotated[Service, Depends(service_of)]
Writing = Annotated[Service, Depends(needs(Scope.WRITE))]
Ruling = Annotated[Service, Depends(needs(Scope.ADMIN))]
Whole = Annotated[Service, Depends(whole_of)]

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
ERRORS: dict[int | str, dict[str, Any]] = {  # what any route may answer
    "4XX": {"description": "It cannot be answered; the message says why", "content": FORM},
    "5XX": {"description": "A model, the library or the disk failed", "content": FORM},
}


def error(status: int, kind: str, message: str, headers: dict[str, str] | None = None) -> Response:
    """The one form of errors."""
    return Json({"error": {"type": kind, "message": message}}, status, headers)


def foreseen(_request: Request, exc: Exception) -> Response:
    """An error of the tree."""
    status = next((code for kind, code in STATUS if isinstance(exc, kind)), 500)
    if isinstance(exc, errors.QueryError):
        told = {"type": "QueryError", "message": exc.reason, "place": exc.place, "query": exc.query}
        return Json({"error": told}, status)
    return error(status, type(exc).__name__, str(exc))


def unforeseen(_request: Request, _exc: Exception) -> Response:
    """A fault of ours: the log has it, under the number of the request."""
    return error(500, "fault", "the server failed at this; its log says more, by the x-request-id")


def refused(_request: Request, exc: Exception) -> Response:
    """Who may not."""
    assert isinstance(exc, Refusal)  # it is registered for these
    return error(exc.status, exc.kind, exc.message, dict(exc.headers))


def invalid(_request: Request, exc: Exception) -> Response:
    """A parameter of the wrong form."""
    assert isinstance(exc, RequestValidationError)  # it is registered for these
    first = exc.errors()[0]
    place = ".".join(str(part) for part in first["loc"][1:]) or str(first["loc"][0])
    return error(422, "invalid", f"{place}: {first['msg']}")


def of_http(_request: Request, exc: Exception) -> Response:
    """What the framework refuses: no such route, another method."""
    assert isinstance(exc, HTTPException)  # it is registered for these
    return error(exc.status_code, "http", str(exc.detail), dict(exc.headers or {}))
