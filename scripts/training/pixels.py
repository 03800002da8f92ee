"""Pictures on the device: decoded once, cropped, mirrored and recoloured there.

Knows pixels; does not know captions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from rich.progress import Progress
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample, interpolate

Luck = Callable[..., Tensor]  # uniform numbers of a shape


def decoded(pictures: Sequence[Path], side: int, workers: int, progress: Progress) -> Tensor:
    """Every picture squashed to a square: (n, side, side, 3) uint8."""
    found = np.empty((len(pictures), side, side, 3), np.uint8)
    task = progress.add_task("decode", total=len(pictures))
    with ProcessPoolExecutor(workers) as pool:
        for row, picture in enumerate(pool.map(_decode, pictures, repeat(side), chunksize=64)):
            found[row] = picture
            progress.advance(task)
    return torch.from_numpy(found)


def _decode(path: Path, side: int) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB").resize((side, side), Image.Resampling.BICUBIC))


def whole(pictures: Tensor, side: int) -> Tensor:
    """Return (n, h, w, 3) uint8 as the network reads it: (n, 3, side, side), (x - 127.5) / 127.5."""
    pixels = pictures.permute(0, 3, 1, 2).float()
    if pixels.shape[-1] != side:
        smaller = pixels.shape[-1] > side
        pixels = interpolate(pixels, size=(side, side), mode="bilinear", align_corners=False, antialias=smaller)
    return _normal(pixels.clamp(0, 255))


def augmented(pictures: Tensor, side: int, mirror: Tensor, smallest: float, strength: float) -> Tensor:
    """Return a random crop of each picture, mirrored where `mirror` (n,) allows, in other light, partly blotted out.

    `smallest` is the least share of the picture that a crop shows; `strength`, 0 to 1, of the changes of light.
    """
    count, device = len(pictures), pictures.device

    def luck(*shape: int) -> Tensor:
        return torch.rand(*shape, device=device)

    area, ratio = smallest + (1 - smallest) * luck(count), torch.exp((luck(count) * 2 - 1) * math.log(4 / 3))
    wide, high = (area * ratio).sqrt().clamp(max=1), (area / ratio).sqrt().clamp(max=1)
    left, top = (luck(count) * 2 - 1) * (1 - wide), (luck(count) * 2 - 1) * (1 - high)
    wide = torch.where((luck(count) < 0.5) & mirror, -wide, wide)
    zero = torch.zeros_like(wide)
    place = torch.stack([torch.stack([wide, zero, left], 1), torch.stack([zero, high, top], 1)], 1)
    grid = affine_grid(place, [count, 3, side, side], align_corners=False)
    pixels = pictures.permute(0, 3, 1, 2).float()
    pixels = grid_sample(pixels, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    if strength > 0:
        pixels = _blotted(_recoloured(pixels / 255, 0.3 * strength, luck), 0.25 * strength, luck) * 255
    return _normal(pixels)


def _recoloured(pixels: Tensor, most: float, luck: Luck) -> Tensor:
    """Change brightness, contrast and saturation of four pictures in five by up to `most`."""
    count = len(pixels)
    for centre in (
        lambda p: torch.zeros_like(p[:, :1]),
        lambda p: p.mean((1, 2, 3), keepdim=True),
        lambda p: p.mean(1, keepdim=True),
    ):
        changed = (luck(count, 1, 1, 1) < 0.8) * most * (luck(count, 1, 1, 1) * 2 - 1)
        middle = centre(pixels)
        pixels = middle + (pixels - middle) * (1 + changed)
    return pixels.clamp(0, 1)


def _blotted(pixels: Tensor, share: float, luck: Luck) -> Tensor:
    """Cover a rectangle of some pictures with their mean colour (random erasing, Zhong et al. 2020)."""
    count, side = len(pixels), pixels.shape[-1]
    size = 0.15 + 0.25 * luck(count, 2)
    start = luck(count, 2) * (1 - size)
    line = (torch.arange(side, device=pixels.device) + 0.5) / side
    rows, columns = ((line >= start[:, k, None]) & (line < (start + size)[:, k, None]) for k in (0, 1))
    hole = rows[:, None, :, None] & columns[:, None, None, :] & (luck(count, 1, 1, 1) < share)
    return torch.where(hole, pixels.mean((2, 3), keepdim=True), pixels)


def _normal(pixels: Tensor) -> Tensor:
    return ((pixels - 127.5) / 127.5).contiguous(memory_format=torch.channels_last)
