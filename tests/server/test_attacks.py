"""What was tried against the server, and what came of it: each a real request to a real process."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import shutil
import socket
import struct
import threading
import time
import zlib
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from starlette.routing import Route

from retrieval import Library
from retrieval.errors import SourceError, UsageError
from retrieval.pictures.worker import Workers
from retrieval.server import fetch
from retrieval.server.admission import AdmissionControl, Load
from retrieval.server.route_facts import RouteTable, facts
from retrieval.server.tokens import Scope, Tokens

from ..conftest import COLOURS, soon
from ..serving import Server, serving

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """Two folders, one of them with a name that would be a script."""
    folder = tmp_path_factory.mktemp("attacked")
    for name in ("mine/red.png", "mine/<img src=x onerror=alert(1)>.png", "other/blue.png"):
        path = folder / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (60, 40), path.stem if path.stem.isalpha() else "lime").save(path)
    with Library.create(folder / "library", COLOURS) as library:
        library.index([folder / "photos"])
        library.saved.save("secret", "path:other/**")
        yield library


@pytest.fixture(scope="module")
def tokens(library: Library) -> dict[str, str]:
    """Tokens of every kind."""
    kept, mine = Tokens.of(library.path), library.path.parent / "photos" / "mine"
    made = {scope.name.lower(): kept.add(scope.name.lower(), scope) for scope in Scope}
    return {**made, "guest": kept.add("guest", Scope.READ, mine)}


@pytest.fixture(scope="module")
def server(library: Library, tokens: dict[str, str]) -> Iterator[Server]:
    """One that demands tokens, and one upload of a mebibyte at most."""
    with serving(library.path, "--token", "--max-upload", "1M", "--host-name", "photos.home") as server:
        yield server


def ask(server: Server, method: str, url: str, token: str = "", **options: object) -> httpx.Response:
    with server.client(token) as client:
        return client.request(method, url, **options)  # type: ignore[arg-type]  # httpx's many options


@pytest.fixture(scope="module")
def hasty(library: Library) -> Iterator[Server]:
    """One that waits a second for a request's headers."""
    with serving(library.path, before="from retrieval.server import run; run.HEADER_SECONDS = 1.0") as server:
        yield server


def raw(server: Server, data: bytes) -> Iterator[bytes]:
    """What comes back for these bytes, piece by piece, until the server closes the connection."""
    with (
        socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection,
        contextlib.suppress(ConnectionError),  # it was closed before all of this had been read
    ):
        connection.sendall(data)
        while some := connection.recv(65536):
            yield some


# --- who comes in -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["/v1/status", "/v1/search?q=red", "/v1/items/1/original", "/metrics", "/v1/jobs"])
def test_nothing_is_told_without_a_token(server: Server, url: str) -> None:
    answer = ask(server, "GET", url)
    assert (answer.status_code, answer.json()["error"]["type"]) == (401, "unauthorized")


@pytest.mark.parametrize("url", ["/healthz", "/readyz", "/", "/docs", "/openapi.json"])
def test_what_has_no_data_is_open(server: Server, url: str) -> None:
    assert ask(server, "GET", url).status_code == 200


WRITES = [
    ("PUT", "/v1/items/1/caption", {"json": {"text": "x"}}, "write"),
    ("PUT", "/v1/names/x", {"json": {"query": "red"}}, "write"),
    ("POST", "/v1/names/x/examples", {"json": {"yes": [1]}}, "write"),
    ("DELETE", "/v1/names/x", {}, "write"),
    ("POST", "/v1/jobs", {"json": {"root": "x"}}, "admin"),
    ("DELETE", "/v1/jobs/1", {}, "admin"),
    ("GET", "/v1/roots", {}, "admin"),
    ("GET", "/v1/duplicates", {}, "admin"),
]


