"""Admission control as ASGI middleware: limits on request bodies, on running and waiting requests, and on memory.

Requests beyond a limit are refused at once (413, 408, or 429 with Retry-After) instead of overloading the process.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from dataclasses import dataclass, field
from typing import IO

import psutil
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .auth import HTTPRefusal, refuse
from .route_facts import Lane, RouteTable

TINY = 4096  # bytes of a login's body, which needs no token
IN_MEMORY = 1 << 20  # bytes of a body; larger ones go to a temporary file
PIECE = 1 << 18


@dataclass(frozen=True)
class Load:
    """The limits of a server."""

    running: int = max(2, os.cpu_count() or 1)  # requests that run at once; more would only share the same cores
    reading: int = 8  # as `running`, for small requests, which read something that is stored
    speaking: int = 4  # as `running`, for long requests: those of a vision-language model, or as slow
    waiting: int = 256
    patience: float = 30.0  # seconds that a request waits at most
    body: int = 64 << 20  # bytes of a request's body at most
    body_seconds: float = 60.0  # seconds that receiving the body may take
    sending: float = 60.0  # seconds that a client may leave a piece of a long answer unread
    memory: int = 0  # bytes of the process above which requests are refused; 0: no limit


@dataclass
class AdmissionControl:
    """Middleware that refuses requests beyond the limits.

    A request gets a slot only when its whole body has been received, so that slow clients hold none. Short requests
    release their slot when the answer begins, long ones when it ends.
    """

    app: ASGIApp
    load: Load
    routes: RouteTable = field(default_factory=RouteTable)
    waiting: int = 0
    refused: int = 0
    _turns: dict[Lane, asyncio.Semaphore] = field(default_factory=dict)  # slots, by lane
    _memory: tuple[float, int] = field(default=(0.0, 0))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Process or refuse one request."""
        if scope["type"] != "http" or self.routes.of(scope).free:
            await self.app(scope, receive, send)
            return
        if not self._turns:
            slots = {Lane.SMALL: self.load.reading, Lane.SHORT: self.load.running, Lane.LONG: self.load.speaking}
            self._turns = {lane: asyncio.Semaphore(count) for lane, count in slots.items()}
        try:
            with tempfile.SpooledTemporaryFile(IN_MEMORY) as file:
                body = await self._taken(scope, receive, file)
                await self._answer(scope, body, send)
        except HTTPRefusal as refusal:
            self.refused += 1
            await refuse(refusal, send)

    async def _taken(self, scope: Scope, receive: Receive, file: IO[bytes]) -> Receive:
        """Read the whole body into `file`; return a `receive` that replays it in pieces.

        Raises:
            HTTPRefusal: the body is too large or too slow, or the memory is full.
        """
        most = TINY if self.routes.of(scope).scope is None else self.load.body
        told = dict(scope["headers"]).get(b"content-length", b"0")
        large = HTTPRefusal(413, "too_large", f"at most {most:,} bytes may be sent")
        if not told.isdigit() or int(told) > most:
            raise large
        if self.load.memory and self._resident() > self.load.memory:
            raise HTTPRefusal(429, "busy", "the server's memory is full; try again later", {"retry-after": "5"})
        try:
            async with asyncio.timeout(self.load.body_seconds):
                while True:
                    message = await receive()
                    file.write(message.get("body", b""))
                    if file.tell() > most:
                        raise large
                    if not message.get("more_body", False):
                        break
        except TimeoutError as exc:
            raise HTTPRefusal(408, "too_slow", f"the upload took longer than {self.load.body_seconds:.0f} s") from exc
        size = file.tell()
        file.seek(0)
        whole = False

        async def again() -> Message:
            nonlocal whole
            if whole:
                return await receive()  # after the body, only a disconnect can come
            piece = file.read(PIECE)
            whole = file.tell() >= size
            return {"type": "http.request", "body": piece, "more_body": not whole}

        return again

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application when a slot is free.

        Raises:
            HTTPRefusal: too many requests are waiting, or this one has waited too long.
        """
        lane = self.routes.of(scope).lane(scope)
        long, turn = lane is Lane.LONG, self._turns[lane]
        await self._wait(turn)
        held = True

        async def sending(message: Message) -> None:
            nonlocal held
            if held and not long and message["type"] == "http.response.start":
                held = False
                turn.release()
            async with asyncio.timeout(self.load.sending if long else None):
                await send(message)

        try:
            await self.app(scope, receive, sending)
        except TimeoutError:
            pass  # a client that does not read its answer loses its slot
        finally:
            if held:
                turn.release()

    async def _wait(self, turn: asyncio.Semaphore) -> None:
        if self.waiting >= self.load.waiting:
            raise HTTPRefusal(
                429, "busy", f"{self.waiting} requests are waiting; try again later", {"retry-after": "2"}
            )
        self.waiting += 1
        try:
            async with asyncio.timeout(self.load.patience):
                await turn.acquire()
        except TimeoutError as exc:
            raise HTTPRefusal(
                429, "busy", "the request waited too long; try again later", {"retry-after": "5"}
            ) from exc
        finally:
            self.waiting -= 1

    def _resident(self) -> int:
        """Return the resident memory of this process in bytes, measured at most four times a second."""
        at, found = self._memory
        if time.monotonic() - at > 0.25:
            found = int(psutil.Process().memory_info().rss)
            self._memory = time.monotonic(), found
        return found
