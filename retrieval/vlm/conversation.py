"""A conversation about some pictures or videos: every question is asked with all that was said before.

Knows turns; does not know which model speaks, or who asks.
"""

from __future__ import annotations

from collections.abc import Sequence

from . import VisionLanguageModel
from .messages import Message, Part, TextPart


class Conversation:
    """The turns so far stand in `messages`; the pictures go with the first question."""

    def __init__(self, model: VisionLanguageModel, shown: Sequence[Part] = (), system: str = "") -> None:
        self.model, self.shown = model, tuple(shown)
        self.messages = [Message("system", (TextPart(system),))] if system else []

    def ask(self, question: str) -> str:
        """The model's answer. A question that fails is not remembered: it can be asked again.

        Raises:
            UsageError: the model cannot chat, or takes fewer pictures.
            ModelError: it failed.
        """
        first = not any(message.role == "user" for message in self.messages)
        asked = Message("user", (*(self.shown if first else ()), TextPart(question)))
        answer = self.model.chat([*self.messages, asked])
        self.messages += [asked, Message("assistant", (TextPart(answer),))]
        return answer
