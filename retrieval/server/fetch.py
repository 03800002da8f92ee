"""Downloads a picture from the web for a search by URL: public addresses only, limited in size and time.

Host names, also of redirects, are resolved here and the connection goes to an address that was checked, so that a
changed DNS answer cannot redirect it (DNS rebinding). Does not know pictures.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpcore
import httpx

from ..errors import SourceError, UsageError

PORTS = {"http": 80, "https": 443}
REDIRECTS = 3
BYTES = 32 << 20
SECONDS = 15.0

Resolve = Callable[[str, int], list[str]]


def fetched(url: str, *, public: Callable[[str], bool] | None = None, ports: Iterable[int] = (80, 443)) -> bytes:
    """Return the bytes at a URL, after at most `REDIRECTS` redirects.

    Raises:
        UsageError: the URL is invalid, its port is not allowed, or its host is not public.
        SourceError: the server cannot be reached, or its answer is an error, too large or too slow.
    """
    end, allowed = time.monotonic() + SECONDS, frozenset(ports)
    backend = Checked(public or is_public, end)
    with httpcore.ConnectionPool(network_backend=backend, ssl_context=_ssl()) as pool:
        for _ in range(REDIRECTS + 1):
            url = _permitted(url, allowed)
            try:
                answer = _asked(pool, url, end)
            except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, OSError) as exc:
                raise SourceError(f"cannot fetch {url[:200]}: {exc or type(exc).__name__}") from exc
            if isinstance(answer, bytes):
                return answer
            url = urljoin(url, answer)
    raise SourceError(f"{url[:200]} redirects more than {REDIRECTS} times")


def _permitted(url: str, ports: frozenset[int]) -> str:
    """Return the URL in ASCII, as it is sent.

    Raises:
        UsageError: it is not an http or https URL, or its port is not allowed.
    """
    try:
        url = str(httpx.URL(url))
        parts = urlsplit(url)
        port = parts.port or PORTS.get(parts.scheme, 0)
    except (ValueError, httpx.InvalidURL) as exc:
        raise UsageError(f"{url[:200]!r} is not an address") from exc
    if parts.scheme not in PORTS or not parts.hostname or "@" in parts.netloc:
        raise UsageError(f"{url[:200]!r} is not an http or https address")
    if port not in ports:
        raise UsageError(f"port {port} is not allowed; use 80 or 443")
    return url


def _asked(pool: httpcore.ConnectionPool, url: str, end: float) -> bytes | str:
    """Return the body of the answer, or the target of a redirect.

    Raises:
        SourceError: the answer is an error, too large or too slow.
    """
    timeouts = dict.fromkeys(("connect", "read", "write", "pool"), max(0.1, end - time.monotonic()))
    headers = [("user-agent", "retrieval"), ("accept", "image/*")]
    with pool.stream("GET", url, headers=headers, extensions={"timeout": timeouts}) as answer:
        if answer.status in (301, 302, 303, 307, 308):
            found = dict(answer.headers).get(b"location") or {k.lower(): v for k, v in answer.headers}.get(b"location")
            if not found:
                raise SourceError(f"{url[:200]} redirects to no address")
            return found.decode("latin-1")
        if answer.status != 200:
            raise SourceError(f"{url[:200]} answers {answer.status}")
        data = bytearray()
        for chunk in answer.iter_stream():
            data += chunk
            if len(data) > BYTES:
                raise SourceError(f"{url[:200]} has more than {BYTES >> 20} MiB")
            if time.monotonic() > end:
                raise SourceError(f"{url[:200]} takes longer than {SECONDS:.0f} s")
    return bytes(data)


def is_public(address: str) -> bool:
    """Return whether an IP address is public; an IPv6 address that embeds an IPv4 address is judged by the latter."""
    ip = ipaddress.ip_address(address.split("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is not None:
            return is_public(str(inner))
        if ip in ipaddress.ip_network("64:ff9b::/96") or ip in ipaddress.ip_network("64:ff9b:1::/48"):
            return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)


class Checked(httpcore.NetworkBackend):
    """A network backend that connects only to addresses that it has checked."""

    def __init__(self, public: Callable[[str], bool], end: float) -> None:
        self._public, self._end, self._backend = public, end, httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore.NetworkStream:
        """Resolve a host name and connect to it, provided that all its addresses are public.

        Raises:
            UsageError: not all of them are public.
            SourceError: the name cannot be resolved.
        """
        try:
            found = {str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
        except (OSError, UnicodeError) as exc:
            raise SourceError(f"{host[:200]} is not known") from exc
        if not found or not all(map(self._public, found)):
            raise UsageError(f"{host[:200]} is not on the open internet")
        stream = self._backend.connect_tcp(sorted(found)[0], port, timeout, local_address, socket_options)
        return Timed(stream, self._end)


class Timed(httpcore.NetworkStream):
    """A network stream whose reads end at a deadline, however slowly the data arrives."""

    def __init__(self, stream: httpcore.NetworkStream, end: float) -> None:
        self._stream, self._end = stream, end

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002  # the deadline replaces it
        """Return up to `max_bytes` bytes; a read after the deadline times out."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout(f"it takes longer than {SECONDS:.0f} s")
        return self._stream.read(max_bytes, left)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write to the underlying stream."""
        self._stream.write(buffer, timeout)

    def close(self) -> None:
        """Close the underlying stream."""
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """Return the stream with TLS, under the same deadline."""
        return Timed(self._stream.start_tls(ssl_context, server_hostname, timeout), self._end)

    def get_extra_info(self, info: str) -> Any:
        """Return the underlying stream's extra information."""
        return self._stream.get_extra_info(info)


def _ssl() -> ssl.SSLContext:
    return ssl.create_default_context()