@pytest.mark.parametrize(("method", "url", "options", "scope"), WRITES)
def test_a_token_does_no_more_than_its_scope(
    server: Server, tokens: dict[str, str], method: str, url: str, options: dict[str, object], scope: str
) -> None:
    for name in ("guest", "read", *(("write",) if scope == "admin" else ())):
        assert ask(server, method, url, tokens[name], **options).status_code == 403
    assert ask(server, method, url, tokens[scope], **options).status_code in (200, 202, 400, 404)


def test_who_guesses_tokens_has_to_wait_and_keeps_no_one_else_out(library: Library, tokens: dict[str, str]) -> None:
    with serving(library.path, "--token") as server:
        codes = [ask(server, "GET", "/v1/status", f"rtv_{number}").status_code for number in range(12)]
        login = ask(server, "POST", "/v1/login", json={"token": "rtv_x"})
        right = ask(server, "GET", "/v1/status", tokens["read"])
        right_login = ask(server, "POST", "/v1/login", json={"token": tokens["read"]})
    assert codes == [401] * 10 + [429] * 2
    assert (login.status_code, int(login.headers["retry-after"]) > 0) == (429, True)
    assert (right.status_code, right_login.status_code) == (200, 200)


def test_a_cookie_is_secure_behind_a_proxy_with_tls(library: Library, tokens: dict[str, str]) -> None:
    proxied = ("--forwarded-allow-ips", "127.0.0.1", "--root-path", "photos")
    options = ("--token", "--host-name", "photos.example", *proxied)
    sent = {"host": "photos.example:8443", "origin": "https://photos.example:8443", "x-forwarded-proto": "https",
            "x-forwarded-for": "203.0.113.9"}  # fmt: skip
    with serving(library.path, *options) as server, server.client() as client:
        answer = client.post("/v1/login", json={"token": tokens["read"]}, headers=sent)
        assert {"secure", "path=/photos"} <= set(answer.headers["set-cookie"].lower().split("; "))
        cookie = answer.headers["set-cookie"].split(";")[0]
        assert client.get("/v1/status", headers={**sent, "cookie": cookie}).json()["caller"]["name"] == "read"
        other = client.post("/v1/login", json={"token": "x"}, headers={**sent, "origin": "https://photos.example"})
        assert (other.status_code, other.json()["error"]["type"]) == (403, "cross_site")
        assert client.get("/").status_code == 200
        server.stop()
        assert any('"address": "203.0.113.9"' in line for line in server.said)


def test_who_is_no_known_proxy_is_not_believed(server: Server, tokens: dict[str, str]) -> None:
    sent = {"x-forwarded-proto": "https", "x-forwarded-for": "203.0.113.9"}
    answer = ask(server, "POST", "/v1/login", json={"token": tokens["read"]}, headers=sent)
    assert "secure" not in answer.headers["set-cookie"].lower()


def test_tokens_that_cannot_be_read_are_said_with_words(library: Library, tmp_path: Path) -> None:
    shutil.copytree(library.path, tmp_path / "library", ignore=shutil.ignore_patterns("*.sock"))
    (tmp_path / "library" / "tokens.json").unlink(missing_ok=True)
    with serving(tmp_path / "library", "--token") as server:
        (tmp_path / "library" / "tokens.json").unlink()
        (tmp_path / "library" / "tokens.json").mkdir()  # root reads any file
        answer = ask(server, "GET", "/v1/status", "rtv_x")
        ready = ask(server, "GET", "/readyz")
        server.stop()
    assert (answer.status_code, "log says why" in answer.json()["error"]["message"]) == (503, True)
    assert (ready.status_code, str(tmp_path) in ready.text) == (503, False)
    assert any("give the file to the user" in line for line in server.said)


def test_a_date_of_many_words_costs_no_time(server: Server, tokens: dict[str, str]) -> None:
    started = time.monotonic()
    answer = ask(server, "GET", "/v1/understand", tokens["read"], params={"q": f'since:"{"ab cd " * 600}"'})
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "QueryError")
    assert time.monotonic() - started < 1


