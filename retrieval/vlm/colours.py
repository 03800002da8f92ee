"""A vision-language model that knows only colours, for tests and examples.

It really works, without weights: it names a picture's colour, judges queries that name one, and points at it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import ImageColor

from ..types.records import Box, Judgement, Mask
from . import Ability, masks
from .messages import Message, frames_as_images

if TYPE_CHECKING:
    from PIL.Image import Image

NAMES = ("black", "white", "grey", "red", "lime", "blue", "yellow", "orange", "purple", "green", "brown", "pink")
NEAR = 100.0  # distance in RGB at which two colours count as the same with probability 0.5


class ColourVlm:
    """Describes a picture by its most frequent colour."""

    name = identity = "colours"
    weight = 1.0
    abilities = frozenset(Ability)

    def count_tokens(self, text: str) -> int:
        """Return the number of words."""
        return len(text.split())

    def chat(self, messages: Sequence[Message], limit: int = 256) -> str:
        """Return the answer to the last message about all pictures so far, in at most 8 * `limit` characters."""
        images = [image for message in messages for image in frames_as_images(message).images]
        return self.answer(images, messages[-1].text)[: 8 * limit]

    def caption(self, images: Sequence[Image]) -> list[str]:
        """Return a caption such as `a red picture` for each picture."""
        return [f"a {_name(_main(image))} picture" for image in images]

    def answer(self, images: Sequence[Image], question: str) -> str:
        """Return yes or no if the question names a colour, otherwise the colours of the pictures."""
        if _named(question):
            return "yes" if any(verdict.yes > 0.5 for verdict in self.judge(question, images)) else "no"
        return ", ".join(_name(_main(image)) for image in images)

    def judge(self, query: str, images: Sequence[Image]) -> list[Judgement]:
        """Judge how near each picture's colour is to one the query names; without mass if the query names none."""
        wanted = _named(query)
        if not wanted:
            return [Judgement(0.5, 0.0) for _ in images]
        away = [min(float(np.linalg.norm(_main(image) - colour)) for colour in wanted) for image in images]
        return [Judgement(1 / (1 + (distance / NEAR) ** 4)) for distance in away]

    def verify(self, question: str, images: Sequence[Image]) -> list[Judgement]:
        """Return the same as `judge`."""
        return self.judge(question, images)

    def ground(self, image: Image, phrase: str) -> list[Box]:
        """Return the smallest box around all pixels of each colour that the phrase names."""
        boxes = [box for colour in _named(phrase) for box in masks.around(_near(image, colour), phrase)]
        return [replace(box, score=None) for box in boxes]

    def segment(self, image: Image, phrase: str) -> Mask:
        """Return the mask of all pixels of the colours that the phrase names, (height, width)."""
        found = [_near(image, colour) for colour in _named(phrase)]
        return np.maximum.reduce(found) if found else np.zeros((image.height, image.width), np.float32)


def _pixels(image: Image) -> npt.NDArray[np.float32]:
    return np.asarray(image.convert("RGB"), np.float32)


def _near(image: Image, colour: npt.NDArray[np.float32]) -> Mask:
    away = np.linalg.norm(_pixels(image) - colour, axis=2)
    return np.where(away < NEAR, np.float32(1), np.float32(0))


def _main(image: Image) -> npt.NDArray[np.float32]:
    """Return the most frequent colour, (3,), counted in 32 steps per channel."""
    small = _pixels(image.resize((16, 16))).reshape(-1, 3)
    _, place, counts = np.unique(small // 8, axis=0, return_inverse=True, return_counts=True)
    main: npt.NDArray[np.float32] = small[place.reshape(-1) == counts.argmax()].mean(axis=0)
    return main


def _named(text: str) -> list[npt.NDArray[np.float32]]:
    words = [word for word in re.findall("[a-z]+", text.lower()) if word in ImageColor.colormap]
    return [np.array(ImageColor.getrgb(word)[:3], np.float32) for word in words]


def _name(colour: npt.NDArray[np.float32]) -> str:
    return min(NAMES, key=lambda name: float(np.linalg.norm(_named(name)[0] - colour)))
