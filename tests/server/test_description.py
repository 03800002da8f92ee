"""The description of the API: complete, stable, and good enough to make a client from that can be type-checked."""

from __future__ import annotations

import importlib
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import openai
import pytest
from PIL import Image

from retrieval import Library
from retrieval.server.api import routed
from retrieval.server.service import Service

from ..conftest import COLOURS
from ..serving import Server, serving

OPERATIONS = """
ask_question count_facets create_chat_completion create_embeddings find_captions find_duplicates find_similar find_texts
follow_job forget_name get_item get_job get_language get_map get_metrics get_model get_original get_status get_thumbnail
get_timeline get_towns ground_phrase healthz list_encoders list_items list_jobs list_models list_names list_problems
list_roots log_in log_out next_page readyz remove_caption resume_job save_search search search_by_picture search_stream
set_caption start_job stop_job stream_answer stream_caption teach_word understand why why_not write_caption
""".split()


@pytest.fixture(scope="module")
def description() -> dict[str, Any]:
    return routed(cast(Service, None)).openapi()


def operations(description: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            yield f"{method} {path}", operation


def test_operations_keep_their_names(description: dict[str, Any]) -> None:
    """A client is generated from them: a name that changes breaks it."""
    assert sorted(operation["operationId"] for _, operation in operations(description)) == OPERATIONS


def test_every_answer_has_a_type(description: dict[str, Any]) -> None:
    untyped = [
        (name, status)
        for name, operation in operations(description)
        for status, response in operation["responses"].items()
        for content in response.get("content", {}).values()
        if not content.get("schema")
    ]
    assert untyped == []


def test_every_operation_says_who_may_use_it(description: dict[str, Any]) -> None:
    open_to_all = {operation["operationId"] for _, operation in operations(description) if operation["security"] == []}
    assert open_to_all == {"healthz", "readyz", "log_in"}
    assert set(description["components"]["securitySchemes"]) == {"token", "session"}


def test_what_is_sent_has_examples(description: dict[str, Any]) -> None:
    lacking = [
        (name, parameter["name"])
        for name, operation in operations(description)
        for parameter in operation.get("parameters", ())
        if parameter.get("required") and "example" not in parameter
    ]
    assert lacking == []


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("described") / "photos"
    folder.mkdir()
    for name in ("red", "lime", "blue"):
        Image.new("RGB", (60, 40), name).save(folder / f"{name}.png")
    (folder / "red.txt").write_text("a barn")
    with Library.create(folder.parent / "library", COLOURS) as library:
        library.index([folder])
    with serving(folder.parent / "library", "--vlm", "colours", "--root", folder) as server:
        yield server


@pytest.mark.slow
def test_a_client_is_generated_type_checked_and_used(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with server.client() as http:
        (tmp_path / "api.json").write_text(http.get("/openapi.json").text)
    kinds = ("image/webp", "image/avif", "image/jpeg", "*/*")
    binary = "".join(f"  '{kind}': application/octet-stream\n" for kind in kinds)
    (tmp_path / "config.yml").write_text(f"post_hooks: []\ncontent_type_overrides:\n{binary}")
    made = tmp_path / "photo_client"
    command = ["openapi-python-client", "generate", "--path", tmp_path / "api.json", "--output-path", made]
    generator = [sys.executable, "-m", "openapi_python_client", *command[1:]]
    options = ["--config", tmp_path / "config.yml", "--meta", "none"]
    done = subprocess.run([*map(str, [*generator, *options])], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stdout + done.stderr, done.stdout + done.stderr
    use = tmp_path / "use.py"
    use.write_text(USE)
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "--config-file=", str(use)],
        capture_output=True, text=True, cwd=tmp_path,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout
    monkeypatch.syspath_prepend(str(tmp_path))
    assert importlib.import_module("use").main(server.url) == ["red.png", "a barn", "done", "admin"]


USE = """
import time
from pathlib import Path

from photo_client import AuthenticatedClient
from photo_client.api.items import get_item
from photo_client.api.jobs import get_job, start_job
from photo_client.api.search import search
from photo_client.api.state import get_status
from photo_client.models import Answer, ItemDetails, Job, JobBody, ServerStatus, State


def main(url: str) -> list[str]:
    with AuthenticatedClient(base_url=url, token="any", raise_on_unexpected_status=True) as client:
        return told(client)


def told(client: AuthenticatedClient) -> list[str]:
    answer = search.sync(client=client, q="red", k=1)
    assert isinstance(answer, Answer)
    hit = answer.hits[0]
    assert isinstance(hit.path, str) and isinstance(hit.item, int)
    item = get_item.sync(hit.item, client=client)
    assert isinstance(item, ItemDetails) and isinstance(item.texts, list)
    job = start_job.sync(client=client, body=JobBody(root="photos"))
    assert isinstance(job, Job)
    while job.state == State.RUNNING:
        time.sleep(0.1)
        found = get_job.sync(job.id, client=client)
        assert isinstance(found, Job)
        job = found
    status = get_status.sync(client=client)
    assert isinstance(status, ServerStatus) and not isinstance(status.caller, type(None))
    caller = status.caller
    scope: str = getattr(caller, "scope")
    return [Path(hit.path).name, item.texts[0].text, str(job.state), scope]
"""


# --- OpenAI's own client ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def client(server: Server) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key="any")


def picture(colour: str) -> str:
    import base64

    out = io.BytesIO()
    Image.new("RGB", (80, 60), colour).save(out, "PNG")
    return f"data:image/png;base64,{base64.b64encode(out.getvalue()).decode()}"


@pytest.mark.slow
def test_openais_client_finds_models(client: openai.OpenAI) -> None:
    assert client.models.retrieve("colours").id == "colours"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-9")


@pytest.mark.slow
def test_openais_client_gets_usage_and_log_probabilities(client: openai.OpenAI) -> None:
    content: Any = [
        {"type": "text", "text": "Is it red?"}, {"type": "image_url", "image_url": {"url": picture("red")}}
    ]  # fmt: skip
    asked: Any = [{"role": "user", "content": content}]
    found = client.chat.completions.create(model="colours", messages=asked, logprobs=True)
    assert found.usage is not None
    assert (found.usage.prompt_tokens, found.usage.total_tokens > 3) == (3, True)
    logprobs = found.choices[0].logprobs
    assert logprobs is not None
    assert logprobs.content is not None
    assert {each.token for each in logprobs.content[0].top_logprobs} == {"yes", "no"}
    assert logprobs.content[0].top_logprobs[0].token == "yes"
    stream = client.chat.completions.create(
        model="colours", messages=asked, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.prompt_tokens == 3
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    with pytest.raises(openai.BadRequestError, match="yes-or-no"):
        client.chat.completions.create(model="colours", messages=[{"role": "user", "content": "hello"}], logprobs=True)


@pytest.mark.slow
def test_openais_client_gets_embeddings_of_texts_and_pictures(client: openai.OpenAI) -> None:
    found = client.embeddings.create(model="colours", input=["red", picture("red"), picture("blue")])
    text, red, blue = (np.array(each.embedding) for each in found.data)
    assert np.allclose([np.linalg.norm(each) for each in (text, red, blue)], 1, atol=1e-3)
    assert text @ red > text @ blue
    plain = client.embeddings.create(model="colours", input="red", encoding_format="float")
    assert np.allclose(plain.data[0].embedding, text, atol=1e-3)
    with pytest.raises(openai.BadRequestError, match="model is colours"):
        client.embeddings.create(model="text-embedding-3", input="red")
    with pytest.raises(openai.BadRequestError, match="none of them empty"):
        client.embeddings.create(model="colours", input=["red", ""])
    assert json.dumps(found.usage.total_tokens) == "1"
