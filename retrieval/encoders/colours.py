"""A three-dimensional encoder for tests and examples: a picture is its mean colour, a text the colours it names.

It really works ("red" matches a red picture), in microseconds and without weights, but knows only colours.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..types.records import Pixels, Space, Vectors
from ..types.results import ModelInfo
from . import LoadOptions

if TYPE_CHECKING:
    from PIL.Image import Image


class ColourEncoder:
    """Embeds colours as directions from the centre of the RGB cube: red and cyan are opposites, grey has none."""

    space = Space("colours", dimensions=3, fingerprint="1")
    image_size = 16

    def prepare(self, image: Image) -> Pixels:
        """Return the mean colour of a picture, (3,) in [0, 255]."""
        mean: Pixels = np.asarray(image.convert("RGB"), dtype=np.float32).mean(axis=(0, 1))
        return mean

    def images(self, batch: Sequence[Pixels]) -> Vectors:
        """Return the embeddings of n mean colours: (n, 3) float32 unit rows."""
        return _directions(np.asarray(batch, dtype=np.float32).reshape(-1, 3))

    def patch_features(self, image: Image) -> Vectors:
        """Return the mean colours of 8 x 8 parts of a picture: (8, 8, 3) float32 unit rows."""
        small = np.asarray(image.convert("RGB").resize((8, 8)), dtype=np.float32)
        return _directions(small.reshape(-1, 3)).reshape(8, 8, 3)

    def texts(self, batch: Sequence[str]) -> Vectors:
        """Return unit rows, (n, 3), of the mean of the colours each text names; a text that names none is grey."""
        from PIL import ImageColor  # here: a search by words needs no Pillow

        words = [re.findall("[a-z]+", text.lower()) for text in batch]
        named = [[ImageColor.getrgb(word)[:3] for word in each if word in ImageColor.colormap] for each in words]
        rows = [each or [(128, 128, 128)] for each in named]
        return _directions(np.array([np.mean(row, axis=0) for row in rows], dtype=np.float32).reshape(-1, 3))


class ColourBackend:
    """The one model `colours`; see `encoders.EncoderBackend`."""

    def matches(self, name: str) -> bool:
        """Return whether it is `colours`."""
        return name == "colours"

    def load(self, name: str, options: LoadOptions) -> ColourEncoder:  # noqa: ARG002  # there is one, and no way to run it
        """Return the encoder."""
        return ColourEncoder()

    def installed(self, name: str) -> Path:  # noqa: ARG002  # there is one
        """Return this file, which is all of it."""
        return Path(__file__)

    def pull(self, name: str, options: LoadOptions) -> Path:  # noqa: ARG002  # nothing to prepare
        """Return what is here already."""
        return self.installed(name)

    def describe(self, *, everything: bool = False) -> list[ModelInfo]:  # noqa: ARG002  # there is none to recommend
        """Return nothing: it is for tests and examples."""
        return []


def _directions(colours: Vectors) -> Vectors:
    centred = colours - np.float32(127.25)  # not 127 or 128: plain grey must not give a zero row
    rows: Vectors = (centred / np.linalg.norm(centred, axis=1, keepdims=True)).astype(np.float32)
    return rows
