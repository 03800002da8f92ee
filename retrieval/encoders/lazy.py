"""An open_clip model in two halves: the text tower answers at once, torch and the rest come when a picture does.

Knows which half is asked; does not know how either works.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..types.records import Pixels, Space, Vectors
from . import Encoder
from .model_name import ModelName
from .numpy_text import Tower

if TYPE_CHECKING:
    from PIL.Image import Image

    from .openclip import OpenClip


@dataclass
class Halves:
    """The tower of a model, and how the whole model is loaded."""

    tower: Tower
    load: Callable[[], OpenClip]
    _whole: OpenClip | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def space(self) -> Space:
        """The model's."""
        return self.tower.space

    @property
    def least(self) -> int:
        """The model's."""
        return self.tower.least

    @property
    def whole(self) -> OpenClip:
        """The model, loaded when it is first needed."""
        with self._lock:
            if self._whole is None:
                self._whole = self.load()
            return self._whole

    def prepare(self, image: Image) -> Pixels:
        """The model's."""
        return self.whole.prepare(image)

    def images(self, batch: Sequence[Pixels]) -> Vectors:
        """The model's."""
        return self.whole.images(batch)

    def grid(self, image: Image) -> Vectors:
        """The model's; see `Grids.grid`."""
        return self.whole.grid(image)

    def texts(self, batch: Sequence[str]) -> Vectors:
        """The tower's; the model's where it is on a device that is faster than the tower."""
        if self._whole is not None and self._whole.device.type != "cpu":
            return self._whole.texts(batch)
        return self.tower.texts(batch)


def encoder(model: str, device: str, precision: str, folder: Path) -> Encoder:
    """A model by its spelling; its tower, and how it runs best, are kept in `folder` from its first time on.

    Raises:
        ModelError: unknown or broken; ModelUnavailable: not on this machine.
    """
    name = ModelName.parse(model)
    place = folder / "towers" / hashlib.blake2b(name.spelling.encode(), digest_size=8).hexdigest()
    tower = Tower.load(place)
    if tower is not None:
        return Halves(tower, lambda: _loaded(model, device, precision, folder))
    whole = _loaded(model, device, precision, folder)
    from .export_text import sources, tower_of

    tower = tower_of(whole)
    if tower is None:
        return whole
    with contextlib.suppress(OSError):  # a full disk: the next process makes it again
        tower.save(place, sources(whole))
    return Halves(tower, lambda: whole, whole)


def _loaded(model: str, device: str, precision: str, folder: Path) -> OpenClip:
    from .autotune import Speeds
    from .openclip import OpenClip

    return OpenClip.load(model, device, precision, Speeds(folder / "speeds.json"))
