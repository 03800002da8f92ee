"""MCP, by the SDK's own client, over stdio and over HTTP: tools, limits, and nothing written unless allowed."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import shutil
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from PIL import Image

from retrieval import Library
from retrieval.server.tokens import Scope, Tokens

from ..conftest import COLOURS
from ..serving import Server, serving

pytestmark = pytest.mark.slow

READING = {"search", "facets", "item", "captions", "ask", "why", "status", "picture"}
Talk = Callable[[Client], Awaitable[Any]]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    folder = tmp_path_factory.mktemp("agents")
    for name in ("mine/red.png", "mine/lime.png", "other/blue.png"):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (400, 300), path.stem).save(path)
    (folder / "mine" / "red.txt").write_text("the barn door")
    with Library.create(folder / "library", COLOURS) as library:
        library.index([folder / "mine", folder / "other"])
        yield library


@pytest.fixture(scope="module")
def server(library: Library) -> Iterator[Server]:
    tokens = Tokens.of(library.path)
    tokens.add("first", Scope.ADMIN)
    with serving(library.path, "--vlm", "colours", "--token", "--allow-write") as server:
        yield server


def by_stdio(library: Library, talk: Talk, *options: str) -> Any:
    arguments = ["-m", "retrieval", "mcp", "--index", str(library.path), "--vlm", "colours", *options]

    async def run() -> Any:
        async with Client(StdioServerParameters(command=sys.executable, args=arguments)) as client:
            return await talk(client)

    return asyncio.run(run())


def by_http(server: Server, token: str, talk: Talk) -> Any:
    async def run() -> Any:
        async with (
            httpx2.AsyncClient(headers={"authorization": f"Bearer {token}"}, timeout=30) as http,
            Client(streamable_http_client(f"{server.url}/mcp", http_client=http)) as client,
        ):
            return await talk(client)

    return asyncio.run(run())


async def call(client: Client, tool: str, **given: Any) -> Any:
    """A tool's answer as JSON."""
    answer = await client.call_tool(tool, given)
    text = getattr(answer.content[0], "text", "")
    assert not answer.is_error, text
    return json.loads(text)


def test_an_agent_searches_looks_and_asks(library: Library) -> None:
    async def talk(client: Client) -> None:
        assert {tool.name for tool in (await client.list_tools()).tools} == READING
        assert "nothing" in str(client.instructions)
        found = await call(client, "search", query="red", k=1)
        red = found["hits"][0]["item"]
        assert (found["hits"][0]["caption"], found["searched"]) == ("the barn door", 3)
        assert (await call(client, "ask", items=[red], question="what colour is it?"))["answer"] == "red"
        assert (await call(client, "item", item=red))["texts"][0]["source"] == "sidecar"
        assert (await call(client, "captions", item=red))["texts"][0]["text"] == "the barn door"
        assert ["other", 1] in (await call(client, "facets"))["folder"]
        assert (await call(client, "why", query="red", item=red))["why"]["rank"] == 1
        assert (await call(client, "status"))["items"] == 3

    by_stdio(library, talk)


def test_an_agent_gets_small_pictures(library: Library) -> None:
    async def talk(client: Client) -> Any:
        red = (await call(client, "search", query="red", k=1))["hits"][0]["item"]
        return (await client.call_tool("picture", {"item": red, "original": True})).content[0]

    small, whole = by_stdio(library, talk), by_stdio(library, talk, "--originals")
    with Image.open(io.BytesIO(base64.b64decode(small.data))) as image:
        assert (image.format, small.mime_type) == ("JPEG", "image/jpeg")
    assert base64.b64decode(whole.data) == (library.path.parent / "mine" / "red.png").read_bytes()


def test_errors_are_told_in_the_librarys_words(library: Library) -> None:
    async def talk(client: Client) -> list[str]:
        wrong: list[tuple[str, dict[str, Any]]] = [
            ("search", {"query": "rating:many"}),
            ("search", {"query": "similar:/etc/passwd2"}),
            ("item", {"item": 999}),
        ]
        answers = [await client.call_tool(tool, given) for tool, given in wrong]
        assert all(answer.is_error for answer in answers)
        return [getattr(answer.content[0], "text", "") for answer in answers]

    told = by_stdio(library, talk)
    assert "rating" in told[0]
    assert "passwd2" in told[1]
    assert "no item 999" in told[2]


def test_nothing_is_written_unless_allowed(library: Library, tmp_path: Path) -> None:
    shutil.copytree(library.path, tmp_path / "library", ignore=shutil.ignore_patterns("*.sock"))

    async def talk(client: Client) -> Any:
        red = (await call(client, "search", query="red", k=1))["hits"][0]["item"]
        return await call(client, "write_caption", item=red, text="a gate")

    with Library.open(tmp_path / "library") as copy:
        assert by_stdio(copy, talk, "--allow-write")["texts"][0]["text"] == "a gate"
    with pytest.raises((AssertionError, MCPError, BaseExceptionGroup)):
        by_stdio(library, talk)


def test_over_http_a_tokens_scope_and_folder_hold(server: Server, library: Library) -> None:
    tokens = Tokens.of(library.path)
    mine = tokens.add("mine", Scope.READ, library.path.parent / "mine")
    writer = tokens.add("writer", Scope.WRITE)

    async def look(client: Client) -> Any:
        found = await call(client, "search", query="blue", threshold="none")
        wrong = await client.call_tool("save_search", {"name": "x", "query": "red"})
        return [Path(hit["path"]).stem for hit in found["hits"]], found["searched"], wrong.is_error

    async def write(client: Client) -> Any:
        return await call(client, "save_search", name="warm", query="red")

    names, searched, refused = by_http(server, mine, look)
    assert (sorted(names), searched, refused) == (["lime", "red"], 2, True)
    assert by_http(server, writer, write)["saved"] == {"warm": "red"}


def test_over_http_no_token_is_no_answer(server: Server) -> None:
    with pytest.raises(BaseExceptionGroup):
        by_http(server, "rtv_wrong", lambda client: client.list_tools())
    with server.client("rtv_wrong") as client:
        assert client.post("/mcp", json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).status_code == 401
