"""Pictures and words -> words, verdicts and boxes, by a vision-language model. Does not know the library.

A backend is one file with the methods of `VisionLanguageModel`, and one line in `app.py`; a model family that
transformers has is one row in `families.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from PIL.Image import Image

    from ..types.records import Box, Judgement, Look, Mask
    from .messages import Message


SEEN = 512  # half the pixels of a picture's shorter side that a model is shown, at least


class Ability(StrEnum):
    """What a model can do; asking for another is a `UsageError`."""

    CAPTION = "caption"
    CHAT = "chat"  # several turns, a system message
    ANSWER = "answer"  # one question on one picture (VQA)
    COUNT = "count"  # its answers on numbers are worth asking for
    IMAGES = "images"  # several pictures in one prompt
    VIDEO = "video"  # frames with their times
    GROUND = "ground"
    SEGMENT = "segment"  # pixels, not boxes
    JUDGE = "judge"


@runtime_checkable
class Onlooker(Protocol):
    """A model whose look at a picture can be kept: the dear half of a judgement, done once."""

    def look(self, images: Sequence[Image]) -> list[Look]:
        """What it sees of each picture."""
        ...

    def judge_looks(self, query: str, looks: Sequence[Look]) -> list[Judgement]:
        """As `VisionLanguageModel.judge`, on pictures that were looked at before."""
        ...

    def verify_looks(self, question: str, looks: Sequence[Look]) -> list[Judgement]:
        """As `VisionLanguageModel.verify`, on pictures that were looked at before."""
        ...


class VisionLanguageModel(Protocol):
    """A vision-language model. Contract: a batch gives what its members give one by one."""

    @property
    def name(self) -> str:
        """The spelling that loads it again."""
        ...

    @property
    def identity(self) -> str:
        """The name with what tells its weights from others of that name: what it said is kept under it."""
        ...

    @property
    def weight(self) -> float:
        """How much its opinions count against an encoder's, fitted on held-back pairs; see `search.rerank`."""
        ...

    @property
    def abilities(self) -> frozenset[Ability]:
        """What it can do."""
        ...

    def chat(self, messages: Sequence[Message], limit: int = 256) -> str:
        """The assistant's next message, of at most `limit` tokens."""
        ...

    def caption(self, images: Sequence[Image]) -> list[str]:
        """One sentence on each upright RGB picture."""
        ...

    def answer(self, images: Sequence[Image], question: str) -> str:
        """A short answer to a question on these pictures, in their order."""
        ...

    def judge(self, query: str, images: Sequence[Image]) -> list[Judgement]:
        """Whether each picture shows what the query says."""
        ...

    def verify(self, question: str, images: Sequence[Image]) -> list[Judgement]:
        """Whether the answer to a yes-or-no question is yes, on each picture; models that `ANSWER` can."""
        ...

    def ground(self, image: Image, phrase: str) -> list[Box]:
        """Where the picture shows what the phrase says; empty when nowhere."""
        ...

    def segment(self, image: Image, phrase: str) -> Mask:
        """Which pixels show what the phrase says; all zero when none."""
        ...


@runtime_checkable
class Telling(Protocol):
    """A model whose answers can be followed while it speaks."""

    def telling(self, heard: Callable[[str], None]) -> VisionLanguageModel:
        """The same model, loaded once, which tells each piece of what it says as it comes."""
        ...


def judging(model: VisionLanguageModel, images: Sequence[Image]) -> Callable[[str], list[Judgement]]:
    """How any number of queries are judged on the same pictures: a model that can keep its look looks once."""
    if isinstance(model, Onlooker):
        onlooker, looks = model, model.look(images)
        return lambda query: onlooker.judge_looks(query, looks)
    return lambda query: model.judge(query, images)
