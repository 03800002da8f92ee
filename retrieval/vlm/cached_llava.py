"""A transformers model whose look at a picture is kept: the eye and the projector run once, the words any time.

For families whose projected pictures are small enough to keep. Knows how LLaVA takes what it saw before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..types.records import Judgement, Look
from . import scoring
from .transformers import Inputs, Transformers

if TYPE_CHECKING:
    from PIL.Image import Image

AT_ONCE = 64  # looks in one batch


@dataclass
class KeepsLooks(Transformers):
    """LLaVA with `Onlooker`; its family judges by likelihood against texts without a picture."""

    batch: int = 32
    looks_once = False  # the library keeps its looks, and its eye likes many pictures at a time

    @torch.inference_mode()
    def look(self, images: Sequence[Image]) -> list[Look]:
        """See `Onlooker.look`."""
        found: list[Look] = []
        for start in range(0, len(images), self.batch):
            asked = [[self.family.asked(self.family.judge, [image])] for image in images[start : start + self.batch]]
            seen = self.model.get_image_features(self._inputs(asked)["pixel_values"], return_dict=True)
            found += [row.cpu().numpy().astype(np.float16) for row in seen.pooler_output]
        return found

    def judge_looks(self, query: str, looks: Sequence[Look]) -> list[Judgement]:
        """See `Onlooker.judge_looks`."""
        unseen = self._likelihood(query, [None])
        found: list[Judgement] = []
        for inputs, seen in self._shown(self.family.judge, looks):
            found += scoring.by_likelihood(
                self._said_likelihood(query, inputs, mm_encoder_outputs=seen), unseen, self.family.fluent
            )
        return found

    @torch.inference_mode()
    def verify_looks(self, question: str, looks: Sequence[Look]) -> list[Judgement]:
        """See `Onlooker.verify_looks`."""
        found: list[Judgement] = []
        for inputs, seen in self._shown(self.family.verify.replace("{question}", self._words(question)), looks):
            logits = self.model(**inputs, mm_encoder_outputs=seen, logits_to_keep=1).logits[:, -1]
            found += scoring.by_words(logits, *self._yes_and_no)
        return found

    def _shown(self, prompt: str, looks: Sequence[Look]) -> Iterator[tuple[Inputs, dict[str, Any]]]:
        """Batches of the prompt with a kept look where it says `{image}`."""
        from transformers.modeling_outputs import BaseModelOutputWithPooling

        for start in range(0, len(looks), AT_ONCE):
            some = looks[start : start + AT_ONCE]
            rows = [torch.from_numpy(np.asarray(look, np.float32)).to(self.device, self.model.dtype) for look in some]
            # transformers' annotation asks for a tensor; LLaVA gives and takes a list, one for each picture
            seen = BaseModelOutputWithPooling(pooler_output=rows)  # type: ignore[arg-type]
            text = prompt.replace("{image}", self.family.picture * len(some[0]))
            words = self.processor.tokenizer([text] * len(some), return_tensors="pt")
            yield {name: words[name].to(self.device) for name in ("input_ids", "attention_mask")}, {"image": seen}
