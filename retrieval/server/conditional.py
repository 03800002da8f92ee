"""Conditional requests: entity tags, what a client that has a picture already is told, and HEAD.

RFC 9110, sections 8.8.3, 9.3.2 and 13.1.2.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import BinaryIO

from starlette.responses import FileResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .auth import HTTPRefusal, refuse

TAG = re.compile(r'(?:W/)?("[^"]*")')
YEAR = 365 * 24 * 3600


@dataclass(frozen=True)
class Revalidation:
    """What a client knows of a picture: the digest in its address, and the tags that it has (If-None-Match)."""

    digest: str
    tags: str
    demand: bool  # whether every caller has to show a token

    def has(self, tag: str) -> bool:
        """Whether the client has what the tag stands for."""
        return self.tags.strip() == "*" or tag in TAG.findall(self.tags)

    def headers(self, content: str, tag: str) -> dict[str, str]:
        """Return the headers of the answer, for the content with this hash.

        If its address names the content, the client may keep it for good. Not where a token is demanded: who has logged
        out must not see it any more.
        """
        named = bool(content) and self.digest.partition("@")[0] == content.partition("@")[0]
        keep = f"private, max-age={YEAR}, immutable" if named and not self.demand else "private, no-cache"
        return {"etag": tag, "cache-control": keep}


@dataclass
class HeadAsGet:
    """Middleware that answers HEAD as GET; the server sends no body for HEAD."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and scope["method"] == "HEAD":
            scope = {**scope, "method": "GET"}
        await self.app(scope, receive, send)


class OpenFileResponse(FileResponse):
    """A file that was opened before, whole or in ranges; what lies at its path by now does not matter."""

    def __init__(self, file: BinaryIO, **options: object) -> None:
        super().__init__(f"/dev/fd/{file.fileno()}", **options)  # type: ignore[arg-type]  # those of FileResponse
        self.file = file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the file, or an error if the range is none of it."""
        refused = False

        async def sending(message: Message) -> None:
            nonlocal refused
            if message["type"] == "http.response.start" and message["status"] in (400, 416):
                refused = True
                size = [value for name, value in message["headers"] if name == b"content-range"]
                headers = {"content-range": size[0].decode()} if size else {}
                await refuse(HTTPRefusal(message["status"], "range", "the file has no such range", headers), send)
            elif not refused:
                await send(message)

        try:
            await super().__call__(scope, receive, sending)
        finally:
            self.file.close()
