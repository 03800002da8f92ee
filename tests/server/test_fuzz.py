"""Anything at all, sent to a real server by its own description: never a fault, never an answer of another form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from retrieval import Library
from retrieval.errors import PictureError
from retrieval.pictures import decode
from retrieval.server.api import routed
from retrieval.server.service import Service

from ..conftest import COLOURS
from ..serving import Server, serving

pytestmark = pytest.mark.slow

NO_FAULT = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("fuzzed")
    for name in ("red", "lime", "blue"):
        Image.new("RGB", (60, 40), name).save(folder / f"{name}.png")
    (folder / "red.txt").write_text("a barn")
    with Library.create(folder / "library", COLOURS) as library:
        library.index([folder])
    with serving(folder / "library", "--vlm", "colours", "--root", folder) as server:
        yield server


api = schemathesis.openapi.from_dict(routed(cast(Service, None)).openapi())  # the description needs no library


@api.parametrize()
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
def test_no_request_is_a_fault_and_every_answer_is_as_described(case: Any, server: Server) -> None:
    if case.path.endswith(("/events", "/stream")):
        pytest.skip("a stream: see test_server.py")
    case.call_and_validate(base_url=server.url, checks=NO_FAULT, timeout=30)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=200))
def test_any_query_is_answered_or_refused(server: Server, query: str) -> None:
    answer = httpx.get(f"{server.url}/v1/search", params={"q": query.encode("utf-8", "surrogatepass"), "k": 2})
    assert answer.status_code in (200, 400, 422)
    assert answer.json()


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF"]), st.data())
def test_any_bytes_are_a_picture_or_a_reason(form: str, data: st.DataObject) -> None:
    import io

    out = io.BytesIO()
    Image.new("RGB", (20, 10), "red").save(out, form)
    broken = bytearray(out.getvalue())
    for _ in range(data.draw(st.integers(0, 8))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    try:
        assert decode(bytes(broken[: data.draw(st.integers(1, len(broken)))]), max_megapixels=1).image.mode == "RGB"
    except PictureError as exc:
        assert exc.reason
