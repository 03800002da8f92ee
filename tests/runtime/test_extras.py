"""What is said where an optional package is not installed: the extra that brings it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from PIL import Image

from retrieval import ModelUnavailable, Settings
from retrieval.encoders import LoadOptions
from retrieval.library import backends, models
from retrieval.runtime import extras


def test_an_installed_extra_is_no_error() -> None:
    for extra in extras.MODULES:
        extras.require(extra, "this")


@pytest.mark.parametrize(
    ("module", "extra", "start"),
    [
        ("torch", "torch", lambda: backends.vlm(Settings(vlm="hf-hub:a/b"))),
        ("open_clip", "torch", lambda: backends.encoder_backend("ViT-B-32/openai").installed("ViT-B-32/openai")),
        ("open_clip", "torch", lambda: backends.encoder(Settings(), "ViT-B-32/openai")),
        ("open_clip", "torch", lambda: models.pull("ViT-B-32/openai")),
        ("open_clip", "torch", lambda: models.encoders(everything=True)),
        ("rapidocr", "ocr", backends.text_reader),
        ("faiss", "cpu", lambda: backends.vector_store(Settings())),
    ],
)
def test_a_command_without_an_extra_says_which(
    module: str, extra: str, start: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ModelUnavailable, match=rf"pip install 'retrieval\[{extra}\]'"):
        start()  # type: ignore[operator]  # a function without arguments


def test_the_built_in_model_on_a_gpu_names_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    encoder = backends.encoder_backend("builtin").load("builtin", LoadOptions("cuda", "auto", tmp_path))
    with pytest.raises(ModelUnavailable, match=r"retrieval\[torch\]"):
        encoder.prepare(Image.new("RGB", (9, 9)))


def test_the_list_of_models_needs_no_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "open_clip", None)
    rows = {row.name: row.installed for row in models.encoders()}
    assert rows["builtin"]
    assert not any(here for name, here in rows.items() if name != "builtin")
