"""Verdicts from a model's probabilities: yes against no, or the likelihood of a text as the answer.

Knows logits and vocabularies; does not know families or pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..errors import ModelError
from ..types.records import Judgement

SHARPNESS = 4.0  # a caption e times as likely per token as without the picture gives a yes of 98%


def tokens_saying(tokenizer: Any, words: Sequence[str]) -> list[int]:
    """Return all tokens that decode to one of these lower-case words, ignoring case and surrounding space.

    Raises:
        ModelError: the vocabulary has no such token.
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
    """Return a verdict for each row of the first answer token's raw logits, (n, vocabulary)."""
    logits = logits.float()
    for_yes, for_no = logits[:, list(yes)].logsumexp(-1), logits[:, list(no)].logsumexp(-1)
    mass = (torch.logaddexp(for_yes, for_no) - logits.logsumexp(-1)).exp()
    rows = zip(torch.sigmoid(for_yes - for_no).tolist(), mass.tolist(), strict=True)
    return [Judgement(yes, min(1.0, share)) for yes, share in rows]


def by_likelihood(shown: Tensor, unseen: Tensor) -> list[Judgement]:
    """Return verdicts from a query's mean log-probability per token, with each picture and with a blank one: (n,)."""
    return [Judgement(yes) for yes in torch.sigmoid(SHARPNESS * (shown - unseen)).tolist()]


def log_likelihood(logits: Tensor, target: Tensor) -> Tensor:
    """Return the mean log-probability per token, (n,), of target (n, length) under logits (n, length, vocabulary)."""
    chosen = logits.float().log_softmax(-1).gather(-1, target[..., None]).squeeze(-1)
    return chosen.mean(-1)