def test_a_login_is_a_cookie_that_scripts_and_other_sites_do_not_get(server: Server, tokens: dict[str, str]) -> None:
    with server.client() as client:
        answer = client.post("/v1/login", json={"token": tokens["read"]})
        cookie = answer.headers["set-cookie"].lower()
        assert all(word in cookie for word in ("httponly", "samesite=strict", "path=/"))
        assert tokens["read"] not in cookie
        assert client.get("/v1/status").json()["caller"]["name"] == "read"
        client.post("/v1/logout")
        assert client.get("/v1/status").status_code == 401


# --- a folder's token -------------------------------------------------------------------------------------------------


def test_a_folders_token_learns_nothing_of_the_rest(server: Server, library: Library, tokens: dict[str, str]) -> None:
    other = next(item.id for item in library if item.path.stem == "blue")
    with server.client(tokens["guest"]) as client:
        for url in (f"/v1/items/{other}", f"/v1/items/{other}/thumbnail", f"/v1/items/{other}/original"):
            assert client.get(url).status_code == 404
        for url in (f"/v1/items/{other}/similar", f"/v1/why?q=red&item={other}", f"/v1/why-not?q=red&item={other}"):
            assert client.get(url).status_code == 404
        assert client.get("/v1/search", params={"item": other}).status_code == 400
        told = [
            client.get(url).raise_for_status().text
            for url in (
                "/v1/status",
                "/v1/search?q=blue&threshold=none",
                "/v1/search?q=blue&threshold=none&page=1",
                "/v1/facets?q=type:png",
                "/v1/items",
                "/v1/timeline",
                "/v1/problems",
                "/v1/names",
            )
        ]
        assert client.get("/metrics").status_code == 403
    assert not any("other" in text or "blue.png" in text for text in told)
    assert not any(str(library.path.parent) in text for text in told), "nor where on the server the folder lies"
    assert '"mine/red.png"' in told[1]
    assert json.loads(told[0])["items"] == 2
    assert json.loads(told[1])["searched"] == 2


def test_of_pictures_that_were_indexed_one_by_one_only_the_names_are_told(tmp_path: Path) -> None:
    Image.new("RGB", (60, 40), "red").save(tmp_path / "red.png")
    with Library.create(tmp_path / "library", COLOURS) as library:
        library.index([tmp_path / "red.png"])
    token = Tokens.of(tmp_path / "library").add("reader", Scope.READ)
    with serving(tmp_path / "library", "--token") as server:
        told = [ask(server, "GET", url, token).text for url in ("/v1/search?q=red", "/v1/items", "/v1/status")]
    assert '"path":"red.png"' in told[0]
    assert not any(tmp_path.name in text for text in told)


def test_patterns_do_not_tell_where_a_folder_lies(server: Server, library: Library, tokens: dict[str, str]) -> None:
    above = library.path.parent
    for pattern in (f"{above}/**", f"{above}/photos/mine/**", f"**/{above.name}/**", "/*/**/photos/**"):
        answer = ask(server, "GET", "/v1/search", tokens["guest"], params={"q": f'path:"{pattern}"'})
        assert answer.json()["searched"] == 0, pattern
    for pattern in ("mine/**", "/mine/*", "*.png"):
        answer = ask(server, "GET", "/v1/search", tokens["guest"], params={"q": f'path:"{pattern}"'})
        assert answer.json()["searched"] == 2, pattern


def test_pages_of_another_are_not_to_be_had(server: Server, tokens: dict[str, str]) -> None:
    cursor = ask(server, "GET", "/v1/search?q=type:png&page=1&k=1", tokens["read"]).json()["cursor"]
    assert cursor
    assert ask(server, "GET", f"/v1/search/next?cursor={cursor}", tokens["guest"]).status_code == 400


