"""Lazy encoder: the parts of a model that need no torch answer at once; the full model loads when it is needed.

Knows which part a call needs; does not know how the parts work.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from ..errors import ModelError
from ..types.records import Pixels, Space, Vectors
from .autotune import TuningTable

if TYPE_CHECKING:
    from PIL.Image import Image

    from .openclip import OpenClip

log = logging.getLogger(__name__)

COMPARED_FROM = 16  # pictures: the first batch of at least this size decides between the engines


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


class ImageEncoder(Protocol):
    """The image part of a model, which needs no torch."""

    def prepare(self, image: Image) -> Pixels:
        """Return one upright RGB picture as the model's input."""
        ...

    def images(self, batch: Sequence[Pixels]) -> Vectors:
        """Return the embeddings of n prepared pictures: (n, dimensions) float32 unit rows."""
        ...


@dataclass
class LazyOpenClip:
    """The parts of a model that need no torch, and a function that loads the full model in torch.

    A few pictures go to the image part, where there is one; for many, the faster of both is measured once for each
    machine, and remembered.
    """

    text: TextEncoder
    load: Callable[[], OpenClip]
    image: ImageEncoder | None = None
    speeds: TuningTable = field(default_factory=TuningTable)
    _whole: OpenClip | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def space(self) -> Space:
        """The embedding space of the model."""
        return self.text.space

    @property
    def image_size(self) -> int:
        """Side of the model's input in pixels."""
        return self.text.image_size

    @property
    def whole(self) -> OpenClip:
        """The full model, loaded on first use."""
        with self._lock:
            if self._whole is None:
                self._whole = self.load()
            return self._whole

    def prepare(self, image: Image) -> Pixels:
        """Return one upright RGB picture as the model's input, the same for both parts."""
        return self.image.prepare(image) if self.image is not None else self.whole.prepare(image)

    def images(self, batch: Sequence[Pixels]) -> Vectors:
        """Return the embeddings of n prepared pictures: (n, dimensions) float32 unit rows."""
        image = self.image
        if image is None or not len(batch):
            return self.whole.images(batch)
        try:
            if len(batch) < COMPARED_FROM or self._engine(image, batch) == "onnx":
                return image.images(batch)
        except ModelError as exc:
            log.warning("%s; pictures are encoded by torch", exc)
            self.image = None
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
        return self.text.texts(batch)

    def _engine(self, image: ImageEncoder, batch: Sequence[Pixels]) -> str:
        """Return the faster engine for many pictures: as remembered, or measured on the first of these."""
        known = self.speeds.known(self.space.fingerprint)
        if known is not None and known.engine:
            return known.engine
        some = batch[:COMPARED_FROM]
        seconds: dict[str, float] = {}
        for name, part in (("onnx", image), ("torch", self.whole)):
            for _ in range(2):  # the first call prepares kernels, and the full model measures how it runs
                started = time.perf_counter()
                part.images(some)
                seconds[name] = time.perf_counter() - started
        engine = min(seconds, key=lambda name: seconds[name])
        known = self.speeds.known(self.space.fingerprint) or self.whole.tuning
        self.speeds.keep(self.space.fingerprint, replace(known, engine=engine))
        return engine
