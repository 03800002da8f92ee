"""Verdicts from a model's probabilities: yes against no, or how likely a text is as the answer.

Knows logits and vocabularies; does not know families or pictures.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..errors import ModelError
from ..types.records import Judgement

SHARPNESS = 4.0  # a caption that is e times as likely a token as without the picture is a yes of 98%
FALL = 2.0  # how fast the mass falls with words that are less and less fluent


def tokens_saying(tokenizer: Any, words: Sequence[str]) -> list[int]:
    """Every token that is one of these lower-case words, in whatever spelling and with whatever space before it.

    Raises:
        ModelError: the vocabulary has none.
    """
    special = set(tokenizer.all_special_ids)
    short = [(token, number) for token, number in tokenizer.get_vocab().items() if len(token) <= 8]
    found = [number for _, number in short if number not in special and _plain(tokenizer, number) in words]
    if not found:
        raise ModelError(f"the model's vocabulary has no token for {' or '.join(words)}: it cannot judge by words")
    return sorted(found)


def _plain(tokenizer: Any, number: int) -> str:
    text: str = tokenizer.decode([number], skip_special_tokens=False)
    return text.strip().strip("▁").lower()


def by_words(logits: Tensor, yes: Sequence[int], no: Sequence[int]) -> list[Judgement]:
    """The first answered token's raw logits, (n, vocabulary) -> a verdict for each row."""
    logits = logits.float()
    for_yes, for_no = logits[:, list(yes)].logsumexp(-1), logits[:, list(no)].logsumexp(-1)
    mass = (torch.logaddexp(for_yes, for_no) - logits.logsumexp(-1)).exp()
    rows = zip(torch.sigmoid(for_yes - for_no).tolist(), mass.tolist(), strict=True)
    return [Judgement(yes, min(1.0, share)) for yes, share in rows]


def by_likelihood(shown: Tensor, unseen: Tensor, fluent: float = -math.inf) -> list[Judgement]:
    """Mean log-probabilities a token of the query, with each picture (n,) and with a picture of nothing (n,).

    Below `fluent` without a picture, the words are strange to the model, and its opinion on them has little mass.
    """
    rows = zip(torch.sigmoid(SHARPNESS * (shown - unseen)).tolist(), unseen.expand_as(shown).tolist(), strict=True)
    return [Judgement(yes, 1 / (1 + math.exp(min(FALL * (fluent - prior), 50.0)))) for yes, prior in rows]


def log_likelihood(logits: Tensor, target: Tensor) -> Tensor:
    """Mean log-probability a token: logits (n, length, vocabulary) that predict target (n, length) -> (n,)."""
    chosen = logits.float().log_softmax(-1).gather(-1, target[..., None]).squeeze(-1)
    return chosen.mean(-1)
