"""Patch features: embeddings of the cells of an image encoder's last feature map, in the encoder's space.

Each cell passes through the encoder's head as if it were the whole picture; in open_clip's own vision transformers,
through the last block with each patch attending to itself alone (MaskCLIP, Zhou, Loy & Dai 2022). Knows torch modules;
does not know files.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..errors import UsageError


@torch.inference_mode()
def cells(tower: Any, pixels: Tensor, model: str) -> Tensor:
    """Return the patch features of one picture, (1, 3, height, width) -> (rows, columns, dimensions), not normalised.

    Raises:
        UsageError: the encoder keeps no feature map up to its head.
    """
    if hasattr(tower, "trunk") and hasattr(tower.trunk, "forward_head"):
        seen = tower.trunk.forward_features(pixels)
        before = int(getattr(tower.trunk, "num_prefix_tokens", 0))
        if seen.ndim == 4:  # convolutional trunk: each cell becomes a feature map of 1 x 1
            rows, columns = seen.shape[2:]
            each = seen[0].flatten(1).T[:, :, None, None]
        else:
            each = seen[0, before:, None]
            rows, columns = _sides(len(each), pixels)
        return _shaped(tower.head(tower.trunk.forward_head(each)), rows, columns)
    if hasattr(tower, "_embeds") and getattr(getattr(tower, "transformer", None), "batch_first", False):
        seen = tower._embeds(pixels)
        *first, last = tower.transformer.resblocks
        for block in first:
            seen = block(seen)
        alone = seen[0, 1:, None].repeat(1, 2, 1)  # twice: as class token and as patch
        each, _ = tower._pool(last(alone))
        return _shaped(each if tower.proj is None else each @ tower.proj, *_sides(len(each), pixels))
    raise UsageError(
        f"{model} has no features for parts of a picture; heat needs a vision transformer or the built-in model"
    )


def _shaped(each: Tensor, rows: int, columns: int) -> Tensor:
    return each.reshape(rows, columns, -1).float()


def _sides(count: int, pixels: Tensor) -> tuple[int, int]:
    """Return the rows and columns of a number of patches in the picture's aspect ratio."""
    height, width = pixels.shape[2:]
    rows = round((count * height / width) ** 0.5)
    return rows, count // rows
