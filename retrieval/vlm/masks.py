"""Model outputs about single pixels to masks of the picture's size, and masks to boxes.

Knows output notations; does not know models.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from ..types.records import Box, Mask

if TYPE_CHECKING:
    import numpy.typing as npt

SURE = 0.5  # minimum probability at which a pixel counts


def from_logits(logits: npt.NDArray[np.float32], size: tuple[int, int]) -> Mask:
    """Return the mask of a map of log-odds, (rows, columns), scaled to a picture's width and height (CLIPSeg)."""
    sure = 1 / (1 + np.exp(-logits.astype(np.float32)))
    stretched = Image.fromarray(sure).resize(size, Image.Resampling.BILINEAR)
    return np.asarray(stretched, np.float32).clip(0, 1)


def from_polygons(text: str, size: tuple[int, int]) -> Mask:
    """Return the mask of polygons `<loc_x><loc_y>...` in thousandths of the picture's sides (Florence-2).

    `<sep>` separates polygons, `<poly>` separates objects.
    """
    width, height = size
    canvas = Image.new("L", size)
    for polygon in re.split("<sep>|</?poly>", text):
        numbers = [int(number) + 0.5 for number in re.findall(r"<loc_(\d+)>", polygon)]
        corners = [(x * width / 1000, y * height / 1000) for x, y in zip(numbers[::2], numbers[1::2], strict=False)]
        if len(corners) > 2:
            ImageDraw.Draw(canvas).polygon(corners, fill=255)
    return np.asarray(canvas, np.float32) / np.float32(255)


def around(mask: Mask, label: str) -> list[Box]:
    """Return the smallest box around all pixels that count, with their mean as its score; empty if there are none."""
    rows, columns = np.nonzero(mask >= SURE)
    if not len(rows):
        return []
    height, width = mask.shape
    left, right = int(columns.min()), int(columns.max()) + 1
    top, bottom = int(rows.min()), int(rows.max()) + 1
    sure = float(mask[rows, columns].mean())
    return [Box(label, left / width, top / height, right / width, bottom / height, sure)]
