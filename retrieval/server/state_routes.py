"""Routes for the state of library and server: status, problems, models, duplicates; health, metrics; login."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import PlainTextResponse, Response
from pydantic import BaseModel, Field

from .. import __version__
from ..errors import LibraryError, NotFound
from ..library import models as list_of_models
from ..search.near_duplicates import ALIKE, Similarity
from ..types.results import CallerInfo, ServerStatus
from .answers import (
    DuplicateGroups,
    Encoders,
    Health,
    LoggedIn,
    LoggedOut,
    Model,
    ModelList,
    ProblemList,
    Readiness,
)
from .auth import COOKIE
from .dependencies import ERRORS, Guard, JSONResponse, Serving, View, caller_of
from .logs import log
from .route_facts import facts
from .tokens import SESSION, Scope

router = APIRouter(tags=["state"], responses=ERRORS)


@router.get("/healthz", response_model=Health, summary="Whether the process is alive")
@facts(scope=None, free=True, quiet=True)
def healthz() -> Response:
    """Return the version; succeeds whenever the process can answer."""
    return JSONResponse(Health("ok", __version__))


@router.get(
    "/readyz",
    response_model=Readiness,
    responses={503: {"model": Readiness, "description": "It cannot"}},
    summary="Whether it can answer queries",
)
@facts(scope=None, free=True, quiet=True)
def readyz(service: Serving, guard: Guard) -> Response:
    """Return 503 while the library or its tokens cannot be read."""
    try:
        service.library.model  # noqa: B018  # the property reads the catalog
        guard.tokens.all()
    except LibraryError as exc:
        log.error("not ready: %s", exc)
        return JSONResponse(Readiness("not ready", type(exc).__name__), 503)  # paths are for the log alone
    return JSONResponse(Readiness("ready"))


@router.get("/metrics", response_class=PlainTextResponse, summary="Numbers for Prometheus")
@facts(whole=True, free=True, quiet=True)
def get_metrics(service: Serving, request: Request) -> Response:
    """Return the counts and latencies of requests, the queue, the library's size and the model."""
    return Response(request.app.state.metrics.text(service), media_type="text/plain; version=0.0.4")


@router.get("/v1/status", response_model=ServerStatus, summary="What the library holds")
@facts(scope=Scope.READ)
def get_status(library: View, service: Serving, request: Request) -> Response:
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


@router.get("/v1/problems", response_model=ProblemList, summary="Files that could not be used")
@facts(scope=Scope.READ)
def list_problems(library: View) -> Response:
    """Return each file that could not be used, with the reason."""
    return JSONResponse(ProblemList(library.problems()))


@router.get("/v1/models", response_model=ModelList, summary="The models of this server, as OpenAI's clients list them")
@facts(scope=Scope.READ)
def list_models(service: Serving) -> Response:
    """Return the vision-language model (for chat completions) and the encoder (for embeddings)."""
    return JSONResponse(ModelList([Model(name) for name in service.model_names]))


@router.get("/v1/models/{model:path}", response_model=Model, summary="One model of this server")
@facts(scope=Scope.READ)
def get_model(service: Serving, model: str) -> Response:
    """Return a model, as OpenAI's clients ask for it."""
    if model not in service.model_names:
        raise NotFound(f"there is no model {model!r} here; GET /v1/models names them")
    return JSONResponse(Model(model))


@router.get("/v1/encoders", response_model=Encoders, summary="Encoders that this machine has")
@facts(scope=Scope.ADMIN)
def list_encoders(service: Serving) -> Response:
    """Return the encoders that `retrieval models` lists, and the one in use."""
    return JSONResponse(Encoders(list_of_models.encoders(), service.library.model))


@router.get("/v1/duplicates", response_model=DuplicateGroups, summary="Pictures that are the same or nearly the same")
@facts(scope=Scope.ADMIN, slow=True)
def find_duplicates(
    service: Serving,
    kind: Annotated[list[Similarity], Query(description="Which kinds")] = [Similarity.COPY, Similarity.SAME],  # noqa: B006  # FastAPI copies it
    least: Annotated[float, Query(ge=0, le=1, description="The cosine for `alike`")] = ALIKE,
) -> Response:
    """Return groups of duplicates and the picture to keep of each, those that take most space first."""
    return JSONResponse(DuplicateGroups(service.library.duplicates.groups(kind, None, least)))


class LoginBody(BaseModel):
    """The token to log in with."""

    token: str = Field(max_length=200)


@router.post("/v1/login", response_model=LoggedIn, summary="Log a browser in")
@facts(scope=None)
def log_in(login: LoginBody, request: Request, guard: Guard) -> Response:
    """Set a session cookie for the holder of a token; it is valid for thirty days."""
    caller = guard.identified(login.token, request.client.host if request.client else "")
    answer = JSONResponse(LoggedIn(caller.name, caller.scope.name.lower()))
    cookie = guard.sessions.begin(login.token)
    secure = request.url.scheme == "https"
    path = request.scope.get("root_path") or "/"
    answer.set_cookie(COOKIE, cookie, max_age=SESSION, path=path, httponly=True, samesite="strict", secure=secure)
    return answer


@router.post("/v1/logout", response_model=LoggedOut, summary="Log a browser out")
@facts(scope=Scope.READ)
def log_out(request: Request, guard: Guard) -> Response:
    """End the session and delete its cookie."""
    guard.sessions.end(request.cookies.get(COOKIE, ""))
    answer = JSONResponse(LoggedOut("out"), headers={"clear-site-data": '"cache"'})  # and the pictures in it
    answer.delete_cookie(COOKIE, path=request.scope.get("root_path") or "/", httponly=True, samesite="strict")
    return answer