# --- other sites ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 421),
        ({"host": "127.0.0.1.evil.example"}, 421),
        ({"host": "localhost.evil.example:80"}, 421),
        ({"host": "photos.home"}, 200),
        ({"host": "PHOTOS.home:8000"}, 200),
        ({"host": "[::1]:8000"}, 200),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://["}, 403),
        ({"origin": "http://127.0.0.1:1"}, 403),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}, 403),
        ({"sec-fetch-site": "same-site", "sec-fetch-mode": "cors"}, 403),
        ({"sec-fetch-site": "same-origin"}, 200),
    ],
)
def test_other_sites_and_other_names_get_nothing(
    server: Server, tokens: dict[str, str], headers: dict[str, str], status: int
) -> None:
    answer = ask(server, "GET", "/v1/status", tokens["read"], headers=headers)
    assert answer.status_code == status
    assert "access-control-allow-origin" not in answer.headers


def test_a_form_of_another_site_changes_nothing(library: Library) -> None:
    with serving(library.path) as server:  # no token is demanded on this machine: the browser is all that protects
        headers = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
        answer = ask(server, "PUT", "/v1/items/1/caption", json={"text": "owned"}, headers=headers)
        assert answer.status_code == 403
        assert "owned" not in ask(server, "GET", "/v1/items/1").text


def test_a_page_that_was_named_at_start_may_ask(library: Library) -> None:
    with serving(library.path, "--origin", "https://friend.example") as server:
        headers = {"origin": "https://friend.example", "sec-fetch-site": "cross-site"}
        answer = ask(server, "GET", "/v1/status", headers=headers)
        asked = ask(server, "OPTIONS", "/v1/search", headers={**headers, "access-control-request-method": "POST"})
        evil = {**headers, "origin": "https://evil.example", "access-control-request-method": "POST"}
        refused = [ask(server, method, "/v1/status", headers=evil) for method in ("OPTIONS", "GET")]
    assert answer.headers["access-control-allow-origin"] == "https://friend.example"
    assert (asked.status_code, "POST" in asked.headers["access-control-allow-methods"]) == (200, True)
    assert [answer.status_code for answer in refused] == [400, 403]
    assert all("access-control-allow-origin" not in answer.headers for answer in refused)


def test_a_browser_may_ask_beforehand_without_a_token(library: Library) -> None:
    with serving(library.path, "--token", "--origin", "https://friend.example") as server:
        headers = {"origin": "https://friend.example", "access-control-request-method": "GET"}
        assert ask(server, "OPTIONS", "/v1/status", headers=headers).status_code == 200
        assert ask(server, "GET", "/v1/status", headers=headers).status_code == 401


def test_every_answer_forbids_scripts_of_others(server: Server, tokens: dict[str, str]) -> None:
    for url in ("/", "/v1/search?q=red", "/v1/items/1/original", "/v1/none", "/page/none"):
        headers = ask(server, "GET", url, tokens["read"]).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"


# --- paths and files --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/page/../../../../../../etc/passwd",
        "/page/..%2f..%2f..%2f..%2fetc/passwd",
        "/page/%2e%2e/%2e%2e/api.py",
        "/page/....//....//api.py",
        "/page//etc/passwd",
        "/v1/items/../../etc/passwd",
        "/v1/items/1/original/../../../tokens.json",
    ],
)
def test_no_path_leads_out(server: Server, tokens: dict[str, str], path: str) -> None:
    lines = ("host: localhost", f"authorization: Bearer {tokens['read']}", "connection: close", "", "")
    answer = b"".join(raw(server, "\r\n".join((f"GET {path} HTTP/1.1", *lines)).encode()))
    assert answer.split(b" ")[1] in (b"404", b"422", b"401")
    assert b"root:" not in answer
    assert b"import" not in answer


@pytest.mark.parametrize("query", ["similar:/etc/passwd", "like:/etc/passwd red", "unlike:~/x.png red"])
def test_a_query_names_no_files(server: Server, tokens: dict[str, str], query: str) -> None:
    answer = ask(server, "GET", "/v1/search", tokens["admin"], params={"q": query})
    assert answer.status_code == 400
    assert "upload" in answer.json()["error"]["message"]


