"""OCR: text in pictures. An engine is one file that implements `TextReader`, and one line in `library/backends.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from PIL.Image import Image

    from ..types.records import Box

IMAGE_SIZE = 2000  # pixels; a larger picture is reduced to no less than twice this on its shorter side


class TextReader(Protocol):
    """An OCR engine. Contract: it returns lines of text, none for a picture without text."""

    name: str  # of engine and models; their results are stored under it

    def read(self, image: Image) -> list[Box]:
        """Return the lines of a picture in reading order: boxes with the text as label and the confidence as score."""
        ...
