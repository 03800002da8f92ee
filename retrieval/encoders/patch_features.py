"""A picture tower's look at each part of a picture: embeddings of the cells of its last grid, in the same space.

Each cell goes through the tower's end as if it were the whole picture; in a transformer that is its last block with
every patch looking at itself alone (MaskCLIP, Zhou, Loy & Dai 2022). Knows torch modules; does not know files.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..errors import UsageError


@torch.inference_mode()
def cells(tower: Any, pixels: Tensor, model: str) -> Tensor:
    """One picture, (1, 3, height, width) -> (rows, columns, dimensions), not of unit length.

    Raises:
        UsageError: the tower has no grid that is kept to its end.
    """
    if hasattr(tower, "trunk") and hasattr(tower.trunk, "forward_head"):
        seen = tower.trunk.forward_features(pixels)
        before = int(getattr(tower.trunk, "num_prefix_tokens", 0))
        if seen.ndim == 4:  # a convolutional trunk: one cell is a map of one pixel
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
        alone = seen[0, 1:, None].repeat(1, 2, 1)  # twice: in place of the class token, and in its own
        each, _ = tower._pool(last(alone))
        return _shaped(each if tower.proj is None else each @ tower.proj, *_sides(len(each), pixels))
    raise UsageError(
        f"{model} keeps no grid of a picture's parts; heat needs a vision transformer or the built-in model"
    )


def _shaped(each: Tensor, rows: int, columns: int) -> Tensor:
    return each.reshape(rows, columns, -1).float()


def _sides(count: int, pixels: Tensor) -> tuple[int, int]:
    """Rows and columns of so many patches, in the shape of the picture."""
    height, width = pixels.shape[2:]
    rows = round((count * height / width) ** 0.5)
    return rows, count // rows
