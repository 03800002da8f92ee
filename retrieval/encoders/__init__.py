"""Pictures and texts -> unit embeddings in one space. Does not know files or stores.

An encoder is one file with the four methods of `Encoder`, and one line in `app.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from PIL.Image import Image

    from ..types.records import Pixels, Space, Vectors


class Encoder(Protocol):
    """A dual encoder. Contract: rows are unit length, and a batch gives what its members give one by one."""

    @property
    def space(self) -> Space:
        """The space its embeddings belong to."""
        ...

    @property
    def least(self) -> int:
        """The side, in pixels, that its pictures are reduced to: a decoder need not give much more."""
        ...

    def prepare(self, image: Image) -> Pixels:
        """One upright RGB picture as the model wants it; safe to call from several threads."""
        ...

    def images(self, batch: Sequence[Pixels]) -> Vectors:
        """n prepared pictures -> (n, dimensions) float32 unit rows."""
        ...

    def texts(self, batch: Sequence[str]) -> Vectors:
        """n texts -> (n, dimensions) float32 unit rows."""
        ...


@runtime_checkable
class Grids(Protocol):
    """An encoder that can also say what each part of a picture looks like."""

    def grid(self, image: Image) -> Vectors:
        """One upright RGB picture -> (rows, columns, dimensions) float32 unit rows, in the encoder's space.

        Raises:
            UsageError: this very model cannot.
        """
        ...
