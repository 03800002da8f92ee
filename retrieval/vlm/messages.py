"""The chat format: roles, and parts that are text, a picture or a video; parsed from JSON-like messages.

Knows the format; does not know models, files or pixels.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from ..errors import UsageError

if TYPE_CHECKING:
    from PIL.Image import Image

    from . import VisionLanguageModel

ROLES = ("system", "user", "assistant")
CLOSED = re.compile(r"\s*(is|are|was|were|do|does|did|has|have|can|could|will|would)\b", re.IGNORECASE)


@dataclass(frozen=True)
class TextPart:
    """A piece of text."""

    text: str


@dataclass(frozen=True)
class ImagePart:
    """An upright RGB picture."""

    image: Image


@dataclass(frozen=True)
class VideoPart:
    """Video frames in order, each with its time in seconds."""

    frames: tuple[Image, ...]
    seconds: tuple[float, ...]


Part: TypeAlias = TextPart | ImagePart | VideoPart


@dataclass(frozen=True)
class Message:
    """One turn of a conversation."""

    role: str
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        """The text of the message, without its pictures."""
        return "".join(part.text for part in self.parts if isinstance(part, TextPart))

    @property
    def images(self) -> list[Image]:
        """The pictures of the message, in order."""
        return [part.image for part in self.parts if isinstance(part, ImagePart)]


def is_closed(question: str) -> bool:
    """Whether a question is one for yes or no."""
    return CLOSED.match(question) is not None


def answer(model: VisionLanguageModel, shown: Sequence[Part], question: str) -> str:
    """Return the model's answer to a question about pictures; if there are videos among them, ask in a chat message.

    Raises:
        UsageError: the model cannot read videos.
    """
    images = [part.image for part in shown if isinstance(part, ImagePart)]
    if len(images) == len(shown):
        return model.answer(images, question)
    if "video" not in model.abilities:
        raise UsageError(f"{model.name} reads no videos; name another --vlm (see `retrieval vlms`)")
    return model.chat([Message("user", (*shown, TextPart(question)))])


def user(*parts: str | Image) -> Message:
    """Return a user message of texts and pictures, in order."""
    return Message("user", tuple(TextPart(part) if isinstance(part, str) else ImagePart(part) for part in parts))


def read(messages: Sequence[Mapping[str, Any]], opened: Callable[[Any], Image]) -> list[Message]:
    """Parse messages `{"role": ..., "content": ...}`; content is a string or a list of `{"type": ...}` parts.

    A picture is the value of `image` (or, as OpenAI writes it, `{"type": "image_url", "image_url": {"url": ...}}`);
    the callback turns this value into a picture.

    Raises:
        UsageError: there is no message, one has another form (its number is given), or the last is the system's.
    """
    if not messages:
        raise UsageError("a conversation needs at least one message")
    parsed = []
    for number, message in enumerate(messages, start=1):
        role, content = message.get("role"), message.get("content")
        if role not in ROLES:
            raise UsageError(f"message {number}: the role is {role!r}, not one of {', '.join(ROLES)}")
        if isinstance(content, str):
            content = [{"type": "text", "text": content}]
        if not isinstance(content, Sequence):
            raise UsageError(f"message {number}: the content is neither a text nor a list of parts")
        parsed.append(Message(role, tuple(_part(part, number, opened) for part in content)))
    if parsed[-1].role == "system":
        raise UsageError("the last message is the system's; a question must follow")
    return parsed


def _part(part: Any, number: int, opened: Callable[[Any], Image]) -> Part:
    kind = part.get("type") if isinstance(part, Mapping) else None
    if kind == "text" and isinstance(part.get("text"), str):
        return TextPart(part["text"])
    if kind == "image" and part.get("image") is not None:
        return ImagePart(opened(part["image"]))
    if kind == "image_url" and isinstance(part.get("image_url"), Mapping) and "url" in part["image_url"]:
        return ImagePart(opened(part["image_url"]["url"]))
    raise UsageError(f"message {number}: a part is neither a text nor an image: {str(part)[:60]}")


def frames_as_images(message: Message) -> Message:
    """Return the message for a model without video: each frame becomes a picture after its number and time."""
    parts: list[Part] = []
    for part in message.parts:
        if not isinstance(part, VideoPart):
            parts.append(part)
            continue
        for number, (frame, second) in enumerate(zip(part.frames, part.seconds, strict=True), start=1):
            parts += [TextPart(f"Frame {number} at {clock(second)}: "), ImagePart(frame), TextPart("\n")]
    return Message(message.role, tuple(parts))


def clock(seconds: float) -> str:
    """Format seconds as minutes and seconds: 83.5 -> 1:23.5."""
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes)}:{rest:04.1f}"