def test_names_and_captions_are_data_never_markup(server: Server, tokens: dict[str, str], library: Library) -> None:
    item = next(each.id for each in library if each.path.stem.startswith("<img"))
    ask(server, "PUT", f"/v1/items/{item}/caption", tokens["write"], json={"text": "<script>alert(1)</script>"})
    answer = ask(server, "GET", f"/v1/items/{item}", tokens["read"])
    assert answer.headers["content-type"] == "application/json"
    found = ask(server, "GET", f"/v1/items/{item}/original?download=true", tokens["read"])
    assert found.headers["content-disposition"].startswith("attachment")
    assert "\n" not in found.headers["content-disposition"]


def test_headers_cannot_be_put_into_answers(server: Server, tokens: dict[str, str]) -> None:
    headers = {"x-request-id": "a b; evil"}
    answer = ask(server, "GET", "/v1/status?x=%0d%0aevil:1", tokens["read"], headers=headers)
    assert "evil" not in answer.headers
    assert answer.headers["x-request-id"] != headers["x-request-id"]


# --- too much ---------------------------------------------------------------------------------------------------------


def bomb(side: int) -> bytes:
    """A PNG of a few kilobytes that is `side` x `side` pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(1 + side)) for _ in range(min(side, 2000))) + packer.flush()
    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def text_bomb() -> bytes:
    """A PNG whose compressed text is a hundred mebibytes."""
    out = io.BytesIO()
    Image.new("L", (8, 8)).save(out, "PNG")
    data = b"k\0\0" + zlib.compress(b"x" * (100 << 20), 9)
    chunk = struct.pack(">I", len(data)) + b"zTXt" + data + struct.pack(">I", zlib.crc32(b"zTXt" + data))
    return out.getvalue()[:33] + chunk + out.getvalue()[33:]


@pytest.mark.parametrize(
    ("what", "status"),
    [
        (bomb(60_000), 422),
        (text_bomb(), 422),
        (b"", 422),
        (b"<svg onload=alert(1)>", 422),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 999, 422),
        (b"%PDF-1.7", 422),
    ],
    ids=["pixels", "text", "nothing", "svg", "broken", "pdf"],
)
def test_a_bomb_is_refused_and_the_next_upload_is_answered(
    server: Server, tokens: dict[str, str], what: bytes, status: int
) -> None:
    answer = ask(server, "POST", "/v1/search", tokens["read"], files={"image": ("a.png", what)})
    assert answer.status_code in (status, 200)
    out = io.BytesIO()
    Image.new("RGB", (60, 40), "red").save(out, "PNG")
    fine = ask(server, "POST", "/v1/search?k=1", tokens["read"], files={"image": ("a.png", out.getvalue())})
    assert Path(fine.json()["hits"][0]["path"]).name == "red.png"


def test_an_upload_that_is_too_large_is_refused_told_or_not(server: Server, tokens: dict[str, str]) -> None:
    data = bytes(2 << 20)
    assert ask(server, "POST", "/v1/search", tokens["read"], files={"image": ("a", data)}).status_code == 413

    def chunks() -> Iterator[bytes]:  # without a length beforehand
        yield b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
        for _ in range(64):
            yield data[: 1 << 15]
        yield b"\r\n--x--\r\n"

    headers = {"content-type": "multipart/form-data; boundary=x"}
    assert ask(server, "POST", "/v1/search", tokens["read"], content=chunks(), headers=headers).status_code == 413


@pytest.mark.parametrize(
    "request_",
    [
        b"GET / HTTP/1.1\r\nhost: localhost\r\nx: " + b"a" * 70_000 + b"\r\n\r\n",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: localhost\r\n" + b"x: y\r\n" * 20_000 + b"\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(300),
        b"GET / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n12",
        b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
    ],
    ids=["header", "line", "headers", "tls", "smuggling", "hosts"],
)
def test_requests_that_are_none_are_answered_or_let_go_and_hurt_no_one(server: Server, request_: bytes) -> None:
    answer = next(raw(server, request_), b"")
    assert answer[:10] in (b"HTTP/1.1 2", b"HTTP/1.1 4", b"")
    assert ask(server, "GET", "/healthz").status_code == 200


def test_a_request_whose_end_is_told_in_two_ways_is_refused_and_closed(server: Server, tokens: dict[str, str]) -> None:
    head = f"POST /v1/search?q=red HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {tokens['read']}\r\n"
    both = "content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"
    second = "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n"
    answer = b"".join(raw(server, (head + both + second).encode()))
    assert answer.startswith(b"HTTP/1.1 400")
    assert answer.count(b"HTTP/1.1") == 1


def test_a_slow_loris_is_let_go_while_others_are_answered(hasty: Server) -> None:
    with socket.create_connection(("127.0.0.1", hasty.port), timeout=60) as slow:
        slow.sendall(b"GET / HTTP/1.1\r\nhost: local")

        def let_go() -> bool:
            assert ask(hasty, "GET", "/healthz").status_code == 200
            try:
                slow.sendall(b"x")
            except OSError:
                return True
            return False

        assert not let_go()
        assert soon(let_go)


def test_a_slow_second_request_on_a_connection_is_let_go_too(hasty: Server) -> None:
    with socket.create_connection(("127.0.0.1", hasty.port), timeout=60) as slow:
        slow.sendall(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert slow.recv(4096).startswith(b"HTTP/1.1 200 ")
        slow.sendall(b"G")
        with contextlib.suppress(ConnectionError):
            while slow.recv(4096):
                pass


def test_made_up_methods_are_not_kept(server: Server, tokens: dict[str, str]) -> None:
    evil = raw(server, b"EVIL" * 100 + b" /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
    assert b"".join(evil).startswith(b"HTTP/1.1 ")
    assert "EVIL" not in ask(server, "GET", "/metrics", tokens["read"]).text


def test_pictures_that_are_never_looked_at_are_not_decoded(server: Server, tokens: dict[str, str]) -> None:
    part = {"type": "image_url", "image_url": {"url": "data:image/png;base64,\u00e4"}}
    body = {"messages": [{"role": "user", "content": [part] * 9}]}
    answer = ask(server, "POST", "/v1/chat/completions", tokens["read"], json=body)
    assert (answer.status_code, "at most 8" in answer.text) == (400, True)
    body = {"messages": [{"role": "user", "content": [part]}]}
    assert ask(server, "POST", "/v1/chat/completions", tokens["read"], json=body).status_code == 400


@pytest.mark.parametrize("mode", ["P", "1", "L", "RGB"])
def test_large_pictures_of_every_mode_and_shape_are_handed_on_small(mode: str) -> None:
    workers = Workers(1)
    try:
        for size in ((6000, 4000), (60_000, 400)):
            out = io.BytesIO()
            Image.new(mode, size).save(out, "PNG")
            found = workers.decode(out.getvalue(), 200)
            assert found.width * found.height <= 16_000_000
            assert min(found.size) <= 1000
    finally:
        workers.close()


def test_a_flood_of_requests_is_answered_or_refused_and_then_over(library: Library) -> None:
    with serving(library.path, "--queue", "2") as server, ThreadPoolExecutor(60) as pool:
        answers = list(pool.map(lambda _: ask(server, "GET", "/v1/search?q=red"), range(240)))
        assert ask(server, "GET", "/v1/search?q=red").status_code == 200
    assert len(answers) == 240
    assert {answer.status_code for answer in answers} <= {200, 429}


class Limited:
    """The limits alone, before an application that never ends an answer to a question, nor that of a file."""

    def __init__(self, load: Load) -> None:
        slow = Route("/v1/ask", facts(slow=True)(lambda: None))
        self.limits = AdmissionControl(self.app, load, RouteTable([slow]))  # type: ignore[arg-type]  # ASGI
        self.begun = 0
        self.tasks: list[asyncio.Task[None]] = []
        self.answers: list[dict[str, Any]] = []

    async def app(self, scope: dict[str, Any], receive: object, send: Callable[[object], Awaitable[None]]) -> None:
        self.begun += 1
        if scope["path"] == "/v1/ask":
            await asyncio.Event().wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        if scope["path"] == "/v1/items/1/original":
            await asyncio.Event().wait()

    async def receive(self) -> dict[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(self, message: dict[str, Any]) -> None:
        self.answers += [message] if "status" in message else []

    def request(self, path: str) -> asyncio.Task[None]:
        scope = {"type": "http", "path": path, "headers": [], "method": "GET", "query_string": b""}
        self.tasks.append(asyncio.create_task(self.limits(scope, self.receive, self.send)))  # type: ignore[arg-type]  # ASGI
        return self.tasks[-1]

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not true():
                await asyncio.sleep(0)

    def end(self) -> list[int]:
        """Stop what does not end; the status of each answer."""
        for task in self.tasks:
            task.cancel()
        return [answer["status"] for answer in self.answers]


def test_one_request_more_than_can_wait_is_told_when_to_come_again() -> None:
    async def run() -> Limited:
        limited = Limited(Load(speaking=1, waiting=2, patience=60))
        for _ in range(3):
            limited.request("/v1/ask")
        await limited.until(lambda: (limited.begun, limited.limits.waiting) == (1, 2))
        await limited.request("/v1/ask")
        limited.end()
        return limited

    (refused,) = asyncio.run(run()).answers
    assert (refused["status"], dict(refused["headers"])[b"retry-after"]) == (429, b"2")


def test_long_answers_do_not_keep_short_ones_waiting() -> None:
    """Four long requests are at work, and do not end."""

    async def run() -> list[int]:
        limited = Limited(Load(running=1, patience=0.1))
        for _ in range(4):
            limited.request("/v1/ask")
        await limited.until(lambda: limited.begun == 4)
        await limited.request("/v1/search")
        await limited.request("/v1/ask")
        return limited.end()

    assert asyncio.run(run()) == [200, 429]


def test_bodies_that_trickle_in_hold_no_turn(server: Server, tokens: dict[str, str]) -> None:
    head = "POST /v1/search HTTP/1.1\r\nhost: localhost\r\ncontent-length: 900000\r\nexpect: 100-continue\r\n"
    with contextlib.ExitStack() as stack:
        for _ in range(Load().running + 1):
            slow = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=60))
            slow.sendall(f"{head}authorization: Bearer {tokens['read']}\r\n\r\n".encode())
            assert slow.recv(4096).startswith(b"HTTP/1.1 100 ")
            slow.sendall(b"x")
        assert ask(server, "GET", "/v1/status", tokens["read"]).status_code == 200


def test_someone_unknown_may_send_no_more_than_a_token(server: Server) -> None:
    assert ask(server, "POST", "/v1/login", content=b"x" * 5000).status_code == 413


def test_a_client_that_does_not_read_holds_no_turn() -> None:
    async def run() -> list[int]:
        limited = Limited(Load(running=1, patience=60))
        for _ in range(3):
            limited.request("/v1/items/1/original")
        await limited.until(lambda: limited.begun == 3)
        await limited.request("/v1/search")
        return limited.end()

    assert asyncio.run(run()) == [200] * 4


def test_above_the_memory_ceiling_nothing_new_is_begun(library: Library) -> None:
    with serving(library.path, "--max-memory", "1M") as server:
        answer = ask(server, "GET", "/v1/search?q=red")
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "5")
        assert ask(server, "GET", "/healthz").status_code == 200


# --- decoders ---------------------------------------------------------------------------------------------------------


def test_a_picture_that_takes_too_long_ends_with_its_process() -> None:
    with contextlib.closing(Workers(1, seconds=0.01)) as workers, pytest.raises(SourceError, match="longer than"):
        workers.decode(png(9000, 9000), 0)


def test_a_picture_that_takes_too_much_memory_ends_with_its_process_and_the_next_is_decoded() -> None:
    with contextlib.closing(Workers(1, memory=64 << 20)) as workers:
        workers.decode(png(20, 10), 0)
        with pytest.raises(SourceError, match="memory"):
            workers.decode(png(9000, 9000), 0)
        assert workers.decode(png(20, 10), 0).size == (20, 10)


def png(width: int, height: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height)).save(out, "PNG", compress_level=1)
    return out.getvalue()


# --- pictures of the web ----------------------------------------------------------------------------------------------


def test_nothing_is_fetched_unless_allowed(server: Server, tokens: dict[str, str]) -> None:
    answer = ask(server, "POST", "/v1/search", tokens["read"], data={"url": "https://example.org/a.png"})
    assert (answer.status_code, "--fetch" in answer.text) == (400, True)


ADDRESSES = [
    "file:///etc/passwd",
    "gopher://127.0.0.1/",
    "http://user:word@example.org/",
    "http://127.0.0.1/",
    "http://127.1/",
    "http://0x7f000001/",
    "http://2130706433/",
    "http://0/",
    "http://localhost/",
    "http://[::1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[2002:7f00:1::]/",
    "http://10.0.0.1/",
    "http://172.16.0.1/",
    "http://192.168.1.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://100.64.0.1/",
    "http://224.0.0.1/",
    "http://255.255.255.255/",
    "http://[fe80::1]/",
    "http://[fc00::1]/",
    "http://93.184.216.34:22/",
    "http://:80/",
    "http://[",
    "",
]


@pytest.mark.parametrize("url", ADDRESSES)
def test_addresses_that_are_not_of_the_open_internet_are_refused(url: str) -> None:
    with pytest.raises((UsageError, SourceError)):
        fetch.fetched(url)


@contextlib.contextmanager
def web(answers: dict[str, tuple[int, dict[str, str], bytes]]) -> Iterator[int]:
    """A web server on this machine with a few answers; its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = answers[self.path]
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def get(port: int, path: str) -> bytes:
    """As a server that takes 127.0.0.1 for the open internet would get it."""
    return fetch.fetched(f"http://127.0.0.1:{port}{path}", public=lambda address: address == "127.0.0.1", ports=(port,))


