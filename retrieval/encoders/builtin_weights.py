"""How the built-in model's weights are stored: float16, and int8 with scales for the text tower's matrices.

Knows tensors and their names; does not know the towers.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from .builtin_encoder import WEIGHTS

SCALE = ".scale"  # the end of the name of an int8 matrix's scales
GROUP = 48  # weights of a row that share a scale
SMALL = 2**16  # weights; a smaller tensor is not worth rounding to int8


def quantised(name: str, value: Tensor) -> dict[str, Tensor]:
    """Return the stored form of a tensor, by name.

    A matrix (rows, columns) of the text tower becomes int8 (rows, groups, 48) and float16 scales (rows,
    groups, 1); a tensor of one dimension stays float32; the others become float16.
    """
    if value.dim() < 2:
        return {name: value.float().contiguous()}
    if not name.startswith("text.") or value.numel() < SMALL:
        return {name: value.half().contiguous()}
    grouped = value.reshape(len(value), -1, GROUP)
    scale = (grouped.abs().amax(2, keepdim=True) / 127).half().clamp(min=1e-7)
    return {name: (grouped / scale.float()).round().clamp(-127, 127).to(torch.int8), name + SCALE: scale}


def restored(stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the float32 tensors of stored ones, in their own shapes."""
    return {
        name: (value.float() * stored[name + SCALE].float()).flatten(1) if name + SCALE in stored else value.float()
        for name, value in stored.items()
        if not name.endswith(SCALE)
    }


def read(folder: Path) -> dict[str, Tensor]:
    """Return the float32 weights of a folder, in the form that `fold_batchnorm.fold` gives the image tower."""
    from safetensors.torch import load_file

    return restored(load_file(folder / WEIGHTS))
