"""Routes for the state of library and server: status, problems, models, duplicates; health, metrics; login."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from .. import __version__
from ..errors import LibraryError
from ..library import models as list_of_models
from ..search.near_duplicates import ALIKE, Similarity
from ..types.results import CallerInfo, ServerStatus
from .auth import COOKIE
from .dependencies import ERRORS, Guard, JSONResponse, Serving, View, caller_of
from .logs import log
from .route_facts import facts
from .tokens import SESSION, Scope

router = APIRouter(tags=["state"], responses=ERRORS)


@router.get("/healthz", summary="Whether the process is alive")
@facts(scope=None, free=True, quiet=True)
def healthz() -> Response:
    """Return the version; succeeds whenever the process can answer."""
    return JSONResponse({"status": "ok", "version": __version__})


@router.get("/readyz", summary="Whether it can answer queries")
@facts(scope=None, free=True, quiet=True)
def readyz(service: Serving, guard: Guard) -> Response:
    """Return 503 while the library or its tokens cannot be read."""
    try:
        service.library.model  # noqa: B018  # the property reads the catalog
        guard.tokens.all()
    except LibraryError as exc:
        log.error("not ready: %s", exc)
        return JSONResponse({"status": "not ready", "reason": type(exc).__name__}, 503)  # paths are for the log alone
    return JSONResponse({"status": "ready"})


@router.get("/metrics", response_class=Response, summary="Numbers for Prometheus")
@facts(whole=True, free=True, quiet=True)
def metrics(service: Serving, request: Request) -> Response:
    """Return the counts and latencies of requests, the queue, the library's size and the model."""
    return Response(request.app.state.metrics.text(service), media_type="text/plain; version=0.0.4")


@router.get("/v1/status", summary="What the library holds")
@facts(scope=Scope.READ)
def status(library: View, service: Serving, request: Request) -> Response:
    """Return counts, the model, the folders, and what this caller may do."""
    caller = caller_of(request)
    may = CallerInfo(
        name=caller.name,
        scope=caller.scope.name.lower(),
        folder=caller.folder,
        fetch=service.fetches,
        originals=service.originals,
        vlm=service.library.settings.vlm,
        abilities=service.abilities,
    )
    return JSONResponse(ServerStatus(**vars(library.status()), version=__version__, caller=may))


@router.get("/v1/problems", summary="Files that could not be used")
@facts(scope=Scope.READ)
def problems(library: View) -> Response:
    """Return each file that could not be used, with the reason."""
    return JSONResponse({"problems": library.problems()})


@router.get("/v1/models", summary="The models of this server, as OpenAI's clients list them")
@facts(scope=Scope.READ)
def models(service: Serving) -> Response:
    """Return the vision-language model (for chat completions) and the encoder."""
    names = dict.fromkeys((service.library.settings.vlm, service.library.model))
    rows = [{"id": name, "object": "model", "created": 0, "owned_by": "retrieval"} for name in names]
    return JSONResponse({"object": "list", "data": rows})


@router.get("/v1/encoders", summary="Encoders that this machine has")
@facts(scope=Scope.ADMIN)
def encoders(service: Serving) -> Response:
    """Return the encoders that `retrieval models` lists, and the one in use."""
    return JSONResponse({"encoders": list_of_models.encoders(), "serving": service.library.model})


@router.get("/v1/duplicates", summary="Pictures that are the same or nearly the same")
@facts(scope=Scope.ADMIN, slow=True)
def duplicates(
    service: Serving,
    kind: Annotated[list[Similarity], Query(description="Which kinds")] = [Similarity.COPY, Similarity.SAME],  # noqa: B006  # FastAPI copies it
    least: Annotated[float, Query(ge=0, le=1, description="The cosine for `alike`")] = ALIKE,
) -> Response:
    """Return groups of duplicates and the picture to keep of each, those that take most space first."""
    return JSONResponse({"groups": service.library.duplicates.groups(kind, None, least)})


class LoginBody(BaseModel):
    """The token to log in with."""

    token: str = Field(max_length=200)


@router.post("/v1/login", summary="Log a browser in")
@facts(scope=None)
def login(login: LoginBody, request: Request, guard: Guard) -> Response:
    """Set a session cookie for the holder of a token; it is valid for thirty days."""
    caller = guard.identified(login.token, request.client.host if request.client else "")
    answer = JSONResponse({"name": caller.name, "scope": caller.scope.name.lower()})
    cookie = guard.sessions.begin(login.token)
    secure = request.url.scheme == "https"
    path = request.scope.get("root_path") or "/"
    answer.set_cookie(COOKIE, cookie, max_age=SESSION, path=path, httponly=True, samesite="strict", secure=secure)
    return answer


@router.post("/v1/logout", summary="Log a browser out")
@facts(scope=Scope.READ)
def logout(request: Request, guard: Guard) -> Response:
    """End the session and delete its cookie."""
    guard.sessions.end(request.cookies.get(COOKIE, ""))
    answer = JSONResponse({"status": "out"}, headers={"clear-site-data": '"cache"'})  # and the pictures in it
    answer.delete_cookie(COOKIE, path=request.scope.get("root_path") or "/", httponly=True, samesite="strict")
    return answer
