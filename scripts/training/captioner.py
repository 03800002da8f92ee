"""The built-in captioner as a torch module: a grid of picture tokens, and a decoder that attends to it.

A transformer (Vaswani et al. 2017) with pre-norm blocks: one encoder block over the tokens of a picture, and decoder
blocks with causal self-attention, cross-attention and a feed-forward network. Used to train it and to write its ONNX
graphs; the package runs the graphs. Knows torch; does not know pictures, texts or training.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .grids import TOKENS

FEATURES = 1280  # channels of the encoder's last feature map
LONGEST = 48  # tokens of a text with its prompt, at most


@dataclass(frozen=True)
class Shape:
    """Sizes of a captioner."""

    words: int  # of its vocabulary
    width: int = 256
    layers: int = 3
    head: int = 64  # width of an attention head


class Attention(nn.Module):
    """Multi-head attention; queries and keys may come from different sequences."""

    def __init__(self, width: int, head: int) -> None:
        super().__init__()
        self.head = head
        self.query, self.out = nn.Linear(width, width), nn.Linear(width, width)
        self.both = nn.Linear(width, 2 * width)

    def heads(self, rows: Tensor) -> Tensor:
        """(n, length, width) -> (n, heads, length, head)."""
        return rows.view(*rows.shape[:-1], -1, self.head).transpose(1, 2)

    def keys_and_values(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """(n, length, width) -> two of (n, heads, length, head)."""
        keys, values = self.both(rows).chunk(2, dim=-1)
        return self.heads(keys), self.heads(values)

    def forward(self, rows: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None = None) -> Tensor:
        """(n, length, width) -> the same; `mask`, where given, is added to the logits."""
        weights = self.heads(self.query(rows)) @ keys.transpose(2, 3) * self.head**-0.5
        weights = (weights if mask is None else weights + mask).softmax(-1)
        out: Tensor = self.out((weights.to(values.dtype) @ values).transpose(1, 2).flatten(2))
        return out


class Block(nn.Module):
    """A pre-norm block; `crosses` adds attention to a picture."""

    def __init__(self, width: int, head: int, dropout: float, *, crosses: bool) -> None:
        super().__init__()
        self.attention, self.norm = Attention(width, head), nn.LayerNorm(width)
        self.cross = Attention(width, head) if crosses else None
        self.cross_norm = nn.LayerNorm(width) if crosses else None
        self.feed_norm, self.dropout = nn.LayerNorm(width), nn.Dropout(dropout)
        self.feed = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(
        self, rows: Tensor, past: tuple[Tensor, Tensor] | None, mask: Tensor | None,
        picture: tuple[Tensor, Tensor] | None,
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:  # fmt: skip
        """Return the block's output and its keys and values, those of `past` first.

        `picture` are the keys and values of the pictures, for blocks that cross.
        """
        normal = self.norm(rows)
        keys, values = self.attention.keys_and_values(normal)
        if past is not None:
            keys, values = torch.cat([past[0], keys], dim=2), torch.cat([past[1], values], dim=2)
        rows = rows + self.dropout(self.attention(normal, keys, values, mask))
        if self.cross is not None and self.cross_norm is not None and picture is not None:
            rows = rows + self.dropout(self.cross(self.cross_norm(rows), *picture))
        return rows + self.dropout(self.feed(self.feed_norm(rows))), (keys, values)


class Captioner(nn.Module):
    """The whole model. `blind` stands in the place of a picture's tokens for a text without one."""

    mean: Tensor
    spread: Tensor

    def __init__(self, shape: Shape, dropout: float = 0.0) -> None:
        super().__init__()
        self.shape, width = shape, shape.width
        self.register_buffer("mean", torch.zeros(FEATURES))
        self.register_buffer("spread", torch.ones(FEATURES))
        self.projector = nn.Linear(FEATURES, width)
        self.cells = nn.Parameter(0.02 * torch.randn(TOKENS, width))
        self.looking = Block(width, shape.head, dropout, crosses=False)
        self.looking_norm = nn.LayerNorm(width)
        self.blind = nn.Parameter(0.02 * torch.randn(TOKENS, width))
        self.table = nn.Embedding(shape.words, width)
        self.places = nn.Parameter(0.02 * torch.randn(LONGEST, width))
        self.blocks = nn.ModuleList(
            Block(width, shape.head, dropout, crosses=True) for _ in range(shape.layers)
        )  # fmt: skip
        self.norm = nn.LayerNorm(width)
        self.scale = width**0.5
        self.dropout = nn.Dropout(dropout)

    def look(self, tokens: Tensor) -> Tensor:
        """Return what is kept of n pictures: (n, 37, 1280) -> (n, 37, width)."""
        rows = self.projector((tokens - self.mean) / self.spread) + self.cells
        looked: Tensor = self.looking_norm(self.looking(self.dropout(rows), None, None, None)[0])
        return looked

    def pictures(self, looked: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Return each decoder block's keys and values of n pictures: (n, 37, width) -> 2 x (n, heads, 37, head)."""
        return [block.cross.keys_and_values(looked) for block in self.blocks]  # type: ignore[operator, union-attr]  # all cross

    def read(
        self, tokens: Tensor, pictures: list[tuple[Tensor, Tensor]], past: list[tuple[Tensor, Tensor]] | None = None
    ) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        """Return hidden states of n texts, (n, length) -> (n, length, width), and keys and values of all so far."""
        start = past[0][0].shape[2] if past else 0
        length = tokens.shape[1]
        rows = self.dropout(self.scale * self.table(tokens) + self.places[start : start + length])
        later = torch.ones(length, start + length, device=rows.device).triu(start + 1)
        mask = later.masked_fill(later > 0, -1e4).to(rows.dtype)
        kept = []
        for number, block in enumerate(self.blocks):
            rows, own = block(rows, past[number] if past else None, mask, pictures[number])
            kept.append(own)
        return self.norm(rows), kept

    def logits(self, hidden: Tensor) -> Tensor:
        """(..., width) -> (..., words)."""
        return hidden @ self.table.weight.T
