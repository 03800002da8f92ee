"""The Python client and others: the answers of the library, and its errors; and the command line through a server."""

from __future__ import annotations

import base64
import io
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import openai
import pytest
from PIL import Image

from retrieval import Budget, Library, UsageError
from retrieval.client import Client
from retrieval.errors import LibraryError, ModelUnavailable, NotFound, PictureError

from .conftest import COLOURS, Run
from .serving import Server, serving

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    folder = tmp_path_factory.mktemp("client") / "photos"
    folder.mkdir()
    for name in ("red", "lime", "blue", "yellow"):
        Image.new("RGB", (300, 200), name).save(folder / f"{name}.png")
    (folder / "red.txt").write_text("the barn door")
    with Library.create(folder.parent / "library", COLOURS) as library:
        library.index([folder])
        yield library


@pytest.fixture(scope="module")
def server(library: Library) -> Iterator[Server]:
    photos = library.path.parent / "photos"
    with serving(library.path, "--vlm", "colours", "--root", photos) as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with Client(server.url) as client:
        yield client


@pytest.mark.parametrize("query", ["red", "type:png", "red -blue", "barn"])
def test_its_answers_are_the_librarys(client: Client, library: Library, query: str) -> None:
    found, expected = client.search(query, k=3), library.search(query, k=3)
    rounded = [replace(hit, score=hit.score and round(hit.score, 6)) for hit in expected.hits]
    assert [replace(hit, score=hit.score and round(hit.score, 6)) for hit in found.hits] == rounded
    assert (found.searched, found.notes, found.model) == (expected.searched, expected.notes, expected.model)


def test_pictures_pages_and_streams(client: Client, library: Library) -> None:
    red = library.path.parent / "photos" / "red.png"
    item = client.search("red", k=1).hits[0].item or 0
    for answer in (client.search(image=red, k=1), client.search(image=red.read_bytes(), k=1), client.similar(item, 1)):
        assert len(answer.hits) == 1
    assert sum(len(page.hits) for page in client.pages("type:png", k=3)) == 4
    first, *others = client.stream("red", k=2, rerank=Budget(anyway=True))
    assert first.hits[0].verdict is None
    assert others[-1].hits[0].verdict is not None
    assert client.captions(red, threshold="none").hits[0].text == "the barn door"
    assert client.why("red", item).rank == 1
    assert client.why_not("red", item).standing == "hit"
    assert client.facets("type:png")["folder"] == [("photos", 4)]


def test_items_and_what_is_said_of_them(client: Client, library: Library) -> None:
    every = list(client.items())
    item = every[0].item
    assert len(every) == 4
    assert client.original(item) == every[0].path.read_bytes()
    with Image.open(io.BytesIO(client.thumbnail(item))) as image:
        assert image.format == "WEBP"
    client.set_caption(item, "seen by a client")
    assert client.item(item).texts[0].text == "seen by a client"
    client.save("mine", "red")
    assert client.search("@mine", k=1).hits[0].text == "the barn door"
    assert client.teach("warm", yes=[item]) == (1, 0)


def test_the_model_and_the_server(client: Client) -> None:
    item = client.search("red", k=1).hits[0].item or 0
    assert client.ask([item], "what colour is it?") == "red"
    assert "red" in client.caption(item)
    assert client.ground(item, "red")[0].label == "red"
    assert client.status().items == 4
    assert list(client.index("photos"))[-1]["state"] == "done"


def test_errors_are_those_of_the_library(client: Client) -> None:
    with pytest.raises(UsageError, match="many"):
        client.search("rating:many")
    with pytest.raises(NotFound):
        client.item(999)
    with pytest.raises(PictureError):
        client.search(image=b"nothing")
    with pytest.raises(UsageError, match="no root"):
        list(client.index("elsewhere"))
    with Client("http://127.0.0.1:9") as nowhere, pytest.raises(ModelUnavailable, match="no server answers"):
        nowhere.status()


def test_the_official_openai_client_asks_the_model(server: Server, library: Library) -> None:
    data = base64.b64encode((library.path.parent / "photos" / "lime.png").read_bytes()).decode()
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none") as client:
        assert client.models.list().data[0].id == "colours"
        asked = [
            {"type": "text", "text": "what colour is it?"},
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}},
        ]
        message = {"role": "user", "content": asked}
        answer = client.chat.completions.create(model="colours", messages=[message])  # type: ignore[list-item]  # a user's
        assert answer.choices[0].message.content == "lime"
        pieces = client.chat.completions.create(model="colours", messages=[message], stream=True)  # type: ignore[list-item]
        assert "".join(piece.choices[0].delta.content or "" for piece in pieces) == "lime"  # type: ignore[union-attr]
        with pytest.raises(openai.BadRequestError, match="data URIs"):
            asked[1] = {"type": "image_url", "image_url": {"url": "http://169.254.169.254/"}}
            client.chat.completions.create(model="colours", messages=[message])  # type: ignore[list-item]


# --- the command line through a server --------------------------------------------------------------------------------


def test_a_search_asks_the_server_of_its_library(filled: Run, tmp_path: Path) -> None:
    alone = filled("search", "red", "--json").stdout
    with serving(tmp_path / "library"):
        found = filled("search", "red", "--json")
        assert "through its server" in found.stderr
        own = filled("search", "red", "--json", "--no-server")
        assert "through its server" not in own.stderr
        image = filled("search", "--image", tmp_path / "photos" / "blue.webp", "-k", "1", "--paths")
        assert image.stdout.strip().endswith("blue.webp")
        wrong = filled("search", "rating:many", code=2)
        assert "through its server" not in filled("search", "red", "-k", "2000", "--json").stderr
    for text in (found.stdout, own.stdout):
        assert _timeless(text) == _timeless(alone)
    assert "^^^" in wrong.stderr


@pytest.mark.parametrize("options", [("--within", "*red*"), ("--sheet", "out.html"), ("--device", "cpu")])
def test_what_a_server_would_do_otherwise_is_done_here(filled: Run, tmp_path: Path, options: tuple[str, ...]) -> None:
    with serving(tmp_path / "library"):
        assert "through its server" not in filled("search", "red", *options).stderr


def test_a_socket_that_a_killed_server_left_does_no_harm(filled: Run, tmp_path: Path) -> None:
    with serving(tmp_path / "library") as server:
        server.process.kill()
        server.process.wait()
    assert (tmp_path / "library" / "server.sock").exists()
    assert filled("search", "red", "--paths").stdout
    with serving(tmp_path / "library"):
        assert "through its server" in filled("search", "red").stderr


def test_a_server_of_another_user_is_not_to_be_opened(filled: Run, tmp_path: Path) -> None:
    with serving(tmp_path / "library"):
        assert (tmp_path / "library" / "server.sock").stat().st_mode & 0o077 == 0


def _timeless(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if '"seconds"' not in line)


def test_an_error_of_a_kind_that_is_not_known_here_is_still_an_error(library: Library, tmp_path: Path) -> None:
    shutil.copytree(library.path, tmp_path / "library", ignore=shutil.ignore_patterns("*.sock"))
    with serving(tmp_path / "library") as server, Client(server.url) as client:
        for file in (tmp_path / "library").glob("catalog.sqlite*"):  # what was written last lies beside the database
            file.write_bytes(b"broken")
        with pytest.raises(LibraryError):
            client.search("red")
