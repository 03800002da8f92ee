"""The examples of docs/http.md, each run as it stands against a server with the built-in models."""

from __future__ import annotations

import base64
import io
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from retrieval import Library, Settings

from ..serving import Server, serving

pytestmark = pytest.mark.slow

TEXT = (Path(__file__).parent.parent.parent / "docs" / "http.md").read_text(encoding="utf-8")
CURLS = re.findall(r"^curl .*$", TEXT, re.MULTILINE)
CODE = re.findall(r"```py\n(.*?)```", TEXT, re.DOTALL)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("documented") / "photos"
    folder.mkdir()
    for number in range(100):
        noise = Image.effect_noise((64, 48), 20 + number).convert("RGB")
        noise.save(folder / f"{'dog' if number % 9 == 0 else 'IMG'} {number}.png")
    (folder / "IMG 1.txt").write_text("a dog")
    with Library.create(folder.parent / "library", Settings(model="builtin")) as library:
        library.index([folder])
    with serving(folder.parent / "library") as server:
        yield server


def asked(client: httpx.Client, command: str) -> httpx.Response:
    """The answer to what a call of curl asks."""
    words = iter(shlex.split(command, comments=True)[1:])
    method, url = "", ""
    given: dict[str, Any] = {"headers": {}, "files": [], "data": {}}
    for word in words:
        if word == "-X":
            method = next(words)
        elif word == "-H":
            name, _, value = next(words).partition(": ")
            given["headers"][name] = value
        elif word == "-d":
            given["content"] = next(words)
        elif word == "-F":
            name, _, value = next(words).partition("=")
            if value.startswith("@"):
                given["files"].append((name, (value[1:], jpeg(), "image/jpeg")))
            else:
                given["data"][name] = value
        elif word == "-o":
            next(words)
        elif not word.startswith("-"):
            url = word.removeprefix("localhost:8000")
    sends = given["files"] or given["data"] or "content" in given
    if "CURSOR" in url:
        first = client.get("/v1/search?q=dog&page=1&k=5&threshold=none")
        url = url.replace("CURSOR", first.json()["cursor"])
    kept = {name: value for name, value in given.items() if value}
    return client.request(method or ("POST" if sends else "GET"), url, **kept)


def jpeg() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (90, 60), "navy").save(out, "JPEG")
    return out.getvalue()


@pytest.mark.parametrize("command", CURLS)
def test_every_call_of_curl_is_answered(server: Server, command: str) -> None:
    if "-X DELETE" in command:  # what the example before it wrote
        with server.client() as client:
            body = {"text": "the old harbour"}
            client.put("/v1/items/12/caption", json=body).raise_for_status()
    with server.client() as client:
        if "-X PUT" in command:
            client.delete("/v1/items/12/caption")
        answer = asked(client, command)
    assert answer.status_code == 200, answer.text
    if answer.headers["content-type"] == "application/json":
        assert json.loads(answer.text)


def test_the_examples_in_python_run_with_the_built_in_model(server: Server) -> None:
    assert len(CODE) == 2
    with server.client() as client:
        client.put("/v1/items/12/caption", json={"text": "the old harbour"}).raise_for_status()
    picture = base64.b64encode(jpeg()).decode()
    for code in CODE:
        exec(
            code.replace("http://localhost:8000", server.url).replace(
                "image/png;base64,...", f"image/jpeg;base64,{picture}"
            )
        )
