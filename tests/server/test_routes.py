"""The HTTP API, asked of a real server process: its answers are those of the library."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx
import piexif
import pytest
from PIL import Image

from retrieval import Library, __version__
from retrieval.types.serialize import to_jsonable

from ..conftest import COLOURS, soon
from ..serving import Server, serving

pytestmark = pytest.mark.slow

NAMES = ("red", "lime", "blue", "yellow", "maroon", "navy")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures, one of them with a date and coordinates, one with words beside it, one broken."""
    folder = tmp_path_factory.mktemp("served") / "photos"
    folder.mkdir()
    for name in NAMES:
        Image.new("RGB", (600, 400), name).save(folder / f"{name}.jpg", quality=90)
    gps = {1: b"N", 2: ((48, 1), (30, 1), (0, 1)), 3: b"E", 4: ((2, 1), (0, 1), (0, 1))}
    exif: dict[str, Any] = {"Exif": {piexif.ExifIFD.DateTimeOriginal: b"2023:06:02 09:00:00"}, "GPS": gps}
    Image.new("RGB", (600, 400), "navy").save(folder / "navy.jpg", exif=piexif.dump(exif))
    (folder / "red.txt").write_text("the barn <b>door</b>")
    (folder / "broken.jpg").write_bytes(b"nothing")
    (folder.parent / "more").mkdir()
    shutil.copy(folder / "lime.jpg", folder.parent / "more" / "copy.jpg")
    return folder


@pytest.fixture(scope="module")
def library(folder: Path) -> Iterator[Library]:
    with Library.create(folder.parent / "library", COLOURS) as library:
        library.index([folder, folder.parent / "more"])
        yield library


@pytest.fixture(scope="module")
def server(library: Library, folder: Path) -> Iterator[Server]:
    with serving(library.path, "--vlm", "colours", "--root", folder, "--max-upload", "1M") as server:
        yield server


@pytest.fixture
def http(server: Server) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client


def item(library: Library, name: str) -> int:
    return next(each.id for each in library if each.path.stem == name)


def picture(colour: str = "red") -> dict[str, tuple[str, bytes, str]]:
    out = io.BytesIO()
    Image.new("RGB", (80, 60), colour).save(out, "PNG")
    return {"image": ("a.png", out.getvalue(), "image/png")}


def hits(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [Path(hit["path"]).stem for hit in answer.json()["hits"]]


def events(answer: httpx.Response) -> list[tuple[str, Any]]:
    assert answer.status_code == 200, answer.text
    found = []
    for block in answer.text.replace("\r\n", "\n").strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
        if "event" in fields:
            found.append((fields["event"], json.loads(fields.get("data", "null"))))
    return found


# --- searching --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("query", ["red", "red -maroon", "type:jpeg since:2023"])
def test_an_answer_is_that_of_the_library(http: httpx.Client, library: Library, query: str) -> None:
    answer = http.get("/v1/search", params={"q": query, "k": 3})
    assert hits(answer)
    expected = to_jsonable(library.search(query, k=3))
    assert {**answer.json(), "seconds": 0} == {**expected, "seconds": 0}


def test_a_name_that_nobody_saved_is_an_error_of_the_query(http: httpx.Client) -> None:
    answer = http.get("/v1/search", params={"q": "@none", "k": 3})
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "QueryError")


def test_an_upload_finds_what_looks_like_it_alone_and_with_words(http: httpx.Client) -> None:
    assert hits(http.post("/v1/search", params={"k": 1}, files=picture("blue"))) == ["blue"]
    both = http.post("/v1/search", params={"q": "-maroon", "k": 1, "threshold": "none"}, files=picture("red"))
    assert hits(both) == ["red"]


def test_an_item_finds_what_is_like_it(http: httpx.Client, library: Library) -> None:
    red = item(library, "red")
    assert hits(http.get("/v1/search", params={"item": red, "k": 1})) == hits(http.get(f"/v1/items/{red}/similar?k=1"))
    assert hits(http.get("/v1/search", params={"item": red, "q": "red OR blue", "k": 2, "threshold": "none"}))


