"""Draws boxes, masks and heat maps on pictures, for people. Does not know where they come from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..errors import SourceError, UsageError
from ..types.explanations import Heat
from ..types.records import Box, Mask

COLOURS = ("#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#008080")


def save(image: Image.Image, path: Path) -> None:
    """Write a picture in the format of the file's suffix.

    Raises:
        UsageError: the suffix is no picture format.
        SourceError: the file cannot be written.
    """
    try:
        image.save(path)
    except ValueError as exc:
        raise UsageError(f"{path}: {path.suffix or 'no ending'} is not a picture format; use .png or .jpg") from exc
    except OSError as exc:
        raise SourceError(f"cannot write {path}: {exc.strerror or exc}") from exc


def as_picture(mask: Mask) -> Image.Image:
    """Return a mask as a grey picture: white is certainly part of it, black certainly not."""
    return Image.fromarray((mask * 255).round().astype(np.uint8))


def with_mask(image: Image.Image, mask: Mask) -> Image.Image:
    """Return the picture with the mask laid over it in half-transparent colour."""
    return Image.composite(Image.blend(image, Image.new("RGB", image.size, COLOURS[0]), 0.5), image, as_picture(mask))


def with_heat(image: Image.Image, heat: Heat) -> Image.Image:
    """Return the picture under a heat map, (rows, columns): dim at the lowest values, red at the highest."""
    low, high = float(heat.min()), float(heat.max())
    scaled = Image.fromarray(((heat - low) / max(high - low, 1e-6)).astype(np.float32))
    smooth = np.clip(np.asarray(scaled.resize(image.size, Image.Resampling.BICUBIC)), 0, 1)
    grey = Image.blend(image.convert("L").convert("RGB"), Image.new("RGB", image.size), 0.3)
    shown = Image.composite(image, grey, as_picture(smooth))
    return Image.composite(
        Image.blend(shown, Image.new("RGB", image.size, COLOURS[0]), 0.5),
        shown,
        as_picture(np.clip(2 * smooth - 1, 0, 1)),
    )


def with_boxes(image: Image.Image, boxes: Sequence[Box]) -> Image.Image:
    """Return a copy of the picture with each box and its label, in alternating colours."""
    drawn = image.copy()
    pen, unit = ImageDraw.Draw(drawn), max(1, max(image.size) // 300)
    font = ImageFont.load_default(max(10, 5 * unit))
    for number, box in enumerate(boxes):
        colour = COLOURS[number % len(COLOURS)]
        left, top = box.left * image.width, box.top * image.height
        pen.rectangle((left, top, box.right * image.width, box.bottom * image.height), outline=colour, width=unit)
        place = (left + unit, top + unit)
        pen.rectangle(pen.textbbox(place, box.label, font), fill=colour)
        pen.text(place, box.label, "white", font)
    return drawn
