"""Lazy encoder: its text part answers at once; torch and the full model load with the first picture.

Knows which part a call needs; does not know how either part works.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from ..types.records import Pixels, Space, Vectors

if TYPE_CHECKING:
    from PIL.Image import Image

    from .openclip import OpenClip


class TextEncoder(Protocol):
    """The text part of a model, which needs no torch."""

    @property
    def space(self) -> Space:
        """The embedding space of the model."""
        ...

    @property
    def image_size(self) -> int:
        """Side of the model's input in pixels."""
        ...

    def texts(self, batch: Sequence[str]) -> Vectors:
        """Return the embeddings of n texts: (n, dimensions) float32 unit rows."""
        ...


@dataclass
class LazyOpenClip:
    """The text part of a model, and a function that loads the full model in torch."""

    tower: TextEncoder
    load: Callable[[], OpenClip]
    _whole: OpenClip | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def space(self) -> Space:
        """The embedding space of the model."""
        return self.tower.space

    @property
    def image_size(self) -> int:
        """Side of the model's input in pixels."""
        return self.tower.image_size

    @property
    def whole(self) -> OpenClip:
        """The full model, loaded on first use."""
        with self._lock:
            if self._whole is None:
                self._whole = self.load()
            return self._whole

    def prepare(self, image: Image) -> Pixels:
        """Return one upright RGB picture as the full model's input."""
        return self.whole.prepare(image)

    def images(self, batch: Sequence[Pixels]) -> Vectors:
        """Return the embeddings of n prepared pictures by the full model: (n, dimensions) float32 unit rows."""
        return self.whole.images(batch)

    def patch_features(self, image: Image) -> Vectors:
        """Return the patch features of a picture by the full model: (rows, columns, dimensions) float32 unit rows."""
        return self.whole.patch_features(image)

    def texts(self, batch: Sequence[str]) -> Vectors:
        """Return the embeddings of n texts: (n, dimensions) float32 unit rows.

        The text part computes them, unless the full model is already loaded on a GPU.
        """
        if self._whole is not None and self._whole.device.type != "cpu":
            return self._whole.texts(batch)
        return self.tower.texts(batch)
