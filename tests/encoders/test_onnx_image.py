"""The image part of open_clip models by ONNX Runtime: the same rows as torch, kept, left alone where it is not."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import save_file

from retrieval.encoders import Encoder, LoadOptions, export_image
from retrieval.encoders.lazy import COMPARED_FROM, LazyOpenClip
from retrieval.encoders.onnx_image import Geometry, OnnxImageEncoder
from retrieval.encoders.openclip import OpenClip
from retrieval.encoders.openclip_backend import OpenClipBackend

from .test_numpy_text import TINY

pytestmark = pytest.mark.slow

PLAIN = {"mean": [0.48, 0.45, 0.4], "std": [0.27, 0.26, 0.28], "interpolation": "bicubic", "resize_mode": "shortest"}
TWO_HEADS = {"image_size": 64, "layers": 2, "width": 64, "patch_size": 16, "head_width": 32}
CONVOLUTIONS = {
    "timm_model_name": "test_efficientnet", "timm_model_pretrained": False, "timm_pool": "avg", "timm_proj": "linear",
    "image_size": 64,
}  # fmt: skip


def checkpoint(folder: Path, vision: dict[str, Any] | None = None, **preprocess: Any) -> str:
    """A random model saved as open_clip saves them; its spelling."""
    folder.mkdir(parents=True)
    config = {**TINY, **({"vision_cfg": vision} if vision else {})}
    said = {"model_cfg": config, "preprocess_cfg": {**PLAIN, **preprocess}}
    (folder / "open_clip_config.json").write_text(json.dumps(said))
    torch.manual_seed(0)
    state = open_clip.CLIP(**config).state_dict()
    save_file({name: row.contiguous() for name, row in state.items()}, folder / "open_clip_model.safetensors")
    return f"local-dir:{folder}"


def load(name: str, cache: Path) -> Encoder:
    return OpenClipBackend().load(name, LoadOptions("cpu", "auto", cache))


def photos(count: int = 3) -> list[Image.Image]:
    sizes = [(120, 80), (33, 70), (50, 50), (300, 41)]
    luck = np.random.default_rng(0)
    return [
        Image.fromarray(luck.integers(0, 256, (*sizes[n % 4][::-1], 3)).astype(np.uint8)).resize((64 + n, 50))
        for n in range(count)
    ]


@pytest.mark.parametrize(
    ("vision", "preprocess"),
    [
        (None, {}),
        (TWO_HEADS, {}),  # an even number of heads has a fused attention in torch
        (None, {"resize_mode": "squash", "interpolation": "bilinear"}),
        (CONVOLUTIONS, {}),
    ],
    ids=["transformer", "two heads", "squash", "convolutions"],
)
def test_both_engines_give_the_same_rows(tmp_path: Path, vision: dict[str, Any] | None, preprocess: Any) -> None:
    spelling = checkpoint(tmp_path / "model", vision, **preprocess)
    first, torch_only = load(spelling, tmp_path / "cache"), OpenClip.load(spelling, "cpu", "float32")
    assert isinstance(first, LazyOpenClip)
    assert first.image is not None
    many = photos(9)
    for image in many:
        assert np.array_equal(first.prepare(image), torch_only.prepare(image))
    rows = first.image.images([first.prepare(image) for image in many])
    wanted = torch_only.images([torch_only.prepare(image) for image in many])
    assert (rows * wanted).sum(axis=1).min() >= 0.9999
    again = load(spelling, tmp_path / "cache")
    assert isinstance(again, LazyOpenClip)
    assert np.allclose(again.images([again.prepare(many[0])])[0], rows[0], atol=1e-5)
    assert again._whole is None, "one picture needs no torch"


@given(st.integers(1, 400), st.integers(1, 400), st.booleans())
def test_the_geometry_is_that_of_torchvision(width: int, height: int, squash: bool) -> None:
    from open_clip.transform import image_transform

    mode = "squash" if squash else "shortest"
    theirs = image_transform(32, is_train=False, resize_mode=mode, interpolation="bicubic")
    picture = Image.linear_gradient("L").resize((width, height)).convert("RGB")
    wanted = picture
    for step in theirs.transforms[:2]:
        wanted = step(wanted)
    found = Geometry(32, 32, "bicubic", squash).cut(picture)
    assert np.array_equal(found, np.asarray(wanted.resize((32, 32)) if squash else wanted))


def test_a_process_that_shows_it_a_picture_imports_no_torch(tmp_path: Path) -> None:
    spelling = checkpoint(tmp_path / "model")
    load(spelling, tmp_path / "cache")
    program = f"""
