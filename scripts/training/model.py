"""The model as open_clip builds it, its start as a bag of words, and its export.

Knows open_clip's configuration and parameters; does not know losses or data.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import open_clip
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from .backbone import Backbone, upper_half, without_norms, write_back

WIDTH, CONTEXT = 256, 32
PIECE = 64  # pictures that go through the upper half together: twice as fast on a CPU as 256, whose cache they leave


def configuration(vocabulary: int, layers: int, image_size: int) -> dict[str, Any]:
    """open_clip's configuration of the built-in model, as it is shipped.

    Trained on crops at 224 pixels, things look larger than in whole pictures; a larger size in use makes up for it
    (Touvron et al. 2019, "Fixing the train-test resolution discrepancy").
    """
    half = 128 / 255  # the backbone saw (x - 128) / 128
    return {
        "model_cfg": {
            "embed_dim": WIDTH,
            "vision_cfg": {
                "timm_model_name": "mobilenetv2_100",
                "timm_model_pretrained": False,
                "timm_pool": "avg",
                "timm_proj": "linear",
                "timm_proj_bias": True,
                "image_size": image_size,
            },
            "text_cfg": {
                "context_length": CONTEXT,
                "vocab_size": vocabulary,
                "width": WIDTH,
                "heads": 4,
                "layers": layers,
                "tokenizer_kwargs": {"bpe_path": "bpe.txt.gz"},
            },
        },
        "preprocess_cfg": {
            "mean": [half] * 3,
            "std": [half] * 3,
            "interpolation": "bicubic",
            "resize_mode": "squash",
        },
    }


class DualEncoder(nn.Module):
    """open_clip's model, run from cached activations on the image side and trimmed tokens on the text side."""

    def __init__(self, config: dict[str, Any], backbone: Backbone, dropout: tuple[float, float]) -> None:
        super().__init__()
        self.clip = open_clip.model.CLIP(**config["model_cfg"])
        self.clip.visual.trunk = backbone.trunk
        self.upper = backbone.upper
        self.bag_of_words = True  # the first stage trains the words alone
        self.image_dropout, self.word_dropout = nn.Dropout(dropout[0]), nn.Dropout(dropout[1])
        self._start_as_bag_of_words()

    @torch.no_grad()
    def _start_as_bag_of_words(self) -> None:
        """Even attention that copies, and silent MLPs: the transformer's first output is `_bag_of_words`.

        With few pictures a transformer does not find this start by itself and stays behind the bag.
        """
        for block in self.clip.transformer.resblocks:
            block.attn.in_proj_weight[: 2 * WIDTH] *= 0.02
            nn.init.eye_(block.attn.in_proj_weight[2 * WIDTH :])
            nn.init.eye_(block.attn.out_proj.weight)
            block.mlp.c_proj.weight.zero_()
        nn.init.normal_(self.clip.token_embedding.weight, std=0.02)

    def image_features(self, activations: Tensor) -> Tensor:
        """(n, 96, 14, 14) -> (n, 1280): what the trainable half makes of the cached activations."""
        pieces = torch.split(activations.contiguous(memory_format=torch.channels_last), PIECE)
        return torch.cat([self.upper(piece).mean((2, 3)) for piece in pieces])

    def image_embedding(self, features: Tensor) -> Tensor:
        """(n, 1280) -> (n, 256) unit rows."""
        return nn.functional.normalize(self.clip.visual.head(self.image_dropout(features)), dim=-1)

    def text_embedding(self, tokens: Tensor) -> Tensor:
        """(n, length <= 32) token numbers -> (n, 256) unit rows; the same sums as open_clip's `encode_text`."""
        clip, length = self.clip, tokens.shape[1]
        words = self.word_dropout(clip.token_embedding(tokens)) + clip.positional_embedding[:length]
        if self.bag_of_words:
            last = self._bag_of_words(words, tokens)
        else:
            read = clip.transformer(words, attn_mask=clip.attn_mask[:length, :length])
            last = read[torch.arange(len(tokens)), tokens.argmax(dim=-1)]
        return nn.functional.normalize(clip.ln_final(last) @ clip.text_projection, dim=-1)

    def _bag_of_words(self, words: Tensor, tokens: Tensor) -> Tensor:
        """What one untrained block gives at the last token, without its matrix products: (n, 256)."""
        present = (tokens > 0).unsqueeze(-1)
        normed = self.clip.transformer.resblocks[0].ln_1(words) * present
        last = words[torch.arange(len(tokens)), tokens.argmax(dim=-1)]
        mean: Tensor = last + normed.sum(1) / present.sum(1)
        return mean


def export(model: DualEncoder, config: dict[str, Any], folder: Path) -> None:
    """Write `open_clip_config.json` and float16 `open_clip_model.safetensors` into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    write_back(model.upper, model.clip.visual.trunk)
    weights = {
        name: (value.half() if value.is_floating_point() else value).contiguous()
        for name, value in model.clip.state_dict().items()
    }
    save_file(weights, folder / "open_clip_model.safetensors")
    (folder / "open_clip_config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")


def restore(model: DualEncoder, folder: Path) -> None:
    """Give `model` the weights that `export` wrote into `folder`, of the same configuration."""
    model.clip.load_state_dict(load_file(folder / "open_clip_model.safetensors"))
    model.upper.load_state_dict(without_norms(upper_half(model.clip.visual.trunk)).state_dict())
