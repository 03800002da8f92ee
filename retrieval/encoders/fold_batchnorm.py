"""Prepares a loaded network for inference: batch normalisations folded into convolutions, channels-last memory.

Makes convolutional image encoders two to three times faster on a CPU; transformers do not change. Knows torch modules;
does not know open_clip.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

SAME = 1e-4  # maximum difference that folding may make to the output, relative to the output's norm


def prepare_for_inference(network: nn.Module, sample: Tensor) -> Any:
    """Return `network` in evaluation mode, with folded batch normalisations if its output for `sample` stays the same.

    `sample` is (n, 3, height, width).
    """
    network = network.eval().to(memory_format=torch.channels_last)
    if not any(isinstance(module, nn.BatchNorm2d) for module in network.modules()):
        return network
    folded = fold(network)
    sample = sample.contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        whole, other = network(sample), folded(sample)
    return folded if (whole - other).norm() <= SAME * whole.norm() else network


def fold(network: nn.Module) -> nn.Module:
    """Return a copy in which each batch normalisation is folded into the convolution registered right before it."""
    network = copy.deepcopy(network)
    before: str = ""
    for name, module in list(network.named_modules()):
        if isinstance(module, nn.BatchNorm2d) and before:
            convolution = network.get_submodule(before)
            assert isinstance(convolution, nn.Conv2d)
            if convolution.out_channels == module.num_features:
                fused = fuse_conv_bn_eval(convolution, module).to(memory_format=torch.channels_last)
                network.set_submodule(before, fused)
                # timm's normalisations include their activation
                network.set_submodule(name, getattr(module, "act", nn.Identity()))
        if not list(module.children()) or isinstance(module, nn.BatchNorm2d):
            before = name if isinstance(module, nn.Conv2d) else ""
    return network
