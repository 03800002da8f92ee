"""The chat format, as people and programs write it."""

from __future__ import annotations

from typing import Any

import pytest
from PIL import Image

from retrieval.errors import UsageError
from retrieval.vlm.messages import ImagePart, Message, TextPart, VideoPart, clock, frames_as_images, read

PICTURE = Image.new("RGB", (4, 4))


def opened(what: Any) -> Image.Image:
    assert what == "a.jpg"
    return PICTURE


def test_strings_and_parts_are_read_in_order() -> None:
    parts = [
        {"type": "text", "text": "look: "},
        {"type": "image", "image": "a.jpg"},
        {"type": "image_url", "image_url": {"url": "a.jpg"}},
        {"type": "text", "text": "what?"},
    ]
    found = read([{"role": "system", "content": "Be short."}, {"role": "user", "content": parts}], opened)
    assert found == [
        Message("system", (TextPart("Be short."),)),
        Message("user", (TextPart("look: "), ImagePart(PICTURE), ImagePart(PICTURE), TextPart("what?"))),
    ]
    assert found[1].text == "look: what?"
    assert found[1].images == [PICTURE, PICTURE]


@pytest.mark.parametrize(
    ("messages", "says"),
    [
        ([], "at least one"),
        ([{"role": "robot", "content": "hi"}], "message 1: the role is 'robot'"),
        ([{"role": "user"}], "message 1: the content"),
        ([{"role": "user", "content": [{"type": "sound"}]}], "message 1: a part is neither"),
        ([{"role": "user", "content": ["hi"]}], "message 1: a part is neither"),
        ([{"role": "user", "content": "hi"}, {"role": "system", "content": "x"}], "a question must follow"),
    ],
)
def test_anything_else_is_refused_with_its_place(messages: list[dict[str, Any]], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        read(messages, opened)


def test_frames_become_numbered_pictures_in_their_place() -> None:
    message = Message("user", (TextPart("a"), VideoPart((PICTURE, PICTURE), (0.0, 83.5)), TextPart("b")))
    found = frames_as_images(message)
    assert found.text == "aFrame 1 at 0:00.0: \nFrame 2 at 1:23.5: \nb"
    assert len(found.images) == 2


def test_a_clock_counts_minutes() -> None:
    assert [clock(second) for second in (0, 9.96, 61, 3600)] == ["0:00.0", "0:10.0", "1:01.0", "60:00.0"]
