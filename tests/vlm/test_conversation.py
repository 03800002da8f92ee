"""A conversation remembers its turns."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from PIL import Image

from retrieval.errors import ModelError
from retrieval.vlm.colours import ColourVlm
from retrieval.vlm.conversation import Conversation
from retrieval.vlm.messages import ImagePart, Message


def test_every_question_comes_with_all_that_was_said() -> None:
    red = Image.new("RGB", (8, 8), "red")
    talk = Conversation(ColourVlm(), [ImagePart(red)], system="Be short.")
    assert [talk.ask("what colour?"), talk.ask("is it blue?")] == ["red", "no"]
    assert [message.role for message in talk.messages] == ["system", "user", "assistant", "user", "assistant"]
    assert [len(message.images) for message in talk.messages] == [0, 1, 0, 0, 0]


def test_a_question_that_failed_can_be_asked_again() -> None:
    class Late(ColourVlm):
        calls = 0

        def chat(self, messages: Sequence[Message], limit: int = 256) -> str:
            self.calls += 1
            if self.calls == 1:
                raise ModelError("not now")
            return super().chat(messages, limit)

    talk = Conversation(Late(), [ImagePart(Image.new("RGB", (8, 8), "red"))])
    with pytest.raises(ModelError):
        talk.ask("what colour?")
    assert talk.ask("what colour?") == "red"
    assert len(talk.messages) == 2
