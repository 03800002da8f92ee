"""An encoder of three numbers: a picture is its mean colour, a text is the colours it names. For tests and examples.

It truly works ("red" lands on a red picture), in microseconds and without weights; it knows nothing but colours.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import ImageColor

from ..types.records import Pixels, Space, Vectors

if TYPE_CHECKING:
    from PIL.Image import Image


class Colours:
    """The directions of the colour cube seen from its centre: red and cyan are opposites, grey is nowhere."""

    space = Space("colours", dimensions=3, fingerprint="1")
    least = 16

    def prepare(self, image: Image) -> Pixels:
        """The mean colour, (3,) in [0, 255]."""
        mean: Pixels = np.asarray(image.convert("RGB"), dtype=np.float32).mean(axis=(0, 1))
        return mean

    def images(self, batch: Sequence[Pixels]) -> Vectors:
        """Mean colours -> unit rows."""
        return _directions(np.asarray(batch, dtype=np.float32).reshape(-1, 3))

    def grid(self, image: Image) -> Vectors:
        """The mean colours of eight by eight parts, as unit rows."""
        small = np.asarray(image.convert("RGB").resize((8, 8)), dtype=np.float32)
        return _directions(small.reshape(-1, 3)).reshape(8, 8, 3)

    def texts(self, batch: Sequence[str]) -> Vectors:
        """The mean of the colours each text names; a text without any is grey."""
        words = [re.findall("[a-z]+", text.lower()) for text in batch]
        named = [[ImageColor.getrgb(word)[:3] for word in each if word in ImageColor.colormap] for each in words]
        rows = [each or [(128, 128, 128)] for each in named]
        return _directions(np.array([np.mean(row, axis=0) for row in rows], dtype=np.float32).reshape(-1, 3))


def _directions(colours: Vectors) -> Vectors:
    centred = colours - np.float32(127.25)  # no mean of whole numbers hits it: no row is zero
    rows: Vectors = (centred / np.linalg.norm(centred, axis=1, keepdims=True)).astype(np.float32)
    return rows
