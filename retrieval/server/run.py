"""The server process: its sockets, a timeout on request headers, and a graceful shutdown.

Knows uvicorn; does not know routes.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import signal
import socket as net
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from ..config import SOCKET
from ..errors import UsageError

HEADER_SECONDS = 10.0  # seconds that a client has to send a request's headers
GRACE = 30  # seconds for requests in flight when the server is stopped


class HeaderTimeout(H11Protocol):
    """HTTP/1.1 that closes a connection if a request's headers do not arrive within `HEADER_SECONDS`."""

    _limit: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Start the header timeout of a new connection."""
        super().connection_made(transport)
        self._limit = self.loop.call_later(HEADER_SECONDS, self._enough)

    def data_received(self, data: bytes) -> None:
        """Cancel the timeout when a request's headers are complete; start it again with the next request."""
        super().data_received(data)
        idle = self.cycle is None or self.cycle.response_complete
        if not idle and self._limit is not None:
            self._limit.cancel()
            self._limit = None
        elif idle and self._limit is None:
            self._limit = self.loop.call_later(HEADER_SECONDS, self._enough)

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the timeout."""
        if self._limit is not None:
            self._limit.cancel()
        super().connection_lost(exc)

    def _enough(self) -> None:
        self._limit = None
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()


@dataclass(frozen=True)
class ListenAddress:
    """Where a server listens: a TCP address and, with a library, a Unix socket."""

    host: str = "127.0.0.1"
    port: int = 8000
    library: Path | None = None  # the folder that the Unix socket is put into
    root_path: str = ""  # the path below which a proxy shows the server, such as "/photos"
    proxies: str = ""  # addresses of proxies whose X-Forwarded-For and -Proto are believed, separated by commas

    @property
    def local(self) -> bool:
        """Whether the server can be reached from this machine only."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def socket(self) -> Path | None:
        """The absolute path of the Unix socket; None without a library."""
        return None if self.library is None else (self.library / SOCKET).absolute()

    def listen(self) -> list[net.socket]:
        """Return the bound sockets: TCP and, where possible, the owner's Unix socket.

        Raises:
            UsageError: the address is taken, or does not belong to this machine.
        """
        kind = net.AF_INET6 if ":" in self.host else net.AF_INET
        tcp = net.socket(kind, net.SOCK_STREAM, net.IPPROTO_TCP)
        tcp.setsockopt(net.SOL_SOCKET, net.SO_REUSEADDR, 1)
        tcp.setsockopt(net.IPPROTO_TCP, net.TCP_NODELAY, 1)  # else an answer in two parts waits 40 ms
        try:
            tcp.bind((self.host, self.port))
        except (OSError, OverflowError) as exc:
            tcp.close()
            why = getattr(exc, "strerror", None) or exc
            raise UsageError(f"cannot listen at {self.host}:{self.port}: {why}; choose another --port") from exc
        return [tcp, *self._owners()]

    def _owners(self) -> list[net.socket]:
        path = self.socket
        if path is None or not os.access(path.parent, os.W_OK) or len(os.fsencode(path)) > 100:
            return []  # without a socket: the folder is read-only, or the path too long for one
        if path.exists():
            probe = net.socket(net.AF_UNIX)
            try:
                probe.connect(str(path))
            except OSError:
                path.unlink(missing_ok=True)  # left behind by a server that was killed
            else:
                return []  # another server has it
            finally:
                probe.close()
        unix = net.socket(net.AF_UNIX)
        before = os.umask(0o177)
        try:
            unix.bind(str(path))
        finally:
            os.umask(before)
        return [unix]


class GracefulServer(uvicorn.Server):
    """A uvicorn server that calls `ending` when its shutdown begins, so that long tasks can stop."""

    def __init__(self, config: uvicorn.Config, ending: Callable[[], None]) -> None:
        super().__init__(config)
        self.ending = ending

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Call `ending`, then begin the shutdown, on Ctrl-C or SIGTERM."""
        self.ending()
        super().handle_exit(sig, frame)


def serve(app: ASGIApp, place: ListenAddress, sockets: list[net.socket], ending: Callable[[], None]) -> None:
    """Serve until Ctrl-C or SIGTERM, then finish requests in flight; `ending` is called when the shutdown begins."""
    config = uvicorn.Config(
        app,
        http=HeaderTimeout,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(place.proxies),
        forwarded_allow_ips=place.proxies or None,
        root_path=place.root_path,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=GRACE,
        h11_max_incomplete_event_size=32 << 10,
        backlog=512,
    )
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, _ended)  # uvicorn sets its own handlers while it runs, and raises the signal again after
    try:
        GracefulServer(config, ending).run(sockets=sockets)
    finally:
        if place.socket is not None and len(sockets) > 1:
            place.socket.unlink(missing_ok=True)


def _ended(_number: int, _frame: object) -> None:
    """Ignore the signal that uvicorn raises again after its shutdown."""
