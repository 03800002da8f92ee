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
    own = torch.arange(len(images), device=owner.device)[:, None] == owner[None]
    right = scores.gather(0, owner[None])[0]  # (m,)
    to_image = (scores.logsumexp(0) - right).mean()
    others = scores.masked_fill(own, -torch.inf).logsumexp(1)[owner]
    to_text = torch.logaddexp(others, right) - right
    share = 1 / own.sum(1)[owner]  # each picture counts once
    return (to_image + (to_text * share).sum() / len(images)) / 2


def soft_targets(teacher: Tensor, owner: Tensor, pictures: int, temperature: float = 0.05) -> Tensor:
    """How well each caption would also do for each picture: (m, pictures), rows sum to one.

    teacher (m, d) are the captions' embeddings by the moving average; a picture is as near as its nearest caption.
    Small collections are full of pictures that fit each other's captions; one-hot targets call all of them wrong.
    """
    near = teacher @ teacher.T  # (m, m)
    best = near.new_full((len(teacher), pictures), -1.0)
    best.scatter_reduce_(1, owner[None].expand(len(teacher), -1), near, "amax")
    return (best / temperature).softmax(1)


def soft_contrastive(images: Tensor, texts: Tensor, targets: Tensor, scale: Tensor) -> Tensor:
    """Cross-entropy with `targets` (m, n), both ways; images (n, d), texts (m, d)."""
    scores = scale * texts @ images.T  # (m, n)
    to_image = -(targets * log_softmax(scores, 1)).sum(1).mean()
    columns = targets.T / targets.sum(0)[:, None].clamp(min=1e-6)
    to_text = -(columns * log_softmax(scores.T, 1)).sum(1).mean()
    return (to_image + to_text) / 2


def distil(scores: Tensor, target: Tensor) -> Tensor:
    """Mean KL(target || softmax(scores)) of (n, classes) rows; rows of `target` sum to one."""
    return kl_div(log_softmax(scores, dim=1), target, reduction="batchmean")
