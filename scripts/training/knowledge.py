"""What the backbone knows of ImageNet's 1,000 classes, as targets and prototype features for training.

Knows features and the classifier; does not know captions.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

SURE = 0.5  # a picture counts as showing a class from this probability on


@dataclass(frozen=True)
class Knowledge:
    """`beliefs` (pictures, 1000) float16 class probabilities; `prototypes` (1000, 1280) pooled features."""

    beliefs: Tensor
    prototypes: Tensor
    weight: Tensor  # the classifier's (1000, 1280)
    bias: Tensor  # (1000,)

    @classmethod
    def of(cls, features: Tensor, weight: Tensor, bias: Tensor) -> Knowledge:
        """Read `features` (pictures, 1280) through the classifier.

        For a linear discriminant a class's weights are the inverse covariance times its mean's offset, so that
        covariance times weights points from the overall mean to the class; the length is taken from the classes
        that enough pictures show.
        """
        beliefs = (features @ weight.T + bias).softmax(1)
        centre = features.mean(0)
        offsets = (weight - weight.mean(0)) @ torch.cov(features.T)
        sure, best = beliefs.max(1)
        lengths = []
        for index in torch.unique(best[sure > SURE]):
            shown = features[(best == index) & (sure > SURE)]
            if len(shown) >= 10:
                lengths.append((shown.mean(0) - centre).norm() / offsets[index].norm())
        scale = torch.stack(lengths).median() if lengths else 1.0  # too few pictures: as long as the offsets are
        return cls(beliefs.half(), (centre + scale * offsets).clamp(min=0), weight, bias)