def test_pages_lead_to_the_end_without_repeating_anything(http: httpx.Client) -> None:
    answer = http.get("/v1/search", params={"q": "type:jpeg", "page": 1, "k": 2})
    found = hits(answer)
    while cursor := answer.json()["cursor"]:
        answer = http.get("/v1/search/next", params={"cursor": cursor})
        found += hits(answer)
    assert sorted(found) == sorted({*NAMES, "copy"} - {"lime"})  # two files of one picture are one hit


def test_a_query_is_told_as_it_is_read_and_errors_point_at_the_place(http: httpx.Client) -> None:
    found = http.get("/v1/understand", params={"q": "2:red -blue since:2023-06"}).json()
    assert found["alternatives"] == [["2:red", "-blue", "since:2023-06-01"]]
    wrong = http.get("/v1/understand", params={"q": "red rating:many"})
    assert wrong.status_code == 400
    assert wrong.json()["error"]["place"] == [4, 15]


def test_facets_come_with_an_answer_or_alone(http: httpx.Client) -> None:
    alone = http.get("/v1/facets", params={"q": "type:jpeg"}).json()
    assert ["2023", 1] in alone["year"]
    assert http.get("/v1/search", params={"q": "type:jpeg", "facets": True}).json()["facets"] == alone


def test_a_rerank_streams_the_first_order_then_better_ones(http: httpx.Client) -> None:
    found = events(http.get("/v1/search/stream", params={"q": "red", "k": 2, "rerank": True, "anyway": True}))
    names = [name for name, _ in found]
    assert names[0] == "answer"
    assert names[-2:] == ["answer", "end"]
    assert {"done", "total"} == set(next(data for name, data in found if name == "checked"))
    assert found[-2][1]["hits"][0]["verdict"]["yes"] > 0.9


def test_an_error_while_streaming_is_an_event(http: httpx.Client) -> None:
    told = events(http.post("/v1/ask/stream", data={"items": 999, "question": "what?"}))
    assert [name for name, _ in told] == ["error", "end"]
    found = events(http.get("/v1/search/stream", params={"q": "rating:many"}))
    assert found[0][0] == "error"
    assert found[0][1]["error"]["type"] == "QueryError"


def test_why_and_why_not_explain(http: httpx.Client, library: Library) -> None:
    why = http.get("/v1/why", params={"q": "red", "item": item(library, "red"), "heat": True}).json()
    assert (why["rank"], len(why["heat"])) == (1, 8)
    why_not = http.get("/v1/why-not", params={"q": "red since:2024", "item": item(library, "navy")}).json()
    assert why_not["standing"] == "filtered"
    assert why_not["changes"]


def test_texts_are_found_for_pictures_and_for_words(http: httpx.Client, library: Library) -> None:
    for answer in (
        http.post("/v1/captions", params={"threshold": "none"}, files=picture("red")),
        http.post("/v1/captions", params={"threshold": "none", "item": item(library, "red")}),
        http.get("/v1/texts", params={"q": "barn"}),
    ):
        assert answer.json()["hits"][0]["text"] == "the barn <b>door</b>"
    assert http.post("/v1/captions").status_code == 400


# --- items ------------------------------------------------------------------------------------------------------------


def test_files_are_leafed_through_newest_first(http: httpx.Client) -> None:
    first = http.get("/v1/items", params={"count": 3}).json()
    rest = http.get("/v1/items", params={"count": 9, "after": first["next"]}).json()
    assert Path(first["items"][0]["path"]).stem == "navy"
    assert rest["next"] is None
    assert len({each["item"] for each in (*first["items"], *rest["items"])}) == len(NAMES) + 1
    assert http.get("/v1/timeline").json()["months"] == [["2023-06", 1], ["", 6]]
    assert [point[1:] for point in http.get("/v1/map").json()["points"]] == [[48.5, 2.0]]


