"""How much a server takes on: the size and the time of a request's body, requests at work and waiting, memory.

Plain ASGI. What is too much is answered at once (413, 408, 429 with Retry-After), never by a dead process. Knows
numbers; does not know what is asked.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from dataclasses import dataclass, field

import psutil
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .guard import Refusal, refuse

LONG = frozenset(
    "/v1/ask /v1/ask/stream /v1/caption /v1/ground /v1/chat/completions /v1/search/stream /v1/duplicates /mcp".split()
)
SMALL = ("/healthz", "/readyz", "/metrics", "/page/", "/docs", "/openapi.json")  # they never wait


@dataclass(frozen=True)
class Load:
    """How much is taken on."""

    running: int = max(2, os.cpu_count() or 1)  # requests at work; more only take turns on the same cores
    speaking: int = 4  # of those, beside, that a vision-language model answers, or that take as long
    waiting: int = 256
    patience: float = 30.0  # seconds that one waits at most
    body: int = 64 << 20  # bytes of an upload
    body_seconds: float = 60.0  # that it may take
    memory: int = 0  # bytes of the process above which nothing new is begun; 0: no ceiling


@dataclass
class Limits:
    """Around an application: what is too much does not get in."""

    app: ASGIApp
    load: Load
    waiting: int = 0
    refused: int = 0
    _turns: dict[bool, asyncio.Semaphore] = field(default_factory=dict)  # long requests have a lane of their own
    _memory: tuple[float, int] = field(default=(0.0, 0))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http" or _small(scope["path"]):
            await self.app(scope, receive, send)
            return
        if not self._turns:
            self._turns = {False: asyncio.Semaphore(self.load.running), True: asyncio.Semaphore(self.load.speaking)}
        turn = self._turns[scope["path"] in LONG]
        try:
            await self._begin(scope, turn)
        except Refusal as refusal:
            self.refused += 1
            await refuse(refusal, send)
            return
        try:
            await self._answer(scope, receive, send)
        finally:
            turn.release()

    async def _begin(self, scope: Scope, turn: asyncio.Semaphore) -> None:
        """Wait for a turn.

        Raises:
            Refusal: too many wait, or for too long, or the memory is full, or the body is too large.
        """
        told = dict(scope["headers"]).get(b"content-length", b"0")
        if not told.isdigit() or int(told) > self.load.body:
            raise Refusal(413, "too_large", f"an upload may have {self.load.body >> 20} MiB")
        if self.load.memory and self._resident() > self.load.memory:
            raise Refusal(429, "busy", "the server's memory is full; try it again", {"retry-after": "5"})
        if self.waiting >= self.load.waiting:
            raise Refusal(429, "busy", f"{self.waiting} requests are waiting; try it again", {"retry-after": "2"})
        self.waiting += 1
        try:
            async with asyncio.timeout(self.load.patience):
                await turn.acquire()
        except TimeoutError as exc:
            raise Refusal(429, "busy", "it was not your turn in time; try it again", {"retry-after": "5"}) from exc
        finally:
            self.waiting -= 1

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The application's answer; where the body was too large or too slow that one, whatever is made of it."""
        body, begun = _Body(receive, self.load), False

        async def sending(message: Message) -> None:
            nonlocal begun
            if body.refused is None or begun:
                begun = True
                await send(message)

        with contextlib.suppress(Refusal):
            await self.app(scope, body.receive, sending)
        if body.refused is not None and not begun:
            self.refused += 1
            await refuse(body.refused, send)

    def _resident(self) -> int:
        """Bytes of this process, looked up four times a second at most."""
        at, found = self._memory
        if time.monotonic() - at > 0.25:
            found = int(psutil.Process().memory_info().rss)
            self._memory = time.monotonic(), found
        return found


def _small(path: str) -> bool:
    """Whether a request costs nothing, or, as one that follows a job, only waits itself."""
    return path == "/" or path.startswith(SMALL) or (path.startswith("/v1/jobs/") and path.endswith("/events"))


@dataclass
class _Body:
    """A body of bounded size, that comes within a bounded time."""

    source: Receive
    load: Load
    refused: Refusal | None = None
    taken: int = 0
    whole: bool = False

    def __post_init__(self) -> None:
        self.end = time.monotonic() + self.load.body_seconds

    async def receive(self) -> Message:
        """The next piece.

        Raises:
            Refusal: it is too much, or too slow.
        """
        if self.whole:
            return await self.source()  # only that the client has gone can come now
        try:
            async with asyncio.timeout(max(0.001, self.end - time.monotonic())):
                message = await self.source()
        except TimeoutError as exc:
            self.refused = Refusal(408, "too_slow", f"the upload took longer than {self.load.body_seconds:.0f} s")
            raise self.refused from exc
        self.taken += len(message.get("body", b""))
        self.whole = not message.get("more_body", False)
        if self.taken > self.load.body:
            self.refused = Refusal(413, "too_large", f"an upload may have {self.load.body >> 20} MiB")
            raise self.refused
        return message
