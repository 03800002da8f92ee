"""jina-reranker-m0: Qwen2-VL with a small head that scores the last hidden state, at an appended score token.

Knows the published layout (jinaai/jina-reranker-m0, CC-BY-NC-4.0); does not know queries.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import Qwen2VLForConditionalGeneration

SCORE_TOKEN, OFFSET = 100, 2.65  # as in the published code: the head's output minus the offset is the log-odds


class JinaReranker(Qwen2VLForConditionalGeneration):
    """Qwen2-VL with a two-layer head, `score`, instead of `lm_head`."""

    _tied_weights_keys = {}  # noqa: RUF012  # transformers reads it from the class

    def __init__(self, config: Any) -> None:
        config.tie_word_embeddings = False
        super().__init__(config)
        width = config.text_config.hidden_size
        self.lm_head = nn.Identity()
        self.score = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 1))
        self.post_init()

    @torch.inference_mode()
    def verdicts(self, inputs: dict[str, Tensor]) -> Tensor:
        """Return the probability of yes, (n,), for left-padded inputs."""
        asked = {"input_ids": SCORE_TOKEN, "attention_mask": 1, "mm_token_type_ids": 0}
        longer = dict(inputs)
        for name, value in asked.items():
            if name in inputs:
                rows = inputs[name]
                longer[name] = torch.cat([rows, rows.new_full((len(rows), 1), value)], dim=1)
        last = self.model(**longer).last_hidden_state[:, -1]
        found: Tensor = torch.sigmoid(self.score(last).squeeze(-1).float() - OFFSET)
        return found