import sys
from pathlib import Path
from PIL import Image
from retrieval.encoders import LoadOptions
from retrieval.encoders.openclip_backend import OpenClipBackend
model = OpenClipBackend().load({spelling!r}, LoadOptions("cpu", "auto", Path({str(tmp_path / "cache")!r})))
print(model.images([model.prepare(Image.new("RGB", (90, 60)))]).shape, "torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["(1,", "32)", "False"]


def test_the_faster_engine_for_many_is_measured_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spelling = checkpoint(tmp_path / "model")
    model = load(spelling, tmp_path / "cache")
    assert isinstance(model, LazyOpenClip)
    many = [model.prepare(image) for image in photos(COMPARED_FROM)]
    rows = model.images(many)
    known = model.speeds.known(model.space.fingerprint)
    assert known is not None
    assert known.engine in ("onnx", "torch")
    monkeypatch.setattr("time.perf_counter", lambda: pytest.fail("measured again"))
    again = load(spelling, tmp_path / "cache")
    assert (again.images(many) * rows).sum(axis=1).min() >= 0.999  # bfloat16, where it is faster


def test_what_onnx_cannot_say_stays_in_torch_and_prints_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    plain = export_image._ImagePart.forward
    monkeypatch.setattr(export_image._ImagePart, "forward", lambda *args: torch.special.bessel_j0(plain(*args)))
    with caplog.at_level(logging.WARNING):
        model = load(checkpoint(tmp_path / "model"), tmp_path / "cache")
    assert isinstance(model, LazyOpenClip)
    assert model.image is None
    assert "it cannot be exported" in caplog.text
    assert capfd.readouterr().out == ""
    assert model.images([model.prepare(photos()[0])]).shape == (1, 32)


@pytest.mark.parametrize("harm", ["image.onnx", "image.weights"])
def test_a_damaged_export_is_said_and_torch_answers(
    tmp_path: Path, harm: str, caplog: pytest.LogCaptureFixture
) -> None:
    spelling = checkpoint(tmp_path / "model")
    first = load(spelling, tmp_path / "cache")
    rows = first.images([first.prepare(image) for image in photos()])
    (file,) = (tmp_path / "cache" / "image-towers").rglob(harm)
    file.write_bytes(file.read_bytes()[:100])
    second = load(spelling, tmp_path / "cache")
    with caplog.at_level(logging.WARNING):
        assert np.allclose(second.images([second.prepare(image) for image in photos()]), rows, atol=1e-3)
    assert "pictures are encoded by torch" in caplog.text
    third = load(spelling, tmp_path / "cache")
    assert isinstance(third, LazyOpenClip)
    assert isinstance(third.image, OnnxImageEncoder)
    assert np.allclose(third.image.images([third.prepare(image) for image in photos()]), rows, atol=1e-5)


def test_weights_in_half_precision_are_kept_only_where_they_agree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spelling, sizes = checkpoint(tmp_path / "model", TWO_HEADS), []
    agree = export_image._cosine
    for name, cosines in (("half", [agree]), ("whole", [lambda *_: 0.99, agree])):
        remaining = iter(cosines)
        monkeypatch.setattr(export_image, "_cosine", lambda *args, left=remaining: next(left)(*args))
        model = load(spelling, tmp_path / name)
        assert isinstance(model, LazyOpenClip)
        assert model.image is not None
        (weights,) = (tmp_path / name / "image-towers").rglob("image.weights")
        sizes.append(weights.stat().st_size)
    assert 1.9 < sizes[1] / sizes[0] < 2.1


def test_an_export_that_differs_is_said_and_not_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    spelling = checkpoint(tmp_path / "model")
    monkeypatch.setattr(export_image, "SAME", 1.1)
    with caplog.at_level(logging.WARNING):
        first = load(spelling, tmp_path / "cache")
    assert isinstance(first, LazyOpenClip)
    assert first.image is None
    assert "its export disagrees with torch (cosine 1.0000)" in caplog.text
    caplog.clear()
    second = load(spelling, tmp_path / "cache")
    assert len(second.images([second.prepare(image) for image in photos()])) == 3
    assert not caplog.records


def test_a_cache_that_cannot_be_written_costs_only_time(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    spelling = checkpoint(tmp_path / "model")
    (tmp_path / "cache").mkdir()
    for name in ("image-towers", "towers"):
        (tmp_path / "cache" / name).write_text("a file is in the way")
    with caplog.at_level(logging.WARNING):
        model = load(spelling, tmp_path / "cache")
    assert "cannot be kept" in caplog.text
    assert len(model.images([model.prepare(image) for image in photos()])) == 3


def test_a_picture_part_of_another_make_stays_in_torch(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    spelling = checkpoint(tmp_path / "model", resize_mode="longest")
    with caplog.at_level(logging.WARNING):
        model = load(spelling, tmp_path / "cache")
    assert "has no counterpart" in caplog.text
    assert len(model.images([model.prepare(image) for image in photos()])) == 3