def test_what_is_fetched_is_bounded_and_each_redirect_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "BYTES", 1000)
    answers: dict[str, tuple[int, dict[str, str], bytes]] = {
        "/fine": (200, {}, b"picture"),
        "/moved": (302, {"Location": "/fine"}, b""),
        "/round": (302, {"Location": "/round"}, b""),
        "/inside": (302, {"Location": "http://127.0.0.2/"}, b""),
        "/file": (302, {"Location": "file:///etc/passwd"}, b""),
        "/port": (302, {"Location": "http://127.0.0.1:22/"}, b""),
        "/nowhere": (302, {}, b""),
        "/large": (200, {}, bytes(5000)),
        "/gone": (404, {}, b""),
    }
    with web(answers) as port:
        assert get(port, "/fine") == get(port, "/moved") == b"picture"
        for path in ("/inside", "/file", "/port"):
            with pytest.raises(UsageError):
                get(port, path)
        for path in ("/round", "/nowhere", "/large", "/gone"):
            with pytest.raises(SourceError):
                get(port, path)


def test_a_name_that_also_stands_for_an_inner_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(2, 1, 6, "", ("93.184.216.34", 80)), (2, 1, 6, "", ("10.0.0.1", 80))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with pytest.raises(UsageError, match="open internet"):
        fetch.fetched("http://rebound.example/")
