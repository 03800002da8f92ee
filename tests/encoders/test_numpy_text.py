"""The text tower alone: the same rows as the whole model, the same tokens as its tokenizer, and no torch."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from open_clip.tokenizer import SimpleTokenizer
from safetensors.torch import save_file

from retrieval.encoders import Encoder, LoadOptions, export_text
from retrieval.encoders.lazy import LazyOpenClip
from retrieval.encoders.numpy_text import NumpyTextEncoder, Weights, _whole
from retrieval.encoders.openclip import OpenClip
from retrieval.encoders.openclip_backend import OpenClipBackend

TEXTS = ["a dog", "two people on bikes, in front of a shop's window", "", "ÉTÉ – 日本", "a " * 60]
TINY: dict[str, Any] = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16},
    "text_cfg": {"context_length": 24, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 2},
}


def checkpoint(folder: Path, text: dict[str, Any] | None = None, **model: Any) -> str:
    """A random model of one make, saved as open_clip saves them; its spelling."""
    folder.mkdir(parents=True)
    config = {**TINY, **model, "text_cfg": {**TINY["text_cfg"], **(text or {})}}
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": {}}))
    torch.manual_seed(0)
    built = {key: value for key, value in config.items() if key != "custom_text"}
    make = open_clip.CustomTextCLIP if config.get("custom_text") else open_clip.CLIP
    state = make(**built).state_dict()
    save_file({name: row.contiguous() for name, row in state.items()}, folder / "open_clip_model.safetensors")
    return f"local-dir:{folder}"


@pytest.mark.parametrize(
    "options",
    [{}, {"quick_gelu": True}, {"custom_text": True}, {"text": {"act_kwargs": {"approximate": "tanh"}}}],
    ids=["gelu", "quick", "custom", "tanh"],
)
def test_a_tower_gives_what_its_model_gives(tmp_path: Path, options: dict[str, Any]) -> None:
    model = OpenClip.load(checkpoint(tmp_path / "model", **options), "cpu", "float32")
    tower = export_text.export(model)
    assert tower is not None
    assert (tower.texts(TEXTS) * model.texts(TEXTS)).sum(axis=1).min() >= 0.9999, "in half precision"
    tower = replace(tower, weights=Weights(export_text._weights(getattr(model.model, "text", model.model))))
    np.testing.assert_allclose(tower.texts(TEXTS), model.texts(TEXTS), atol=2e-5)


def test_half_precision_becomes_whole_bit_by_bit() -> None:
    every = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    finite = every[np.isfinite(every)]
    np.testing.assert_array_equal(_whole(finite), finite.astype(np.float32))


@pytest.mark.parametrize(
    "text",
    [{"no_causal_mask": True}, {"pool_type": "last"}, {"embed_cls": True}, {"proj_type": "none", "width": 32}],
    ids=["looks both ways", "ends elsewhere", "class token", "no projection"],
)
def test_a_text_side_of_another_make_stays_in_the_whole_model(tmp_path: Path, text: dict[str, Any]) -> None:
    spelling = checkpoint(tmp_path / "model", text, custom_text=True)
    assert isinstance(load(spelling, tmp_path / "towers"), OpenClip)


def load(name: str, cache: Path) -> Encoder:
    return OpenClipBackend().load(name, LoadOptions("cpu", "float32", cache))


PAIRS = export_text._pairs(open_clip.get_tokenizer("ViT-B-32"), 77)
REFERENCE = SimpleTokenizer()


@given(st.one_of(st.text(), st.text(alphabet="abc'ds .,09&#;<>_\n\x1b-é"), st.sampled_from(export_text.TRIED)))
def test_tokens_are_those_of_open_clip(text: str) -> None:
    ours = PAIRS.encode(text)
    assert REFERENCE(text)[0].tolist() == ours + [0] * (77 - len(ours))


@pytest.mark.slow
def test_the_order_of_texts_does_not_matter(tmp_path: Path) -> None:
    encoder = load(checkpoint(tmp_path / "model"), tmp_path)
    texts = [f"{'a very ' * (number % 7)}old {number}" for number in range(500)]
    one_by_one = np.concatenate([encoder.texts([text]) for text in texts])
    np.testing.assert_allclose(encoder.texts(texts), one_by_one, atol=1e-5)


def test_a_kept_tower_answers_without_the_model(tmp_path: Path) -> None:
    spelling = checkpoint(tmp_path / "model")
    first, second = load(spelling, tmp_path), load(spelling, tmp_path)
    assert isinstance(second, LazyOpenClip) and second._whole is None
    assert second.space == first.space and second.image_size == first.image_size
    np.testing.assert_array_equal(second.texts(TEXTS), first.texts(TEXTS))
    assert second._whole is None


def test_a_changed_model_has_its_tower_made_anew(tmp_path: Path) -> None:
    spelling = checkpoint(tmp_path / "model")
    before = load(spelling, tmp_path / "towers")
    file = tmp_path / "model" / "open_clip_model.safetensors"
    other = checkpoint(tmp_path / "other", quick_gelu=True)
    file.write_bytes((Path(other.removeprefix("local-dir:")) / file.name).read_bytes()[:-4] + b"\0\0\0\1")
    after = load(spelling, tmp_path / "towers")
    assert after.space.fingerprint != before.space.fingerprint
    assert len(list((tmp_path / "towers").rglob("weights-*"))) == 1


@pytest.mark.slow
@pytest.mark.parametrize("harm", ["tower", "weights", "merges"])
def test_a_damaged_tower_is_made_again(tmp_path: Path, harm: str) -> None:
    spelling = checkpoint(tmp_path / "model")
    first = load(spelling, tmp_path)
    harmed = list(tmp_path.glob(f"towers/*/{harm}*"))
    assert harmed
    for file in harmed:
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    again = load(spelling, tmp_path)
    np.testing.assert_array_equal(again.texts(TEXTS), first.texts(TEXTS))
    (place,) = (tmp_path / "towers").iterdir()
    assert NumpyTextEncoder.load(place) is not None


@pytest.mark.slow
def test_a_search_by_words_loads_no_torch(tmp_path: Path, photos: Path) -> None:
    spelling = checkpoint(tmp_path / "model")
    code = (
        "import sys\n"
        "from retrieval import Library, Settings\n"
        f"with Library.create({str(tmp_path / 'library')!r}, Settings(model={spelling!r})) as library:\n"
        f"    library.index([{str(photos)!r}]) if 'index' in sys.argv else library.search('something red')\n"
        "heavy = {'torch', 'open_clip', 'transformers', 'scipy', 'PIL'} & set(sys.modules)\n"
        "sys.exit(' '.join(heavy) or 0 if 'index' not in sys.argv else 0)\n"
    )
    for task in ("index", "search"):
        done = subprocess.run([sys.executable, "-c", code, task], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
