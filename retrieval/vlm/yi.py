"""Yi-VL for transformers: LLaVA with normalisations in the projector, and the original checkpoints' names.

Knows Yi-VL's layout (01-ai/Yi-VL-6B and 34B); importing this module registers it with transformers.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForImageTextToText, LlavaConfig, LlavaForConditionalGeneration

# Prefixes in the original checkpoints -> prefixes here; the first match applies.
NAMES = {
    "model.mm_projector.0.": "model.multi_modal_projector.linear_1.",
    "model.mm_projector.1.": "model.multi_modal_projector.norm_1.",
    "model.mm_projector.3.": "model.multi_modal_projector.linear_2.",
    "model.mm_projector.4.": "model.multi_modal_projector.norm_2.",
    "model.vision_tower.vision_tower.": "model.vision_tower.",
    "model.layers.": "model.language_model.layers.",
    "model.embed_tokens.": "model.language_model.embed_tokens.",
    "model.norm.": "model.language_model.norm.",
}


class YiVLConfig(LlavaConfig):
    """LLaVA's configuration under a model type of its own."""

    model_type = "yi_vl"


class YiVLProjector(nn.Module):
    """Linear, norm, GELU, linear, norm: (n, patches, vision width) -> (n, patches, text width)."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        seen, said = config.vision_config.hidden_size, config.text_config.hidden_size
        self.linear_1, self.norm_1 = nn.Linear(seen, said), nn.LayerNorm(said)
        self.linear_2, self.norm_2 = nn.Linear(said, said), nn.LayerNorm(said)
        self.act = nn.GELU()

    def forward(self, features: Tensor) -> Tensor:
        """Return the projected patches: (n, patches, text width)."""
        found: Tensor = self.norm_2(self.linear_2(self.act(self.norm_1(self.linear_1(features)))))
        return found


class YiVLForConditionalGeneration(LlavaForConditionalGeneration):
    """LLaVA with Yi-VL's projector."""

    config_class = YiVLConfig

    def __init__(self, config: YiVLConfig) -> None:
        super().__init__(config)
        self.model.multi_modal_projector = YiVLProjector(config)
        self.post_init()


def renamed(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return an original checkpoint's weights under the names of `YiVLForConditionalGeneration`."""
    found = {}
    for name, value in weights.items():
        start = next((start for start in NAMES if name.startswith(start)), "")
        found[NAMES.get(start, "") + name.removeprefix(start)] = value
    return found


AutoConfig.register("yi_vl", YiVLConfig)
AutoModelForImageTextToText.register(YiVLConfig, YiVLForConditionalGeneration)
