"""The request log: one line of JSON per request, with its time, path, status, duration, caller and id.

Queries are logged only if whoever starts the server asks for it.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from logging.handlers import WatchedFileHandler
from pathlib import Path
from urllib.parse import unquote

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .route_facts import RouteTable

log = logging.getLogger("retrieval.server")
PLAIN = re.compile(r"[\w.-]{1,64}")


class JsonLines(logging.Formatter):
    """Every line of the log as JSON: those of requests, and what the program or uvicorn say besides."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        text = record.getMessage()
        if text.startswith("{"):
            return text
        line = {"at": _now(), "level": record.levelname.lower(), "message": text}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def write_log(file: Path | None) -> None:
    """Write the log of the server to a file, which may be rotated, or to standard error.

    Raises:
        OSError: the file cannot be written.
    """
    handler = logging.StreamHandler() if file is None else WatchedFileHandler(file, encoding="utf-8")
    handler.setFormatter(JsonLines())
    for name, level in (("retrieval.server", logging.INFO), ("uvicorn.error", logging.WARNING)):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(level)
        logger.propagate = False  # with -v, the handler above it would write each line again


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


@dataclass
class AccessLog:
    """Middleware that gives every answer a request id and logs a line for it."""

    app: ASGIApp
    queries: bool = False  # whether queries are logged
    routes: RouteTable = field(default_factory=RouteTable)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Process and log one request; successful health checks and reads of metrics are not logged."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        number = given if PLAIN.fullmatch(given) else secrets.token_hex(8)
        started, status = time.perf_counter(), 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["x-request-id"] = number
            await send(message)

        try:
            await self.app(scope, receive, sending)
        except Exception:
            log.exception("request %s failed", number)
            raise
        finally:
            if not (self.routes.of(scope).quiet and status == 200):
                log.info("%s", self._line(scope, number, status, time.perf_counter() - started))

    def _line(self, scope: Scope, number: str, status: int, seconds: float) -> str:
        caller = scope.get("state", {}).get("caller")
        line = {
            "at": _now(),
            "request": number,
            "method": scope["method"],
            "path": scope["path"],
            "status": status,
            "ms": round(seconds * 1000, 1),
            "caller": caller.name if caller else "",
            "address": (scope.get("client") or ("",))[0],
        }
        if self.queries:
            line["query"] = unquote(scope["query_string"].decode("latin-1"))
        return json.dumps(line)
