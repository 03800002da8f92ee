"""Words in pictures. An engine is one file with the methods of `TextReader`, and one line in `app.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from PIL.Image import Image

    from ..types.records import Box

SEEN = 2000  # pixels of the shorter side that a picture is opened with at most, where its format allows less


class TextReader(Protocol):
    """Contract: finds lines of text; a picture without any gives none."""

    name: str  # of engine and models: what they read is kept under it

    def read(self, image: Image) -> list[Box]:
        """The lines of a picture, as people read them, each with its words as its label and how sure it is."""
        ...
