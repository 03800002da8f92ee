"""MobileNetV2 with ImageNet weights, read from the quantised `.tflite` file into timm's module.

Knows the file format and timm's layout; does not know captions or training.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from torch import Tensor, nn

CUT = 5  # blocks[:CUT] stay frozen and are cached; blocks[CUT:] and conv_head are fine-tuned


@dataclass(frozen=True)
class Backbone:
    """The frozen lower half, the trainable upper half and the ImageNet classifier of one network."""

    lower: nn.Sequential  # (n, 3, 224, 224) -> (n, 96, 14, 14), without normalisations
    upper: nn.Sequential  # (n, 96, 14, 14) -> (n, 1280, 7, 7), without normalisations
    classifier_weight: Tensor  # (1000, 1280)
    classifier_bias: Tensor  # (1000,)
    trunk: nn.Module  # timm's whole network, as it is exported


def _dequantised_convolutions(path: Path) -> list[tuple[Tensor, Tensor]]:
    """Weights (out, in, h, w) and biases (out,) of every convolution, in order of execution."""
    import tflite

    model = tflite.Model.GetRootAs(path.read_bytes(), 0)
    graph = model.Subgraphs(0)

    def values(index: int) -> np.ndarray:
        tensor = graph.Tensors(index)
        raw = model.Buffers(tensor.Buffer()).DataAsNumpy().tobytes()
        kind = {tflite.TensorType.UINT8: np.uint8, tflite.TensorType.INT32: np.int32}[tensor.Type()]
        grid = np.frombuffer(raw, kind).reshape(tensor.ShapeAsNumpy()).astype(np.float32)
        scale = tensor.Quantization()
        return (grid - np.float32(scale.ZeroPointAsNumpy()[0])) * np.float32(scale.ScaleAsNumpy()[0])

    found = []
    for index in range(graph.OperatorsLength()):
        operator = graph.Operators(index)
        code = model.OperatorCodes(operator.OpcodeIndex())
        kind = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        if kind not in (tflite.BuiltinOperator.CONV_2D, tflite.BuiltinOperator.DEPTHWISE_CONV_2D):
            continue
        _, weight, bias = operator.InputsAsNumpy()[:3]
        depthwise = kind == tflite.BuiltinOperator.DEPTHWISE_CONV_2D
        order = (3, 0, 1, 2) if depthwise else (0, 3, 1, 2)  # to (out, in / groups, h, w)
        found.append((torch.tensor(values(weight).transpose(order).copy()), torch.tensor(values(bias))))
    return found


def without_norms(network: nn.Sequential) -> nn.Sequential:
    """A copy that is a third faster: each folded normalisation (a bias, here) moves into its convolution."""
    network = copy.deepcopy(network)
    convolution = nn.Conv2d(1, 1, 1)
    for parent in list(network.modules()):
        for name, module in list(parent.named_children()):
            if isinstance(module, nn.Conv2d):
                convolution = module
            elif isinstance(module, nn.BatchNorm2d):
                convolution.bias = nn.Parameter(module.bias.data.clone())
                setattr(parent, name, getattr(module, "act", nn.Identity()))
    return network.to(memory_format=torch.channels_last)


def lower_half(trunk: Any) -> nn.Sequential:
    """The frozen part of timm's network, sharing its modules."""
    return nn.Sequential(trunk.conv_stem, trunk.bn1, *trunk.blocks[:CUT])


def upper_half(trunk: Any) -> nn.Sequential:
    """The trainable part of timm's network, sharing its modules."""
    return nn.Sequential(*trunk.blocks[CUT:], trunk.conv_head, trunk.bn2)


@torch.no_grad()
def write_back(trained: nn.Sequential, trunk: nn.Module) -> None:
    """Put the weights of a trained `without_norms(upper_half(trunk))` into `trunk`."""
    target = upper_half(trunk)
    convolutions = [[m for m in each.modules() if isinstance(m, nn.Conv2d)] for each in (trained, target)]
    norms = [module for module in target.modules() if isinstance(module, nn.BatchNorm2d)]
    for source, convolution, norm in zip(*convolutions, norms, strict=True):
        convolution.weight.copy_(source.weight)
        norm.bias.copy_(source.bias)


def load(path: Path) -> Backbone:
    """Read the backbone file; every convolution must fit timm's network one to one."""
    convolutions = iter(_dequantised_convolutions(path))
    trunk: Any = timm.create_model("mobilenetv2_100", pretrained=False, num_classes=0).eval()
    bias = torch.empty(0)
    for module in trunk.modules():
        if isinstance(module, nn.Conv2d):
            weight, bias = next(convolutions)
            module.weight.data.copy_(weight)
        elif isinstance(module, nn.BatchNorm2d):  # folded into the convolution: only its bias is left
            nn.init.ones_(module.weight)
            module.reset_running_stats()
            module.running_var = torch.full_like(module.weight.data, 1 - module.eps)
            module.bias.data.copy_(bias)
    weight, bias = next(convolutions)
    weight, bias = weight[1:, :, 0, 0], bias[1:]  # row 0 is "background"
    return Backbone(without_norms(lower_half(trunk)), without_norms(upper_half(trunk)), weight, bias, trunk)
