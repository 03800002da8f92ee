"""Encoders: pictures and texts to unit embeddings in one space. Knows nothing of files or storage.

An encoder is one file that implements `Encoder`, and one line in `app.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from PIL.Image import Image

    from ..types.records import Pixels, Space, Vectors


class Encoder(Protocol):
    """A dual encoder. Contract: rows have unit length, and an input gives the same row alone as in a batch."""

    @property
    def space(self) -> Space:
        """The embedding space of the model."""
        ...

    @property
    def image_size(self) -> int:
        """Side of the model's input in pixels; a decoder need not deliver much more."""
        ...

    def prepare(self, image: Image) -> Pixels:
        """Return one upright RGB picture as the model's input; thread-safe."""
        ...

    def images(self, batch: Sequence[Pixels]) -> Vectors:
        """Return the embeddings of n prepared pictures: (n, dimensions) float32 unit rows."""
        ...

    def texts(self, batch: Sequence[str]) -> Vectors:
        """Return the embeddings of n texts: (n, dimensions) float32 unit rows."""
        ...


@runtime_checkable
class SupportsPatchFeatures(Protocol):
    """An encoder that also embeds each part of a picture (patch features)."""

    def patch_features(self, image: Image) -> Vectors:
        """Return the patch features of one upright RGB picture: (rows, columns, dimensions) float32 unit rows.

        They lie in the encoder's embedding space.

        Raises:
            UsageError: this model has no patch features.
        """
        ...
