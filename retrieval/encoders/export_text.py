"""A loaded open_clip model's text tower, taken out of it and held against it.

Knows open_clip's modules and its tokenizer; does not know where a tower is kept.
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
from .numpy_text import Shape, Tower, Weights
from .openclip import OpenClip
from .tokenizer import BytePairs, table

SAME = 0.9999  # least cosine of what a tower gives with what its model does
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


def tower_of(model: OpenClip) -> Tower | None:
    """The text tower of a model; None where it is of another make, or does not give what the model does."""
    clip = model.model
    text = clip.text if hasattr(clip, "text") else clip
    if not (isinstance(model.tokenizer, SimpleTokenizer) and _causal(text, clip)):
        return None
    blocks = list(text.transformer.resblocks)
    activation = _activation(blocks[0].mlp.gelu)
    if activation is None or not all(type(block) is ResidualAttentionBlock for block in blocks):
        return None
    shape = Shape(len(blocks), blocks[0].attn.num_heads, activation, text.ln_final.eps)
    pairs = _pairs(model.tokenizer, text.positional_embedding.shape[0])
    whole = _weights(text)
    half = {name: array.astype(np.float16) for name, array in whole.items()}
    towers = (Tower(model.space, model.least, shape, pairs, Weights(stored)) for stored in (half, whole))
    return next((tower for tower in towers if _agrees(tower, model)), None)


def _causal(text: Any, clip: Any) -> bool:
    """Whether nothing looks behind a text's end, and the answer is taken from there."""
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


def _agrees(tower: Tower, model: OpenClip) -> bool:
    tokens = model.tokenizer(list(TRIED)).tolist()
    for text, row in zip(TRIED, tokens, strict=True):
        ours = tower.pairs.encode(text)
        if row != ours + [0] * (len(row) - len(ours)):
            return False
    cosines = (tower.texts(TRIED) * model.texts(TRIED)).sum(axis=1)
    return bool(np.all(cosines >= SAME))


def sources(model: OpenClip) -> list[Path]:
    """The files that say what a model is: while they stay as they are, so does its tower."""
    found = model.found
    refs = [parent / "refs" / "main" for parent in found.parents if (parent / "refs" / "main").is_file()][:1]
    return [*([found] if found.is_file() else sorted(path for path in found.iterdir() if path.is_file())), *refs]
