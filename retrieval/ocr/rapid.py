"""PP-OCR by RapidOCR on ONNX Runtime: detection, direction and recognition, with the models in its wheel.

Knows RapidOCR; does not know the library.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from ..runtime import extras
from ..types.records import Box

if TYPE_CHECKING:
    from PIL.Image import Image

SURE = 0.5  # minimum confidence of a line that is kept


class Rapid:
    """Reads Latin and Chinese scripts, printed or clearly written; a page takes a second or two on a laptop's CPU."""

    def __init__(self) -> None:
        """Load the models.

        Raises:
            ModelUnavailable: the packages are not installed.
        """
        extras.require("ocr", "reading text in pictures")
        from rapidocr import RapidOCR

        self.name = f"rapidocr {version('rapidocr')}"
        self.engine = RapidOCR(params={"Global.log_level": "critical"})

    def read(self, image: Image) -> list[Box]:
        """Return the lines of a picture as boxes with text and confidence, starting at the top left."""
        found: Any = self.engine(np.asarray(image.convert("RGB"))[:, :, ::-1])
        if found.boxes is None or found.txts is None or found.scores is None:
            return []
        lines = []
        for corners, text, score in zip(found.boxes, found.txts, found.scores, strict=True):
            left, top = np.min(corners, axis=0) / image.size
            right, bottom = np.max(corners, axis=0) / image.size
            if score >= SURE and text.strip():
                lines.append(Box(text, float(left), float(top), float(right), float(bottom), round(float(score), 3)))
        return lines
