"""Vision-language models: pictures and text in; text, verdicts and boxes out. Does not know the library.

A backend is one file that implements `VisionLanguageModel`, and one line in `library/backends.py`; a model family that
transformers supports is one row in `families.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from PIL.Image import Image

    from ..types.records import Box, Judgement, Mask, VisionFeatures
    from .messages import Message


IMAGE_SIZE = 512  # pixels; a picture is reduced to no less than twice this on its shorter side


class Ability(StrEnum):
    """What a model can do; using an ability that it lacks raises `UsageError`."""

    CAPTION = "caption"
    CHAT = "chat"  # several turns, a system message
    ANSWER = "answer"  # one question on one picture (VQA)
    COUNT = "count"  # its answers to counting questions are useful
    IMAGES = "images"  # several pictures in one prompt
    VIDEO = "video"  # frames with their times
    GROUND = "ground"
    SEGMENT = "segment"  # pixels, not boxes
    JUDGE = "judge"


@runtime_checkable
class SupportsVisionCache(Protocol):
    """A model whose vision features can be cached: the expensive part of a judgement runs once per picture."""

    def vision_features(self, images: Sequence[Image]) -> list[VisionFeatures]:
        """Return the vision features of each picture: (tokens, width) float16."""
        ...

    def judge_features(self, query: str, looks: Sequence[VisionFeatures]) -> list[Judgement]:
        """Judge pictures by their cached vision features; see `VisionLanguageModel.judge`."""
        ...

    def verify_features(self, question: str, looks: Sequence[VisionFeatures]) -> list[Judgement]:
        """Verify a question on cached vision features of pictures; see `VisionLanguageModel.verify`."""
        ...


class VisionLanguageModel(Protocol):
    """A vision-language model. Contract: an input gives the same result alone as in a batch."""

    @property
    def name(self) -> str:
        """The name that loads the model again."""
        ...

    @property
    def identity(self) -> str:
        """The key under which results are stored: the name and, where known, a fingerprint of the weights."""
        ...

    @property
    def weight(self) -> float:
        """The weight of its verdicts against an encoder's scores, fitted on held-out pairs; see `search.rerank`."""
        ...

    @property
    def abilities(self) -> frozenset[Ability]:
        """What the model can do."""
        ...

    def chat(self, messages: Sequence[Message], limit: int = 256) -> str:
        """Return the assistant's next message, of at most `limit` tokens."""
        ...

    def caption(self, images: Sequence[Image]) -> list[str]:
        """Return one sentence about each upright RGB picture."""
        ...

    def answer(self, images: Sequence[Image], question: str) -> str:
        """Return a short answer to a question about these pictures, which the model sees in this order."""
        ...

    def judge(self, query: str, images: Sequence[Image]) -> list[Judgement]:
        """Return a verdict on each picture: whether it shows what the query describes."""
        ...

    def verify(self, question: str, images: Sequence[Image]) -> list[Judgement]:
        """Return a verdict on each picture: whether a yes-or-no question has the answer yes. Needs `Ability.ANSWER`."""
        ...

    def ground(self, image: Image, phrase: str) -> list[Box]:
        """Return boxes around what the phrase describes; an empty list if the picture does not show it."""
        ...

    def segment(self, image: Image, phrase: str) -> Mask:
        """Return the mask of the pixels that show what the phrase describes, (height, width); all zero if none do."""
        ...


@runtime_checkable
class Streaming(Protocol):
    """A model that can stream its answers."""

    def streaming(self, heard: Callable[[str], None]) -> VisionLanguageModel:
        """Return the same loaded model, set to pass each piece of an answer to a callback as it is generated."""
        ...


@runtime_checkable
class CountsTokens(Protocol):
    """A model that can tell how many tokens a text has."""

    def count_tokens(self, text: str) -> int:
        """Return the number of tokens."""
        ...


def judge_on(model: VisionLanguageModel, images: Sequence[Image]) -> Callable[[str], list[Judgement]]:
    """Return a function that judges queries on these pictures; vision features are computed once if possible."""
    if isinstance(model, SupportsVisionCache):
        onlooker, looks = model, model.vision_features(images)
        return lambda query: onlooker.judge_features(query, looks)
    return lambda query: model.judge(query, images)
