"""The ASGI application: all routes with one error format, inside authentication, limits, metrics and logging."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from fastapi import Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from .. import __version__
from ..errors import RetrievalError
from . import item_routes, job_routes, name_routes, openai_routes, search_routes, state_routes, vlm_routes
from .admission import AdmissionControl, Load
from .auth import AuthMiddleware, HTTPRefusal
from .conditional import HeadAsGet
from .dependencies import enforce, handle_fault, handle_http, handle_invalid, handle_package_error, handle_refusal
from .description import described, name_of
from .logs import AccessLog
from .mcp_tools import McpTools
from .metrics import MetricsMiddleware, ServerMetrics
from .route_facts import RouteFacts, RouteTable, facts
from .service import Service
from .tokens import Tokens

UNPACKED = (*DEFAULT_EXCLUDED_CONTENT_TYPES, "application/octet-stream")  # RAW files, in ranges
PAGE = Path(__file__).parent / "page"
ROUTES = (search_routes, item_routes, vlm_routes, openai_routes, name_routes, job_routes, state_routes)
OTHERS = {  # facts of the routes that others make: files, the schema, MCP
    "/page": RouteFacts(scope=None, free=True),
    "/openapi.json": RouteFacts(scope=None, free=True),
    "/mcp": RouteFacts(slow=True),
}
ABOUT = (
    "Search a photo collection by words or by example, find captions for a picture, ask about pictures. "
    "Answers are the same as on the command line; docs/http.md has examples."
)


@dataclass(frozen=True)
class ServerOptions:
    """Server options: who is let in, and what they may do."""

    demand: bool = False  # whether every caller has to show a token
    names: frozenset[str] = frozenset()  # host names that the server answers to, besides localhost and IP addresses
    origins: frozenset[str] = frozenset()  # other origins whose pages may send requests
    socket: str = ""  # path of the library owner's Unix socket; "": none
    load: Load = field(default_factory=Load)
    queries: bool = False  # whether queries are logged
    agents_originals: bool = False  # whether agents may get original files
    agents_write: bool = False  # whether agents may write captions and save searches, if their token allows it


def routed(service: Service, *, agents_write: bool = False, agents_originals: bool = False) -> FastAPI:
    """Return the application with its routes only: no authentication, limits, metrics or request log."""
    agents, agents_routes = McpTools(service, agents_write, agents_originals).routes()

    @asynccontextmanager
    async def life(_app: FastAPI) -> AsyncIterator[None]:
        for work in (service.warm, service.tidy):
            threading.Thread(target=work, daemon=True, name=work.__name__).start()
        async with agents.session_manager.run():
            yield
        service.close()

    api = FastAPI(
        title="retrieval", version=__version__, description=ABOUT, lifespan=life, docs_url=None, redoc_url=None,
        dependencies=[Depends(enforce)], generate_unique_id_function=name_of,
    )  # fmt: skip
    api.state.service, api.state.metrics = service, ServerMetrics()
    api.add_exception_handler(RetrievalError, handle_package_error)
    api.add_exception_handler(HTTPRefusal, handle_refusal)
    api.add_exception_handler(RequestValidationError, handle_invalid)
    api.add_exception_handler(HTTPException, handle_http)
    api.add_exception_handler(Exception, handle_fault)
    for routes in ROUTES:
        api.include_router(routes.router)
    api.router.routes.extend(agents_routes)
    api.mount("/page", StaticFiles(directory=PAGE), name="page")
    for path, file in (("/", "index.html"), ("/docs", "docs.html")):
        api.add_api_route(path, _page(file), include_in_schema=False)
    api.openapi = described(api, served_routes(api))  # type: ignore[method-assign]  # as FastAPI's manual has it
    for route in api.routes:  # those that are no functions of ours
        address = getattr(route, "path", "")
        if address in OTHERS:
            route.facts = OTHERS[address]  # type: ignore[attr-defined]  # read by `facts_of_route`
    return api


def served_routes(api: FastAPI) -> list[BaseRoute]:
    """Return every route of the application by itself; FastAPI keeps those of a router together."""
    own = [route for route in api.routes if hasattr(route, "path")]
    return [*own, *(route for routes in ROUTES for route in routes.router.routes)]


def application(service: Service, tokens: Tokens, doors: ServerOptions) -> ASGIApp:
    """Return the complete application, as a server runs it."""
    api = routed(service, agents_write=doors.agents_write, agents_originals=doors.agents_originals)
    table = RouteTable(served_routes(api))
    packed = GZipMiddleware(HeadAsGet(api), 1000, 5, exclude_content_types=UNPACKED)
    limits = AdmissionControl(packed, doors.load, table)
    metrics: ServerMetrics = api.state.metrics
    metrics.limits = limits
    guard = AuthMiddleware(
        MetricsMiddleware(limits, metrics, tuple(OTHERS)),
        tokens,
        doors.demand,
        doors.names,
        doors.origins,
        doors.socket,
        table,
        tokens.sessions(),
        roots=service.library_roots,
    )
    api.state.guard = guard
    return AccessLog(_cross_origin(guard, doors.origins), doors.queries, table)


def _cross_origin(app: ASGIApp, origins: frozenset[str]) -> ASGIApp:
    if not origins:
        return app
    return CORSMiddleware(
        app, sorted(origins), ("GET", "POST", "PUT", "DELETE"), ("authorization", "content-type"), max_age=600
    )


def _page(file: str) -> Callable[[], FileResponse]:
    @facts(scope=None, free=True)
    def page() -> FileResponse:
        return FileResponse(PAGE / file, headers={"cache-control": "no-cache"})

    return page
