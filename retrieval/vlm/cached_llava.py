"""A transformers model with cacheable vision features: vision tower and projector run once, the text part any time.

For families whose projected features are small enough to store. Knows how LLaVA accepts precomputed features.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..types.records import Judgement, VisionFeatures
from . import scoring
from .transformers import Inputs, Transformers

if TYPE_CHECKING:
    from PIL.Image import Image

AT_ONCE = 64  # pictures whose vision features go into one batch


@dataclass
class CachedLlava(Transformers):
    """A LLaVA with `SupportsVisionCache`; its family judges by likelihood, with texts without a picture as prior."""

    batch: int = 32
    looks_once = False  # the library stores its features, and its vision tower is fastest in large batches

    @torch.inference_mode()
    def vision_features(self, images: Sequence[Image]) -> list[VisionFeatures]:
        """Return the vision features of each picture: (tokens, width) float16."""
        found: list[VisionFeatures] = []
        for start in range(0, len(images), self.batch):
            asked = [[self.family.asked(self.family.judge, [image])] for image in images[start : start + self.batch]]
            seen = self.model.get_image_features(self._inputs(asked)["pixel_values"], return_dict=True)
            found += [row.cpu().numpy().astype(np.float16) for row in seen.pooler_output]
        return found

    def judge_features(self, query: str, looks: Sequence[VisionFeatures]) -> list[Judgement]:
        """Judge pictures by their cached vision features; see `VisionLanguageModel.judge`."""
        unseen = self._likelihood(query, [None])
        found: list[Judgement] = []
        for inputs, seen in self._shown(self.family.judge, looks):
            found += scoring.by_likelihood(
                self._said_likelihood(query, inputs, mm_encoder_outputs=seen), unseen, self.family.fluent
            )
        return found

    @torch.inference_mode()
    def verify_features(self, question: str, looks: Sequence[VisionFeatures]) -> list[Judgement]:
        """Verify a question on cached vision features of pictures; see `VisionLanguageModel.verify`."""
        found: list[Judgement] = []
        for inputs, seen in self._shown(self.family.verify.replace("{question}", self._words(question)), looks):
            logits = self.model(**inputs, mm_encoder_outputs=seen, logits_to_keep=1).logits[:, -1]
            found += scoring.by_words(logits, *self._yes_and_no)
        return found

    def _shown(self, prompt: str, looks: Sequence[VisionFeatures]) -> Iterator[tuple[Inputs, dict[str, Any]]]:
        """Yield batches of the prompt, with cached vision features in place of `{image}`."""
        from transformers.modeling_outputs import BaseModelOutputWithPooling

        for start in range(0, len(looks), AT_ONCE):
            some = looks[start : start + AT_ONCE]
            rows = [torch.from_numpy(np.asarray(look, np.float32)).to(self.device, self.model.dtype) for look in some]
            # transformers annotates a tensor; LLaVA returns and accepts a list with one tensor for each picture
            seen = BaseModelOutputWithPooling(pooler_output=rows)  # type: ignore[arg-type]
            text = prompt.replace("{image}", self.family.picture * len(some[0]))
            words = self.processor.tokenizer([text] * len(some), return_tensors="pt")
            yield {name: words[name].to(self.device) for name in ("input_ids", "attention_mask")}, {"image": seen}
