"""What is minimised. Knows unit embeddings and targets; does not know where they come from."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import kl_div, log_softmax


def cross_entropy(scores: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """Cross-entropy of (n, m) scores with targets whose rows sum to one; `weight` (n,) is of rows."""
    each = -(target * log_softmax(scores, 1)).sum(1)
    return each.mean() if weight is None else (each * weight).mean()


def neighbours(rows: Tensor, teacher: Tensor, temperature: float = 0.1) -> Tensor:
    """KL of how near (n, d) unit rows lie to each other from how near the teacher's (n, k) do, itself left out."""
    itself = torch.eye(len(rows), dtype=torch.bool, device=rows.device)
    found, wanted = ((each @ each.T / temperature).masked_fill(itself, -1e4) for each in (rows, teacher))
    return kl_div(log_softmax(found, 1), wanted.softmax(1), reduction="batchmean")
