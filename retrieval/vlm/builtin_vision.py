"""The built-in vision tower: the built-in encoder's convolutional trunk, read as a grid of tokens.

With it the built-in captioner is a LLaVA like any other: vision tower, projector, causal decoder. Knows timm and
transformers; importing this module registers the vision tower with transformers.
"""

from __future__ import annotations

from typing import Any

import timm
import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput


class BuiltinVisionConfig(PreTrainedConfig):
    """Configuration of `side` x `side` cells and their mean, with `hidden_size` channels each."""

    model_type = "retrieval_grid"

    trunk: str = "mobilenetv2_100"
    hidden_size: int = 1280
    side: int = 4
    image_size: int = 256


class BuiltinVision(PreTrainedModel):
    """The vision tower: (n, 3, image_size, image_size) -> (n, side * side + 1, hidden_size).

    Its output is standardised with the mean and spread of the training pictures.
    """

    config_class = BuiltinVisionConfig
    mean: Tensor
    spread: Tensor
    main_input_name = "pixel_values"
    base_model_prefix = "vision"

    def __init__(self, config: BuiltinVisionConfig) -> None:
        super().__init__(config)
        self.trunk = timm.create_model(config.trunk, pretrained=False, num_classes=0, global_pool="")
        self.register_buffer("mean", torch.zeros(config.hidden_size))
        self.register_buffer("spread", torch.ones(config.hidden_size))
        self.post_init()

    def forward(self, pixel_values: Tensor, **_: Any) -> BaseModelOutput:
        """Return the tokens of n pictures; LLaVA reads them from `hidden_states[-1]`."""
        cells = self.trunk.forward_features(  # type: ignore[operator]  # timm's own method
            pixel_values.contiguous(memory_format=torch.channels_last)
        )
        tokens = self.tokens(cells)
        return BaseModelOutput(last_hidden_state=tokens, hidden_states=(tokens,))

    def tokens(self, cells: Tensor) -> Tensor:
        """Pool and standardise the trunk's (n, hidden_size, height, width) to (n, side * side + 1, hidden_size)."""
        side = self.config.side
        small = nn.functional.adaptive_avg_pool2d(cells, side).flatten(2).transpose(1, 2)
        rows = torch.cat([small, cells.mean((2, 3))[:, None]], dim=1)
        return (rows - self.mean) / self.spread


AutoConfig.register(BuiltinVisionConfig.model_type, BuiltinVisionConfig)
AutoModel.register(BuiltinVisionConfig, BuiltinVision)
