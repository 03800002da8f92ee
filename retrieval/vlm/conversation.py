"""A conversation about pictures or videos: each question is sent with all previous turns.

Knows turns; does not know which model answers or who asks.
"""

from __future__ import annotations

from collections.abc import Sequence

from . import VisionLanguageModel
from .messages import Message, Part, TextPart


class Conversation:
    """The turns so far are in `messages`; the pictures are part of the first question."""

    def __init__(self, model: VisionLanguageModel, shown: Sequence[Part] = (), system: str = "") -> None:
        self.model, self.shown = model, tuple(shown)
        self.messages = [Message("system", (TextPart(system),))] if system else []

    def ask(self, question: str) -> str:
        """Return the model's answer. A question that fails is not recorded and can be asked again.

        Raises:
            UsageError: the model cannot chat, or takes fewer pictures.
            ModelError: the model failed.
        """
        first = not any(message.role == "user" for message in self.messages)
        asked = Message("user", (*(self.shown if first else ()), TextPart(question)))
        answer = self.model.chat([*self.messages, asked])
        self.messages += [asked, Message("assistant", (TextPart(answer),))]
        return answer
