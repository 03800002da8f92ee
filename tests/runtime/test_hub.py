"""Fetching a model over real HTTP: done once, resumed when it broke, refused when it is not what was promised."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import open_clip
import pytest
import torch
from safetensors.torch import save_file

from ..encoders.test_encoders import TINY
from .hub_server import Hub, serve


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    folder = tmp_path / "served"
    folder.mkdir()
    torch.manual_seed(2)
    model = open_clip.model.CLIP(**TINY)
    save_file(
        {name: value.contiguous() for name, value in model.state_dict().items()}, folder / "open_clip_model.safetensors"
    )
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": TINY, "preprocess_cfg": {}}))
    (folder / "README.md").write_text("not needed")
    with serve(Hub(folder)) as hub:
        yield hub


@pytest.fixture
def siglip(tmp_path: Path) -> Iterator[Hub]:
    """A repository like those of SigLIP 2: timm's tower, attention pooling, a Hugging Face tokenizer, a bias."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    folder = tmp_path / "siglip"
    folder.mkdir()
    words = Tokenizer(models.BPE(unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    special = ["<pad>", "<eos>", "<bos>", "<unk>"]
    words.train_from_iterator(["a dog on the beach", "a red car"], trainers.BpeTrainer(special_tokens=special))
    PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]  # transformers leaves it unannotated
        tokenizer_object=words, pad_token="<pad>", eos_token="<eos>", bos_token="<bos>", unk_token="<unk>"
    ).save_pretrained(folder)
    config = {
        "embed_dim": 64,
        "init_logit_bias": -10,
        "custom_text": True,
        "vision_cfg": {"image_size": 32, "timm_model_name": "test_vit", "timm_pool": "map", "timm_proj": "none"},
        "text_cfg": {
            "context_length": 16,
            "vocab_size": words.get_vocab_size(),
            "hf_tokenizer_name": "org/siglip",
            "tokenizer_kwargs": {"clean": "canonicalize"},
            "width": 64,
            "heads": 1,
            "layers": 1,
            "no_causal_mask": True,
            "proj_bias": True,
            "pool_type": "last",
        },
    }
    preprocess = {"mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bicubic", "resize_mode": "squash"}
    text = json.dumps({"model_cfg": config, "preprocess_cfg": preprocess})
    (folder / "open_clip_config.json").write_text(text)
    torch.manual_seed(3)
    model = open_clip.create_model(f"local-dir:{folder}", load_weights=False)
    weights = {name: value.contiguous() for name, value in model.state_dict().items()}
    save_file(weights, folder / "open_clip_model.safetensors")
    with serve(Hub(folder, repository="org/siglip")) as hub:
        yield hub


def retrieval(hub: Hub, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own: the hub's client reads its address when it is imported."""
    world = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "RETRIEVAL_"))}
    world |= {"HF_ENDPOINT": hub.address, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1", "NO_PROXY": "127.0.0.1"}
    command = [sys.executable, "-m", "retrieval", *arguments]
    return subprocess.run(command, env=world, capture_output=True, text=True, timeout=120)


@pytest.mark.slow
def test_a_model_is_fetched_once_and_then_works_without_network(hub: Hub, tmp_path: Path, photos: Path) -> None:
    home = tmp_path / "home"
    done = retrieval(hub, home, "models", "pull", "hf-hub:org/tiny")
    assert done.returncode == 0, done.stderr
    assert len(hub.ranges) == 1
    assert retrieval(hub, home, "models", "pull", "hf-hub:org/tiny").returncode == 0
    assert len(hub.ranges) == 1, "what is here is not fetched again"
    hub.port = 9  # no one answers there
    arguments = ("index", str(photos), "--index", str(tmp_path / "l"), "--model", "hf-hub:org/tiny", "--json")
    assert json.loads(retrieval(hub, home, *arguments).stdout)["encoded"] == 4


@pytest.mark.slow
def test_siglip_with_its_own_tokenizer_works_without_network_too(siglip: Hub, tmp_path: Path, photos: Path) -> None:
    home, place = tmp_path / "home", ("--index", str(tmp_path / "l"))
    done = retrieval(siglip, home, "models", "pull", "hf-hub:org/siglip")
    assert done.returncode == 0, done.stderr
    siglip.port = 9  # no one answers there
    indexed = retrieval(siglip, home, "index", str(photos), *place, "--model", "hf-hub:org/siglip", "--json")
    assert json.loads(indexed.stdout)["encoded"] == 4, indexed.stderr
    scores = []
    for query in ("a dog on the beach", "a red car"):
        found = retrieval(siglip, home, "search", query, "--threshold", "none", *place, "--json")
        scores.append([hit["score"] for hit in json.loads(found.stdout)["hits"]])
    assert len(scores[0]) == 4
    assert scores[0] != scores[1], "the words reach the model"


@pytest.mark.slow
def test_a_broken_download_goes_on_where_it_stopped(hub: Hub, tmp_path: Path) -> None:
    hub.break_after = 11_500_000  # the client writes in pieces of 10 MB
    home = tmp_path / "home"
    first = retrieval(hub, home, "models", "pull", "hf-hub:org/tiny")
    second = retrieval(hub, home, "models", "pull", "hf-hub:org/tiny") if first.returncode else first
    assert second.returncode == 0, first.stderr + second.stderr
    starts = [int(asked[6:].split("-")[0]) for asked in hub.ranges if asked]
    assert starts
    assert max(starts) >= 1_000_000
    found = next(home.rglob("open_clip_model.safetensors"))
    assert found.read_bytes() == (hub.folder / found.name).read_bytes()


def test_a_download_that_is_not_whole_is_not_kept(hub: Hub, tmp_path: Path) -> None:
    hub.spoil = True
    done = retrieval(hub, tmp_path / "home", "models", "pull", "hf-hub:org/tiny")
    assert done.returncode == 4
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "home").rglob("open_clip_model.safetensors"))


def test_a_repository_that_is_not_there_is_one_line(hub: Hub, tmp_path: Path) -> None:
    done = retrieval(hub, tmp_path / "home", "models", "pull", "hf-hub:org/nothing")
    assert done.returncode == 4
    assert len(done.stderr.strip().splitlines()) == 1
