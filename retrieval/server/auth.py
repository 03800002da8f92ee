"""Authentication as ASGI middleware: checks the host, the origin, and the token or cookie; sets security headers."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Send
from starlette.types import Scope as Request

from ..errors import LibraryError
from ..types.serialize import SHOWN_BELOW
from .logs import log
from .route_facts import RouteTable
from .tokens import ANYONE, CALLER, NO_ONE, OWNER, Caller, FailedLogins, Scope, Sessions, Tokens

COOKIE = "retrieval_session"
NOWHERE = Path("/nowhere")  # below which nothing lies: of every path, the name alone is told
NO_TOKENS = "the server cannot read its list of tokens; its log says why, and what to do"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self'; "
        "connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}


class HTTPRefusal(Exception):
    """A request that is refused, with the status, error type, message and headers of the answer."""

    def __init__(self, status: int, kind: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.kind, self.message, self.headers = status, kind, message, headers or {}


@dataclass
class AuthMiddleware:
    """Middleware that admits or refuses requests; it stores the caller in `scope["state"]["caller"]`."""

    app: ASGIApp
    tokens: Tokens
    demand: bool  # whether every caller over the network has to show a token
    names: frozenset[str] = frozenset()  # host names that the server answers to, besides localhost and IP addresses
    origins: frozenset[str] = frozenset()  # other origins whose pages may send requests, such as "https://example.org"
    socket: str = ""  # path of the library owner's Unix socket; "": none
    routes: RouteTable = field(default_factory=RouteTable)
    sessions: Sessions = field(default_factory=Sessions)
    guesses: FailedLogins = field(default_factory=FailedLogins)
    roots: Callable[[], Sequence[Path]] = tuple  # of the library

    async def __call__(self, scope: Request, receive: Receive, send: Send) -> None:
        """Admit or refuse one request."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # WebSockets are not supported
        headers, state = Headers(scope=scope), scope.setdefault("state", {})
        origin = headers.get("origin", "")
        sending = _with_headers(send, shared=origin in self.origins)
        try:
            state["caller"] = self._caller(scope, headers)
        except HTTPRefusal as refusal:
            await refuse(refusal, sending)
            return
        except LibraryError as exc:
            log.error("%s", exc)
            await refuse(HTTPRefusal(503, type(exc).__name__, NO_TOKENS), sending)
            return
        caller = state["caller"] or NO_ONE
        who, below = CALLER.set(caller), SHOWN_BELOW.set(self._shown_below(caller))
        try:
            await self.app(scope, receive, sending)
        finally:
            CALLER.reset(who)
            SHOWN_BELOW.reset(below)

    def _shown_below(self, caller: Caller) -> Sequence[Path]:
        """Return the folders below which this caller is told paths; empty for who is told whole paths."""
        if caller.scope is Scope.ADMIN:
            return ()
        return (caller.folder,) if caller.folder is not None else (self.roots() or (NOWHERE,))

    def _caller(self, scope: Request, headers: Headers) -> Caller | None:
        """Return the caller; None where the path is public, or the login, and no token was shown.

        Raises:
            HTTPRefusal: the host, the origin or the token is not accepted.
            LibraryError: the tokens cannot be read.
        """
        _one_length(headers)
        if self.socket and scope.get("server") == (self.socket, None):
            return OWNER  # the socket's file permissions have authenticated them
        self._host(headers)
        self._same_site(scope, headers)
        caller = self._known(scope, headers)
        if caller is None and self.routes.of(scope).scope is not None:
            challenge = {"www-authenticate": 'Bearer realm="retrieval"'}
            raise HTTPRefusal(401, "unauthorized", "show a token: Authorization: Bearer ...", challenge)
        return caller

    def _host(self, headers: Headers) -> None:
        """Check the host name: another site may have pointed its own name at this server (DNS rebinding).

        Raises:
            HTTPRefusal: the request does not name exactly one known host.
        """
        hosts = headers.getlist("host")
        host = _hostname(hosts[0]) if len(hosts) == 1 else None
        if host is None or not (host == "localhost" or host in self.names or _is_address(host)):
            shown = repr(hosts[0][:80]) if hosts else "no name"
            raise HTTPRefusal(421, "unknown_host", f"this server does not go by {shown}; start it with --host-name")

    def _same_site(self, scope: Request, headers: Headers) -> None:
        """Keep out pages of other sites, which would use a browser's cookie or its access to this machine.

        Raises:
            HTTPRefusal: the request comes from such a page.
        """
        origin, site = headers.get("origin"), headers.get("sec-fetch-site", "none")
        if origin is not None:
            if origin not in self.origins and origin.partition("://")[2].lower() != headers.get("host", "").lower():
                raise HTTPRefusal(
                    403, "cross_site", "other sites may not send requests; start the server with --origin"
                )
        elif site not in ("none", "same-origin"):
            navigates = headers.get("sec-fetch-mode") == "navigate" and scope["method"] in SAFE
            below = scope["path"].removeprefix(scope.get("root_path", ""))
            if not (navigates and not below.startswith("/v1/")):
                raise HTTPRefusal(
                    403, "cross_site", "other sites may not send requests; start the server with --origin"
                )

    def identified(self, shown: str, address: str, otherwise: Caller | None = None) -> Caller:
        """Return the caller with this token, or `otherwise` if it is unknown.

        Raises:
            HTTPRefusal: the token is unknown and `otherwise` is None; after many of those, the address has to wait.
            LibraryError: the tokens cannot be read.
        """
        caller = self.tokens.caller(shown) or otherwise  # a right token is never kept out by the wrong ones of others
        if caller is None:
            wait = self.guesses.wait(address)
            if wait:
                raise HTTPRefusal(429, "too_many_guesses", "too many wrong tokens; wait", {"retry-after": str(wait)})
            self.guesses.wrong(address)
            raise HTTPRefusal(401, "unauthorized", "this token is unknown", {"www-authenticate": "Bearer"})
        return caller

    def _known(self, scope: Request, headers: Headers) -> Caller | None:
        kind, _, shown = headers.get("authorization", "").partition(" ")
        if shown:
            token, address = shown.strip() if kind.lower() == "bearer" else "", (scope.get("client") or ("",))[0]
            return self.identified(token, address, None if self.demand else ANYONE)  # OpenAI's clients send any key
        cookie = cookie_parser(headers.get("cookie", "")).get(COOKIE, "")
        digest = self.sessions.digest(cookie) if cookie else None
        caller = self.tokens.of_digest(digest) if digest else None
        return caller if caller or self.demand else ANYONE


def _one_length(headers: Headers) -> None:
    """Check that a body's end is told in one way: two programs in a row may else see two different ends.

    Raises:
        HTTPRefusal: the request has both Content-Length and Transfer-Encoding; its connection is closed.
    """
    if "content-length" in headers and "transfer-encoding" in headers:
        message = "send either Content-Length or Transfer-Encoding"
        raise HTTPRefusal(400, "two_lengths", message, {"connection": "close"})


def _hostname(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _with_headers(send: Send, shared: bool) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            if shared:  # with an origin that was named at start
                headers["cross-origin-resource-policy"] = "cross-origin"
        await send(message)

    return sending


async def refuse(refusal: HTTPRefusal, send: Send) -> None:
    """Send a refusal as a JSON error."""
    body = json.dumps({"error": {"type": refusal.kind, "message": refusal.message}}).encode()
    headers = {"content-type": "application/json", "content-length": str(len(body)), **refusal.headers}
    pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": refusal.status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})
