"""Pictures over HTTP: none of another library, none that were not indexed, and none after logging out."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image

from retrieval import Library
from retrieval.server.tokens import Scope, Tokens

from ..conftest import COLOURS
from ..serving import Server, serving

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files") / "photos"
    folder.mkdir()
    for name in ("red", "lime", "blue", "navy"):
        Image.new("RGB", (600, 400), name).save(folder / f"{name}.jpg")
    return folder


@pytest.fixture(scope="module")
def library(photos: Path) -> Iterator[Library]:
    with Library.create(photos.parent / "library", COLOURS) as library:
        library.index([photos])
        yield library


@pytest.fixture(scope="module")
def token(library: Library) -> str:
    return Tokens.of(library.path).add("reader", Scope.READ)


@pytest.fixture(scope="module")
def server(library: Library, token: str) -> Iterator[Server]:  # it is made before the server starts
    with serving(library.path, "--vlm", "colours") as server:
        yield server


@pytest.fixture
def http(server: Server) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client


def hit(http: httpx.Client, name: str) -> dict[str, str]:
    found: dict[str, str] = next(
        each for each in http.get("/v1/items").json()["items"] if Path(each["path"]).stem == name
    )
    return found


def urls(found: dict[str, str]) -> tuple[str, str]:
    return f"/v1/items/{found['item']}/thumbnail", f"/v1/items/{found['item']}/original"


def test_the_pictures_of_another_library_have_other_addresses_and_tags(http: httpx.Client, tmp_path: Path) -> None:
    Image.new("RGB", (600, 400), "maroon").save(tmp_path / "maroon.jpg")
    with Library.create(tmp_path / "other", COLOURS) as library:
        library.index([tmp_path / "maroon.jpg"])
    with serving(tmp_path / "other") as server, server.client() as other:
        here, there = http.get("/v1/items").json()["items"], other.get("/v1/items").json()["items"]
        same = next(each for each in here if each["item"] == there[0]["item"])
        assert same["digest"] != there[0]["digest"]
        for first, second in zip(urls(same), urls(there[0]), strict=True):
            tag = http.get(first).headers["etag"]
            answer = other.get(second, headers={"if-none-match": tag})
            assert (answer.status_code, len(answer.content) > 0) == (200, True)


def test_an_address_with_the_digest_is_kept_for_good_and_one_without_is_asked_again(http: httpx.Client) -> None:
    found = hit(http, "red")
    for url in urls(found):
        assert http.get(url).headers["cache-control"] == "private, no-cache"
        assert http.get(url, params={"digest": "other"}).headers["cache-control"] == "private, no-cache"
        assert "immutable" in http.get(url, params={"digest": found["digest"]}).headers["cache-control"]


def test_where_a_token_is_demanded_a_browser_asks_each_time_and_forgets_at_logout(
    library: Library, token: str, http: httpx.Client
) -> None:
    found = hit(http, "red")
    with serving(library.path, "--token") as server, server.client(token) as client:
        for url in urls(found):
            answer = client.get(url, params={"digest": found["digest"]})
            assert answer.headers["cache-control"] == "private, no-cache"
            again = client.get(url, headers={"if-none-match": answer.headers["etag"]})
            assert (again.status_code, again.content) == (304, b"")
            out = client.get(url, headers={"if-none-match": answer.headers["etag"], "authorization": "Bearer x"})
            assert out.status_code == 401
        assert client.post("/v1/logout").headers["clear-site-data"] == '"cache"'


@pytest.mark.parametrize("form", ["{}", "W/{}", '"x", {}', "*"])
def test_who_has_a_picture_gets_it_not_again(http: httpx.Client, form: str) -> None:
    for url in urls(hit(http, "red")):
        tag = http.get(url).headers["etag"]
        answer = http.get(url, headers={"if-none-match": form.replace("{}", tag)})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)
        assert http.get(url, headers={"if-none-match": '"x"'}).status_code == 200


def test_ranges_are_of_the_file_that_the_client_knows(http: httpx.Client, photos: Path) -> None:
    url, data = urls(hit(http, "red"))[1], (photos / "red.jpg").read_bytes()
    tag = http.get(url).headers["etag"]
    part = http.get(url, headers={"range": "bytes=10-19", "if-range": tag})
    assert (part.status_code, part.content) == (206, data[10:20])
    assert http.get(url, headers={"range": "bytes=10-19", "if-range": '"x"'}).content == data
    assert http.get(url, headers={"range": "bytes=-5"}).content == data[-5:]
    wrong = http.get(url, headers={"range": f"bytes={len(data)}-"})
    assert (wrong.status_code, wrong.json()["error"]["type"]) == (416, "range")
    assert wrong.headers["content-range"] == f"bytes */{len(data)}"


@pytest.mark.parametrize(
    "url", ["/", "/docs", "/page/main.js", "/healthz", "/v1/status", "/v1/search?q=red", "{}", "{o}"]
)
def test_head_is_get_without_a_body(http: httpx.Client, url: str) -> None:
    thumbnail, original = urls(hit(http, "red"))
    url = {"{}": thumbnail, "{o}": original}.get(url, url)
    get, head = http.get(url), http.head(url)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-type", "etag"):
        assert head.headers.get(name) == get.headers.get(name)


def test_a_link_in_place_of_a_picture_shows_nothing_else(http: httpx.Client, photos: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.jpg"
    Image.new("RGB", (700, 500), "white").save(secret)
    found = hit(http, "lime")
    (photos / "lime.jpg").rename(tmp_path / "away.jpg")
    try:
        for target in (secret, Path("/etc/hostname"), tmp_path / "away.jpg"):
            (photos / "lime.jpg").symlink_to(target)
            answer = http.get(urls(found)[1])
            assert (answer.status_code, answer.json()["error"]["type"]) == (422, "PictureError")
            assert str(photos.parent) not in answer.text
            assert http.get(urls(found)[0], params={"size": 1280}).status_code == 422
            asked = http.post("/v1/ask", data={"items": found["item"], "question": "is it red?"})
            assert asked.status_code == 422
            (photos / "lime.jpg").unlink()
    finally:
        (tmp_path / "away.jpg").rename(photos / "lime.jpg")
    assert http.get(urls(found)[1]).status_code == 200


def test_a_file_that_has_changed_since_is_not_given_out(http: httpx.Client, photos: Path) -> None:
    found, path = hit(http, "blue"), photos / "blue.jpg"
    data = path.read_bytes()
    os.utime(path)  # touched, and the same: it is given out
    assert http.get(urls(found)[1]).content == data
    path.write_bytes(b"a password")
    try:
        answer = http.get(urls(found)[1])
        assert (answer.status_code, answer.json()["error"]["type"]) == (409, "Changed")
        assert http.get(urls(found)[0], params={"size": 2560}).status_code == 409
        assert http.get(urls(found)[0]).status_code == 200  # the stored thumbnail is of what was indexed
    finally:
        path.write_bytes(data)


def test_a_link_to_another_folder_of_the_library_is_followed(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    Image.new("RGB", (60, 40), "red").save(tmp_path / "two" / "red.jpg")
    (tmp_path / "one" / "link.jpg").symlink_to(tmp_path / "two" / "red.jpg")
    with Library.create(tmp_path / "library", COLOURS) as library:
        library.index([tmp_path / "two"])
        library.index([tmp_path / "one"])
        item = next(each for each in library if each.path.name == "link.jpg")
        with library.items.open(item) as file:
            assert file.read() == (tmp_path / "two" / "red.jpg").read_bytes()
        guest = library.within(tmp_path / "one")
        with pytest.raises(Exception, match="leads out"):
            guest.items.open(item)


def test_what_a_library_and_the_cache_keep_is_for_their_owner_alone(
    tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    before = os.umask(0o022)
    try:
        with Library.create(tmp_path / "library", COLOURS) as library:
            library.index([photos])
            library.search("red", page=1, k=1)
    finally:
        os.umask(before)
    places = (tmp_path / "library", tmp_path / "cache" / "retrieval")
    modes = {path: stat.S_IMODE(path.stat().st_mode) for place in places for path in (place, *place.rglob("*"))}
    assert any(path.suffix == ".json" and "pages" in path.parts for path in modes)
    assert {path: oct(mode) for path, mode in modes.items() if mode & 0o077} == {}
