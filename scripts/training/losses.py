"""What is minimised. Knows unit embeddings and targets; does not know where they come from."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import kl_div, log_softmax


def contrastive(images: Tensor, texts: Tensor, owner: Tensor, scale: Tensor) -> Tensor:
    """InfoNCE with several captions a picture (Khosla et al. 2020, "Supervised Contrastive Learning", L_out).

    images (n, d), texts (m, d), owner (m,) the row of each text's picture, scale the inverse temperature.
    The other captions of the same picture are left out of each denominator.
    """
    scores = scale * images @ texts.T  # (n, m)
    own = torch.arange(len(images))[:, None] == owner[None]
    right = scores.gather(0, owner[None])[0]  # (m,)
    to_image = (scores.logsumexp(0) - right).mean()
    others = scores.masked_fill(own, -torch.inf).logsumexp(1)[owner]
    to_text = torch.logaddexp(others, right) - right
    share = 1 / own.sum(1)[owner]  # each picture counts once
    return (to_image + (to_text * share).sum() / len(images)) / 2


def distil(scores: Tensor, target: Tensor) -> Tensor:
    """Mean KL(target || softmax(scores)) of (n, classes) rows; rows of `target` sum to one."""
    return kl_div(log_softmax(scores, dim=1), target, reduction="batchmean")
