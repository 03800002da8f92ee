"""MCP tools: the library for agents over the Model Context Protocol (stdio or HTTP), with short answers.

Read-only unless writing is allowed; returns previews of pictures only, unless original files are allowed.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from mcp.server import MCPServer
from mcp.server.mcpserver import Image
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.transport_security import TransportSecuritySettings
from mcp_types import ToolAnnotations
from pydantic import Field
from starlette.routing import BaseRoute, Route

from .. import __version__
from ..errors import RetrievalError, UsageError
from ..library import backends
from ..library.view import LibraryView
from ..types.records import Hit, Threshold
from ..types.request import LONGEST
from ..types.serialize import dumps, to_jsonable
from ..vlm import messages
from .service import Service
from .tokens import CALLER, Scope

LARGEST = 1 << 20  # bytes of the largest original file that is returned
READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
WRITES = ToolAnnotations(read_only_hint=False, destructive_hint=False, open_world_hint=False)
ABOUT = (
    "A photo library. `search` finds pictures by words and filters (a dog -leash since:2023-06 camera:nikon "
    'near:"Lisbon"~20km; item:12 for pictures like number 12). The other tools take the numbers of items. '
    "`nothing` means that no picture looks like the query: say so, do not guess. `suggestions` may be what is meant."
)

Query = Annotated[str, Field(max_length=LONGEST, description="Words, filters and operators, as in docs/queries.md")]
Number = Annotated[int, Field(ge=1, lt=2**63, description="An item's number")]


@dataclass(frozen=True)
class McpTools:
    """The MCP tools of one service."""

    service: Service
    writes: bool = False
    originals: bool = False  # whether original files are returned

    def asked(self) -> LibraryView:
        """Return the library, limited to what the caller may see."""
        return self.service.asked_by(CALLER.get())

    def server(self) -> MCPServer[Any]:
        """Return an MCP server with the tools registered."""
        server: MCPServer[Any] = MCPServer(
            "retrieval", instructions=ABOUT, version=__version__, log_level="WARNING", subscriptions=False
        )
        reading = (
            self.search, self.facets, self.item, self.captions, self.ask, self.why, self.status, self.picture,
        )  # fmt: skip
        writing = (self.write_caption, self.save_search) if self.writes else ()
        for tools, kind in ((reading, READS), (writing, WRITES)):
            for tool in tools:
                server.tool(annotations=kind, structured_output=False)(_worded(tool))
        return server

    # --- tools ---------------------------------------------------------------------------------------------

    def search(
        self,
        query: Query,
        k: Annotated[int, Field(ge=1, le=100, description="How many")] = 10,
        threshold: Annotated[Threshold, Field(description="The weakest match; none: always the nearest")] = "weak",
    ) -> str:
        """Find pictures that fit a query, best first, each with its confidence."""
        answer = self.asked().search(query, k=k, threshold=threshold)
        return _told(
            hits=[_short(hit) for hit in answer.hits],
            searched=answer.searched,
            nothing=answer.nothing,
            notes=answer.notes,
            suggestions=answer.suggestions,
        )

    def facets(self, query: Query = "") -> str:
        """Count the likely answers to a query (all pictures without one) by year, camera, place, type and folder."""
        found = self.asked().facets(query)
        return _told(**{name: values[:20] for name, values in found.items()})

    def item(self, item: Number) -> str:
        """Everything that is known about a picture: file, date, camera, place, captions and other texts."""
        asked = self.asked()
        found = asked.items.get(item)
        return _told(path=found.path, facts=found.facts, place=found.place, texts=asked.items.texts_of(found.content))

    def captions(self, item: Number, k: Annotated[int, Field(ge=1, le=50)] = 5) -> str:
        """The library's texts that fit a picture best, also those of other pictures."""
        asked = self.asked()
        found = asked.captions.find(asked.items.get(item).path, k=k, threshold="none")
        return _told(texts=[{"text": hit.text, "score": hit.score, "band": hit.band} for hit in found.hits])

    def ask(
        self,
        items: Annotated[list[Number], Field(min_length=1, max_length=8)],
        question: Annotated[str, Field(min_length=1, max_length=2000)],
    ) -> str:
        """Ask the library's vision-language model about pictures."""
        asked, settings = self.asked(), self.service.library.settings
        found = [asked.items.require(asked.items.get(number)) for number in items]
        parts = [backends.part(each.path, settings, each.second) for each in found]
        with self.service.speaks() as model:
            return _told(answer=messages.answer(model, parts, question), model=model.name)

    def why(self, query: Query, item: Number) -> str:
        """Why a picture is a hit for a query, or why it is not one and what would bring it up."""
        asked = self.asked()
        path = asked.items.get(item).path
        found = asked.why_not(query, path)
        return _told(why_not=found) if found.standing != "hit" else _told(why=asked.why(query, path))

    def status(self) -> str:
        """What the library holds: counts, folders, the model."""
        return _told(**to_jsonable(self.asked().status()))

    def picture(
        self, item: Number, original: Annotated[bool, Field(description="The file itself, where allowed")] = False
    ) -> Image:
        """Look at a picture: a preview, unless the server allows originals and one is wanted."""
        asked = self.asked()
        found = asked.items.get(item)
        if original and self.originals:
            with asked.items.open(found) as file:
                data = file.read(LARGEST + 1)
            if len(data) <= LARGEST:
                return Image(data=data, format=found.facts.format or "jpeg")
        return Image(data=self.service.previews.get(asked, asked.items.thumbnail(item), 1280, "jpeg"), format="jpeg")

    def write_caption(self, item: Number, text: Annotated[str, Field(min_length=1, max_length=2000)]) -> str:
        """Save a caption for a picture; it is searchable at once."""
        self._allowed()
        found = self.asked().items.get(item)
        self.service.library.captions.set(found.path, text)
        return _told(item=item, texts=self.asked().items.texts_of(found.content))

    def save_search(self, name: Annotated[str, Field(max_length=64)], query: Query) -> str:
        """Keep a query under a name: `@name` stands for it from then on."""
        self._allowed()
        self.service.library.saved.save(name, query)
        return _told(saved=self.service.library.saved.saved())

    def _allowed(self) -> None:
        caller = CALLER.get()
        if caller.scope < Scope.WRITE:
            raise UsageError(f"the token {caller.name} may not write")

    # --- over HTTP -----------------------------------------------------------------------------------------

    def routes(self) -> tuple[MCPServer[Any], list[BaseRoute]]:
        """Return the server, whose session manager has to run, and its route `/mcp`; the auth layer checks hosts."""
        server = self.server()
        security = TransportSecuritySettings(enable_dns_rebinding_protection=False)
        inner = server.streamable_http_app(stateless_http=True, json_response=True, transport_security=security)
        for route in inner.routes:
            assert isinstance(route, Route)  # the SDK adds this one route
            route.methods = {"POST"}  # the server never pushes messages, so no stream is kept open
        return server, list(inner.routes)


def _worded(tool: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a tool so that the library's errors reach the agent with their messages; the SDK hides all other errors."""

    @functools.wraps(tool)
    def call(*args: Any, **given: Any) -> Any:
        try:
            return tool(*args, **given)
        except RetrievalError as exc:
            raise ToolError(str(exc)) from exc

    return call


def _short(hit: Hit) -> dict[str, Any]:
    told = {"item": hit.item, "path": hit.path, "band": hit.band, "by": hit.by, "score": hit.score, "caption": hit.text}
    return {**told, "taken_at": hit.taken_at, "second": hit.second}


def _told(**found: Any) -> str:
    return dumps(found)