def test_an_item_tells_all_that_is_known(http: httpx.Client, library: Library) -> None:
    found = http.get(f"/v1/items/{item(library, 'lime')}").json()
    assert (found["width"], found["height"], found["facts"]["format"]) == (600, 400, "JPEG")
    assert [Path(path).stem for path in found["copies"]] == ["copy"]
    assert http.get("/v1/items/12345").status_code == 404


@pytest.mark.parametrize(
    ("accept", "size", "form"),
    [
        ("image/avif,image/webp,*/*", 320, "WEBP"),
        ("image/avif,image/webp,*/*", 1280, "AVIF"),
        ("image/webp,*/*", 1280, "WEBP"),
        ("image/jpeg", 320, "JPEG"),
    ],
)
def test_thumbnails_come_in_sizes_and_forms(
    http: httpx.Client, library: Library, accept: str, size: int, form: str
) -> None:
    url, params = f"/v1/items/{item(library, 'red')}/thumbnail", {"size": size}
    answer = http.get(url, params=params, headers={"accept": accept})
    with Image.open(io.BytesIO(answer.content)) as image:
        assert (image.format, max(image.size)) == (form, min(size, 600))
    assert answer.headers["content-type"] == f"image/{form.lower()}"
    assert answer.headers["vary"] == "Accept"
    same = http.get(url, params=params, headers={"accept": accept, "if-none-match": answer.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")


def test_originals_come_whole_and_in_ranges(http: httpx.Client, library: Library, folder: Path) -> None:
    url, data = f"/v1/items/{item(library, 'red')}/original", (folder / "red.jpg").read_bytes()
    whole, part = http.get(url), http.get(url, headers={"range": "bytes=10-19"})
    assert (whole.content, whole.headers["content-type"]) == (data, "image/jpeg")
    assert (part.status_code, part.content) == (206, data[10:20])
    assert "attachment" in http.get(url, params={"download": True}).headers["content-disposition"]


def test_a_caption_by_hand_is_kept_and_found_at_once(http: httpx.Client, library: Library) -> None:
    navy = item(library, "navy")
    said = http.put(f"/v1/items/{navy}/caption", json={"text": "midnight harbour"})
    assert said.json()["texts"][0] == {"text": "midnight harbour", "source": "edited", "model": ""}
    assert hits(http.get("/v1/search", params={"q": "harbour", "k": 1})) == ["navy"]
    assert http.put(f"/v1/items/{navy}/caption", json={"text": ""}).status_code == 422
    late = http.put(f"/v1/items/{navy}/caption", json={"text": "mine", "known": ""})
    assert (late.status_code, late.json()["error"]["type"]) == (409, "Changed")
    assert http.delete(f"/v1/items/{navy}/caption", params={"known": "other"}).status_code == 409
    removed = http.delete(f"/v1/items/{navy}/caption", params={"known": "midnight harbour"}).json()
    assert (removed["removed"], removed["texts"]) == ("midnight harbour", [])
    assert http.delete(f"/v1/items/{navy}/caption").status_code == 404
    assert http.put(f"/v1/items/{navy}/caption", json={"text": removed["removed"], "known": ""}).status_code == 200


# --- the model --------------------------------------------------------------------------------------------------------


def test_the_model_captions_answers_and_grounds(http: httpx.Client, library: Library) -> None:
    red = {"items": item(library, "red")}
    assert "red" in http.post("/v1/caption", data=red).json()["text"]
    asked = http.post("/v1/ask", data={**red, "question": "what colour is it?"})
    assert asked.json()["answer"] == "red"
    assert http.post("/v1/ground", data={**red, "phrase": "red"}).json()["boxes"]
    told = events(http.post("/v1/ask/stream", data={**red, "question": "what colour is it?"}))
    assert told == [("answer", {"answer": "red", "model": "colours"}), ("end", None)]
    assert events(http.post("/v1/caption/stream", data=red))[0][0] == "answer"
    upload = {"images": picture("blue")["image"]}
    assert http.post("/v1/ask", data={"question": "what colour?"}, files=upload).json()["answer"] == "blue"
    assert http.post("/v1/ask", data={"question": "what colour?"}).status_code == 400


# --- names ------------------------------------------------------------------------------------------------------------


def test_searches_are_saved_and_words_are_taught(http: httpx.Client, library: Library) -> None:
    assert http.put("/v1/names/warm", json={"query": "red OR yellow"}).json()["query"] == "red OR yellow"
    assert hits(http.get("/v1/search", params={"q": "@warm", "k": 1})) in (["red"], ["yellow"])
    examples = {"yes": [item(library, "blue")], "no": [item(library, "red")]}
    assert http.post("/v1/names/cold/examples", json=examples).json() == {"name": "cold", "yes": 1, "no": 1}
    assert http.get("/v1/names").json() == {"saved": {"warm": "red OR yellow"}, "taught": {"cold": [1, 1]}}
    for name in ("warm", "cold"):
        assert http.delete(f"/v1/names/{name}").status_code == 200
    assert http.delete("/v1/names/warm").status_code == 400
    assert http.post("/v1/names/cold/examples", json={"yes": [999]}).status_code == 404


# --- jobs and state ---------------------------------------------------------------------------------------------------


def test_a_folder_below_a_root_is_indexed_with_progress(http: httpx.Client, folder: Path) -> None:
    Image.new("RGB", (60, 40), "orange").save(folder / "orange.png")
    assert http.get("/v1/roots").json() == {"roots": {"photos": str(folder)}}
    job = http.post("/v1/jobs", json={"root": "photos", "retry": True})
    assert job.status_code == 202
    found = events(http.get(f"/v1/jobs/{job.json()['id']}/events"))
    last = found[-2][1]
    assert (last["state"], last["report"]["added"]) == ("done", 1)
    assert [Path(each["path"]).name for each in last["problems"]] == ["broken.jpg"]
    assert hits(http.get("/v1/search", params={"q": "orange", "k": 1})) == ["orange"]
    assert http.get("/v1/jobs").json()["jobs"][0]["state"] == "done"


OUTSIDE = [{"root": "else"}, {"root": "photos", "folder": ".."}, {"root": "photos", "folder": "/etc"}]


@pytest.mark.parametrize("wanted", OUTSIDE)
def test_nothing_is_indexed_outside_the_roots(http: httpx.Client, wanted: dict[str, str]) -> None:
    assert http.post("/v1/jobs", json=wanted).status_code == 400


def test_the_library_and_the_server_say_how_they_are(http: httpx.Client) -> None:
    status = http.get("/v1/status").json()
    assert (status["serving"]["model"], status["caller"]["scope"]) == ("colours", "admin")
    assert http.get("/readyz").json() == {"status": "ready", "reason": ""}
    assert Path(http.get("/v1/problems").json()["problems"][0]["path"]).name == "broken.jpg"
    assert http.get("/v1/models").json()["data"][0]["id"] == "colours"
    assert {"name", "installed"} <= set(http.get("/v1/encoders").json()["encoders"][0])
    groups = http.get("/v1/duplicates").json()["groups"]
    assert {Path(each["path"]).stem for group in groups for each in (group["keep"], *group["others"])} >= {
        "lime",
        "copy",
    }


def test_numbers_for_prometheus_tell_routes_and_no_queries(http: httpx.Client) -> None:
    http.get("/v1/search", params={"q": "secret words"})
    found = http.get("/metrics").text
    assert 'retrieval_requests_total{method="GET",route="/v1/search",status="200"}' in found
    for step in ("encode", "find", "fold", "hits"):
        assert f'retrieval_step_seconds_count{{step="{step}"}}' in found
    assert 'retrieval_model{encoder="colours",vlm="colours"} 1.0' in found
    assert "secret" not in found
    for name in (
        "process_resident_memory_bytes",
        "process_cpu_seconds_total",
        "process_open_fds",
        "retrieval_jobs_running",
    ):
        assert re.search(rf"^{name} \d", found, re.M)
    assert f'retrieval_build_info{{version="{__version__}"}} 1.0' in found
    http.get("/page/page.css")
    assert 'route="/page"' in http.get("/metrics").text


def test_previews_are_counted_by_where_they_came_from(http: httpx.Client, library: Library) -> None:
    url = f"/v1/items/{item(library, 'maroon')}/thumbnail?size=1280"
    for _ in range(3):
        http.get(url)
    found = http.get("/metrics").text
    made = re.search(r'retrieval_previews_total\{source="memory"\} (\d+)', found)
    assert made is not None
    assert int(made[1]) >= 2


def test_answers_are_compressed_where_that_helps(http: httpx.Client, library: Library) -> None:
    assert http.get("/v1/towns").headers["content-encoding"] == "gzip"
    assert http.get("/page/main.js").headers["content-encoding"] == "gzip"
    for url in (
        "/healthz",
        f"/v1/items/{item(library, 'red')}/thumbnail",
        f"/v1/items/{item(library, 'red')}/original",
    ):
        assert "content-encoding" not in http.get(url).headers


def test_the_log_may_go_to_a_file_each_line_in_one_form(library: Library, tmp_path: Path) -> None:
    with serving(library.path, "--log", tmp_path / "log") as server, server.client() as client:
        client.get("/v1/search", params={"q": "red"})
        client.post("/v1/chat/completions", json={"messages": [{"role": "user", "content": "x"}], "model": "none"})
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert {"/v1/search", "/v1/chat/completions"} <= {line["path"] for line in lines}
    assert all("at" in line for line in lines)


def test_requests_of_one_connection_are_not_held_up(server: Server) -> None:
    """With Nagle's algorithm, each answer on a connection that is kept would wait 40 ms for its second half."""
    connection = HTTPConnection("127.0.0.1", server.port)
    taken = []
    for _ in range(20):
        started = time.perf_counter()
        connection.request("GET", "/healthz")
        connection.getresponse().read()
        taken.append(time.perf_counter() - started)
    connection.close()
    assert sorted(taken)[10] < 0.03


def test_the_log_has_a_line_for_each_request_and_no_queries(http: httpx.Client, server: Server) -> None:
    answer = http.get("/v1/search", params={"q": "secret words"}, headers={"x-request-id": "mine-1"})
    assert answer.headers["x-request-id"] == "mine-1"

    def mine() -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in server.said if line.startswith("{")]
        return [line for line in lines if line["request"] == "mine-1"]

    assert soon(lambda: bool(mine()))
    assert [(line["path"], line["status"], line["caller"]) for line in mine()] == [("/v1/search", 200, "anyone")]
    assert not any("secret" in line for line in server.said)


@pytest.mark.parametrize(("options", "shown"), [((), False), (("--log-queries",), True)])
def test_a_verbose_server_shows_queries_only_if_asked(library: Library, options: tuple[str, ...], shown: bool) -> None:
    with serving(library.path, "-vv", *options) as server:
        assert httpx.get(f"{server.url}/v1/search", params={"q": "secret words"}).status_code == 200
        assert soon(lambda: any('"path":"/v1/search"' in line.replace(" ", "") for line in server.said))
        assert any("DEBUG retrieval.runtime.timing: find" in line for line in server.said)
    assert any("secret" in line for line in server.said) is shown


@pytest.mark.parametrize(
    ("method", "url", "status"),
    [
        ("GET", "/v1/none", 404),
        ("POST", "/v1/items", 405),
        ("GET", "/v1/search?k=0", 422),
        ("GET", "/v1/search?kk=1", 422),
        ("GET", "/v1/search?q=a&page=2&order=diverse", 400),
        ("GET", "/v1/search/next?cursor=nothing", 400),
        ("GET", "/v1/items/0", 422),
        ("DELETE", "/v1/jobs/99", 404),
        ("GET", "/v1/jobs/99/events", 404),
        ("GET", "/mcp", 405),
    ],
)
def test_every_error_has_one_form(http: httpx.Client, method: str, url: str, status: int) -> None:
    answer = http.request(method, url)
    assert answer.status_code == status
    assert set(answer.json()["error"]) >= {"type", "message"}


def test_a_data_uri_is_a_picture_for_chat_completions(http: httpx.Client) -> None:
    data = base64.b64encode(picture("lime")["image"][1]).decode()
    parts = [
        {"type": "text", "text": "what colour is it?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}},
    ]
    body = {"messages": [{"role": "user", "content": parts}]}
    assert http.post("/v1/chat/completions", json=body).json()["choices"][0]["message"]["content"] == "lime"


# --- the process ------------------------------------------------------------------------------------------------------


def test_a_server_that_is_stopped_finishes_what_is_in_flight(library: Library, tmp_path: Path) -> None:
    shutil.copytree(library.path, tmp_path / "library", ignore=shutil.ignore_patterns("*.sock"))
    kept = tmp_path / "library" / "server.sock"
    with serving(tmp_path / "library") as server:
        assert kept.exists()
        body, asked = begun(server)
        with closing(asked):
            server.process.send_signal(signal.SIGTERM)
            assert soon(lambda: not listens(server))
            asked.send(body)
            with asked.getresponse() as answer:
                assert (answer.status, json.load(answer)["hits"][0]["rank"]) == (200, 1)
        assert server.process.wait(60) == 0
        assert soon(lambda: server.said[-1] == "stopped")
        assert not kept.exists()


def begun(server: Server) -> tuple[bytes, HTTPConnection]:
    """A search by an upload that the server waits for: the body to be sent, and where."""
    upload = httpx.Request("POST", server.url, files=picture("blue"))
    body = upload.read()
    connection = HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.putrequest("POST", "/v1/search?k=1")
    for name in ("content-type", "content-length"):
        connection.putheader(name, upload.headers[name])
    connection.putheader("expect", "100-continue")
    connection.endheaders()
    assert connection.sock.recv(4096).startswith(b"HTTP/1.1 100 ")
    return body, connection


def listens(server: Server) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", server.port)) == 0


UNHURRIED = """
import time
from retrieval.encoders.colours import ColourEncoder
images = ColourEncoder.images
ColourEncoder.images = lambda self, batch: (time.sleep(0.01 * len(batch)), images(self, batch))[1]
"""


def test_a_server_that_is_stopped_while_it_indexes_keeps_what_is_done_and_leaves_the_rest(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for number in range(600):
        Image.new("RGB", (400, 300), (number % 256, number // 256, 7)).save(tmp_path / "photos" / f"{number}.png")
    options = ("--create", "--root", tmp_path / "photos")
    with (
        serving(tmp_path / "library", *options, before=UNHURRIED) as server,
        server.client() as client,
        ThreadPoolExecutor(1) as pool,
    ):
        job = client.post("/v1/jobs", json={"root": "photos"}).json()["id"]
        followed = pool.submit(client.get, f"/v1/jobs/{job}/events")
        assert soon(lambda: client.get(f"/v1/jobs/{job}").json()["task"] == "pictures")
        assert server.stop() == 0
        assert events(followed.result())[-2][1]["state"] == "stopped"
    with Library.open(tmp_path / "library", COLOURS) as library:
        assert 0 < len(library) < 600


def test_an_address_that_is_taken_is_told(server: Server, library: Library) -> None:
    with pytest.raises(AssertionError, match="choose another --port"), serving(library.path, "--port", server.port):
        pass


def test_the_owner_comes_in_by_the_socket_and_may_name_files(library: Library, folder: Path, tmp_path: Path) -> None:
    shutil.copytree(library.path, tmp_path / "library", ignore=shutil.ignore_patterns("*.sock"))
    with serving(tmp_path / "library", "--token"):
        transport = httpx.HTTPTransport(uds=str(tmp_path / "library" / "server.sock"))
        with httpx.Client(transport=transport, base_url="http://local") as client:
            assert hits(client.get("/v1/search", params={"q": f"similar:{folder / 'red.jpg'}", "k": 1})) == ["red"]
