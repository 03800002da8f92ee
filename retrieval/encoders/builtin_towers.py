"""The built-in model's two towers as torch modules: EfficientNet-Lite2 for pictures, MiniLM for texts.

Used to train it, to write its ONNX graphs, and to run it on a GPU; a CPU runs the graphs (`onnx_encoder.py`) and needs
no torch. The modules have the parts that `openclip.OpenClip` asks of a model. Knows timm and transformers; reads no
files.
"""

from __future__ import annotations

from typing import Any

import timm
import torch
from torch import Tensor, nn
from transformers import BertConfig, BertModel

TRUNK = "tf_efficientnet_lite2"
FEATURES = 1280  # channels of the image tower's last feature map
DIMENSIONS = 384
WORDS = 30_522  # of the WordPiece vocabulary
POSITIONS = 128  # of the position table; texts are cut to fewer tokens
PADDING = 0  # the token that fills the end of shorter texts


class ImageTower(nn.Module):
    """EfficientNet-Lite2 (Tan & Le 2019), mean pooling and a linear head."""

    def __init__(self, drop_path: float = 0.0) -> None:
        super().__init__()
        self.trunk: Any = timm.create_model(TRUNK, pretrained=False, num_classes=0, drop_path_rate=drop_path)
        self.head = nn.Linear(FEATURES, DIMENSIONS)

    def features(self, pixels: Tensor) -> Tensor:
        """Return the pooled features of n normalised pictures: (n, 3, side, side) -> (n, 1280)."""
        pooled: Tensor = self.trunk.forward_features(pixels).mean((2, 3))
        return pooled

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the embeddings, not normalised: (n, 3, side, side) -> (n, 384)."""
        embeddings: Tensor = self.head(self.features(pixels))
        return embeddings


class TextTower(nn.Module):
    """MiniLM (Wang et al. 2020; a BERT of 6 layers), the mean over its tokens and a linear head without bias."""

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        config = BertConfig(
            vocab_size=WORDS, hidden_size=DIMENSIONS, num_hidden_layers=6, num_attention_heads=12,
            intermediate_size=4 * DIMENSIONS, max_position_embeddings=POSITIONS, hidden_dropout_prob=dropout,
            attention_probs_dropout_prob=dropout,
        )  # fmt: skip
        config._attn_implementation = "sdpa"  # it reads the mask that `layers` makes
        self.bert = BertModel(config, add_pooling_layer=False)
        self.head = nn.Linear(DIMENSIONS, DIMENSIONS, bias=False)

    def words(self, tokens: Tensor) -> Tensor:
        """Return the embedded tokens with their positions: (n, length) -> (n, length, 384)."""
        embedded: Tensor = self.bert.embeddings(tokens)
        return embedded

    def layers(self, hidden: Tensor, present: Tensor, first: int = 0, last: int = 6) -> Tensor:
        """Return what layers `first` to `last` (exclusive) make of (n, length, 384).

        `present`, (n, length), says which places hold tokens of the texts.
        """
        mask = torch.zeros(present.shape, dtype=hidden.dtype, device=hidden.device).masked_fill(~present, -1e4)
        for layer in self.bert.encoder.layer[first:last]:
            hidden = layer(hidden, mask[:, None, None, :])
        return hidden

    def pooled(self, hidden: Tensor, present: Tensor) -> Tensor:
        """Return the embeddings, not normalised, of the last layer's (n, length, 384): (n, 384)."""
        share = present.to(hidden.dtype)[..., None]
        embeddings: Tensor = self.head((hidden * share).sum(1) / share.sum(1))
        return embeddings

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the embeddings, not normalised, of (n, length) tokens: (n, 384)."""
        present = tokens != PADDING
        return self.pooled(self.layers(self.words(tokens), present), present)


class BuiltinTowers(nn.Module):
    """Both towers and the inverse temperature of their cosines."""

    def __init__(self, drop_path: float = 0.0, dropout: float = 0.0) -> None:
        super().__init__()
        self.visual = ImageTower(drop_path)
        self.text = TextTower(dropout)
        self.logit_scale = nn.Parameter(torch.tensor(3.0))  # of the natural logarithm

    def encode_image(self, pixels: Tensor, normalize: bool = False) -> Tensor:
        """Return the embeddings of (n, 3, side, side) normalised pictures: (n, 384)."""
        rows = self.visual(pixels)
        return nn.functional.normalize(rows.float(), dim=-1) if normalize else rows

    def encode_text(self, tokens: Tensor, normalize: bool = False) -> Tensor:
        """Return the embeddings of (n, length) tokens: (n, 384)."""
        rows = self.text(tokens)
        return nn.functional.normalize(rows.float(), dim=-1) if normalize else rows
