"""Exports the text encoder of a loaded open_clip model to NumPy, and checks the export against the model.

Knows open_clip's modules and tokenizer; does not know where an export is stored.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from open_clip.tokenizer import SimpleTokenizer
from open_clip.transformer import QuickGELU, ResidualAttentionBlock
from torch import nn

from ..types.records import Vectors
from .numpy_text import NumpyTextEncoder, TextConfig, Weights
from .openclip import OpenClip
from .tokenizer import BytePairs, table

SAME = 0.9999  # minimum cosine between the embeddings of the export and of the model
TRIED = (
    "a dog",
    "A photo of two people on bikes, in front of a shop's window (1998).",
    "",
    "  ÉTÉ à la plage – 日本の寺 🏖️ naïve façade…",
    "don't they're I've we'll he'd I'm it's 42nd 3.14 a_b x<y",
    "fish &amp; chips &lt;3 \x1b[31mred\x1b[0m",
    "<start_of_text> quoted <end_of_text>",
    "supercalifragilisticexpialidocious " * 30,
)


def export(model: OpenClip) -> NumpyTextEncoder | None:
    """Return the text encoder of a model in NumPy; None if its architecture is not supported or its output differs.

    The weights are stored in half precision if the output still agrees with the model's, else in single precision.
    """
    clip = model.model
    text = clip.text if hasattr(clip, "text") else clip
    if not (isinstance(model.tokenizer, SimpleTokenizer) and _causal(text, clip)):
        return None
    blocks = list(text.transformer.resblocks)
    activation = _activation(blocks[0].mlp.gelu)
    if activation is None or not all(type(block) is ResidualAttentionBlock for block in blocks):
        return None
    shape = TextConfig(len(blocks), blocks[0].attn.num_heads, activation, text.ln_final.eps)
    pairs = _pairs(model.tokenizer, text.positional_embedding.shape[0])
    whole = _weights(text)
    half = {name: array.astype(np.float16) for name, array in whole.items()}
    towers = (
        NumpyTextEncoder(model.space, model.image_size, shape, pairs, Weights(stored)) for stored in (half, whole)
    )
    return next((tower for tower in towers if _agrees(tower, model)), None)


def _causal(text: Any, clip: Any) -> bool:
    """Return whether attention is causal and the embedding is the projected state of the end token."""
    pool = getattr(text, "pool_type", getattr(clip, "text_pool_type", ""))
    others = (getattr(text, "cls_emb", None), getattr(text, "use_pad_mask", False) or None)
    projected = isinstance(getattr(text, "text_projection", None), torch.Tensor)
    return pool in ("argmax", "eos") and text.attn_mask is not None and projected and others == (None, None)


def _activation(module: nn.Module) -> str | None:
    if isinstance(module, QuickGELU):
        return "quick"
    if isinstance(module, nn.GELU):
        return {"none": "gelu", "tanh": "tanh"}.get(module.approximate)
    return None


def _weights(text: Any) -> dict[str, Vectors]:
    kept = ("token_embedding", "positional_embedding", "transformer.", "ln_final", "text_projection")
    state = text.state_dict()
    return {name: state[name].float().cpu().numpy() for name in state if name.startswith(kept)}


def _pairs(tokenizer: SimpleTokenizer, context: int) -> BytePairs:
    known, size = tokenizer.encoder, len(tokenizer.encoder)
    merges = (
        (known[first], known[second], rank, known[first + second])
        for first, second, rank in ((*pair, rank) for pair, rank in tokenizer.bpe_ranks.items() if len(pair) == 2)
    )
    return BytePairs(*table(merges, size), size, tokenizer.sot_token_id, tokenizer.eot_token_id, context)


def _agrees(tower: NumpyTextEncoder, model: OpenClip) -> bool:
    tokens = model.tokenizer(list(TRIED)).tolist()
    for text, row in zip(TRIED, tokens, strict=True):
        ours = tower.pairs.encode(text)
        if row != ours + [0] * (len(row) - len(ours)):
            return False
    cosines = (tower.texts(TRIED) * model.texts(TRIED)).sum(axis=1)
    return bool(np.all(cosines >= SAME))


def sources(model: OpenClip) -> list[Path]:
    """Return the files that define a model; its export is valid as long as they do not change."""
    found = model.path
    refs = [parent / "refs" / "main" for parent in found.parents if (parent / "refs" / "main").is_file()][:1]
    return [*([found] if found.is_file() else sorted(path for path in found.iterdir() if path.is_file())), *refs]
