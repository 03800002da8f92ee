"""Writes the built-in captioner as it ships: float16 weights in one file, two ONNX graphs that read it, its words.

Knows ONNX and files; does not know training.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from retrieval.encoders.builtin_encoder import CONFIG, TOKENIZER, WEIGHTS
from retrieval.vlm.builtin_captioner import BLIND
from retrieval.vlm.onnx_decoder import LOOK, READ

from . import pack, vocabulary
from .captioner import FEATURES, Captioner
from .grids import TOKENS, pooling


class Looking(nn.Module):
    """(n, rows, columns, 1280) feature maps to vision features: (n, 37, width)."""

    pooling: Tensor

    def __init__(self, captioner: Captioner, rows: int) -> None:
        super().__init__()
        self.captioner = captioner
        self.register_buffer("pooling", torch.from_numpy(pooling(rows)))

    def forward(self, cells: Tensor) -> Tensor:
        looked: Tensor = self.captioner.look(self.pooling @ cells.flatten(1, 2))
        return looked


class Reading(nn.Module):
    """Tokens (n, length), vision features and the keys and values so far, to log-probabilities and all of them."""

    def __init__(self, captioner: Captioner) -> None:
        super().__init__()
        self.captioner = captioner

    def forward(self, tokens: Tensor, looked: Tensor, past: Tensor) -> tuple[Tensor, Tensor]:
        before = [(layer[0], layer[1]) for layer in past]
        hidden, kept = self.captioner.read(tokens, self.captioner.pictures(looked), before)
        said = self.captioner.logits(hidden).log_softmax(-1)
        return said, torch.stack([torch.stack(each) for each in kept])


def write(captioner: Captioner, tokenizer: Any, rows: int, folder: Path) -> None:
    """Write weights, graphs, tokenizer and configuration into `folder`; `rows` are those of the encoder's feature map.

    A calibration that the configuration has is kept: `benchmarks/judgements.py` fits it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shape = captioner.shape
    looking, reading = Looking(captioner, rows).eval(), Reading(captioner).eval()
    stored = {name: value.half() if value.dim() > 1 else value for name, value in captioner.state_dict().items()}
    stored = {f"captioner.{name}": value.contiguous() for name, value in stored.items()} | {"pooling": looking.pooling}
    save_file(dict(sorted(stored.items())), folder / WEIGHTS)
    (folder / WEIGHTS).chmod(0o644)
    cells = torch.zeros(2, rows, rows, FEATURES)
    pack.graph(looking, {"cells": cells}, {"cells": {0: "pictures"}, "looked": {0: "pictures"}}, folder / LOOK)
    heads = shape.width // shape.head
    given = {
        "tokens": torch.ones(2, 3, dtype=torch.long),
        "looked": torch.zeros(2, TOKENS, shape.width),
        "past": torch.zeros(shape.layers, 2, 2, heads, 1, shape.head),
    }
    axes = {
        "tokens": {0: "texts", 1: "length"}, "looked": {0: "texts"}, "past": {2: "texts", 4: "before"},
        "said": {0: "texts", 1: "length"}, "kept": {2: "texts", 4: "all"},
    }  # fmt: skip
    pack.graph(reading, given, axes, folder / READ)
    tokenizer.save(str(folder / TOKENIZER), pretty=False)
    path = folder / CONFIG
    config = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    config |= {
        "start": tokenizer.token_to_id(vocabulary.START),
        "end": tokenizer.token_to_id(vocabulary.END),
        "state": [shape.layers, heads, shape.head],
        "fingerprint": hashlib.blake2b((folder / WEIGHTS).read_bytes(), digest_size=8).hexdigest(),
    }
    path.write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")


assert BLIND == "captioner.blind"
