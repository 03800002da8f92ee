"""What the vision-language model says over HTTP: captions, answers, boxes; and the protocol of OpenAI's clients.

Knows messages; does not know models.
"""

from __future__ import annotations

import base64
import binascii
import json
import time
import uuid
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, File, Form, UploadFile
from fastapi.responses import Response, StreamingResponse
from PIL.Image import Image
from pydantic import BaseModel, ConfigDict, Field

from .. import app
from ..errors import UsageError
from ..questions import Questions
from ..vlm import SEEN, messages
from ..vlm.messages import ImagePart, Message, Part, TextPart
from .service import Service
from .wiring import ERRORS, Asked, Json, Number, Serving

router = APIRouter(prefix="/v1", tags=["vision-language model"], responses=ERRORS)

MOST = 8  # pictures of one question

Items = Annotated[list[Number], Form(description="Pictures of the library, by their numbers")]
Files = Annotated[list[UploadFile], File(description="Picture files")]


def shown(service: Service, asked: Questions, items: list[int], images: list[UploadFile]) -> list[Part]:
    """The pictures of a request, as parts of a message.

    Raises:
        UsageError: none, or too many; PictureError: one of them cannot be used.
    """
    if not items and not images:
        raise UsageError("send a picture: an item of the library, or an image")
    if len(items) + len(images) > MOST:
        raise UsageError(f"at most {MOST} pictures are shown at once")
    settings = service.library.settings
    found = [asked.items.get(number) for number in items]
    known: list[Part] = [app.part(item.path, settings, item.second) for item in found]
    return known + [ImagePart(service.picture(image.file.read(), SEEN)) for image in images]


def pictured(parts: list[Part]) -> Image:
    """The one picture among them.

    Raises:
        UsageError: there are others.
    """
    if len(parts) != 1 or not isinstance(parts[0], ImagePart):
        raise UsageError("this is for one picture")
    return parts[0].image


@router.post("/caption", summary="A caption that the model writes")
def caption(service: Serving, asked: Asked, items: Items = [], images: Files = []) -> Response:  # noqa: B006  # FastAPI copies it
    """One sentence on a picture; nothing is kept."""
    image = pictured(shown(service, asked, items, images))
    with service.speaking:
        model = service.vlm()
        return Json({"text": model.caption([image])[0], "model": model.name})


@router.post("/ask", summary="A question on pictures")
def ask(
    service: Serving,
    asked: Asked,
    question: Annotated[str, Form(min_length=1, max_length=2000)],
    items: Items = [],  # noqa: B006  # FastAPI copies it
    images: Files = [],  # noqa: B006
) -> Response:
    """The model's answer."""
    parts = shown(service, asked, items, images)
    with service.speaking:
        model = service.vlm()
        return Json({"answer": messages.answer(model, parts, question), "model": model.name})


@router.post("/ground", summary="Where a picture shows something")
def ground(
    service: Serving,
    asked: Asked,
    phrase: Annotated[str, Form(min_length=1, max_length=500)],
    items: Items = [],  # noqa: B006  # FastAPI copies it
    images: Files = [],  # noqa: B006
) -> Response:
    """Boxes in parts of the picture's width and height, from its top left corner."""
    image = pictured(shown(service, asked, items, images))
    with service.speaking:
        model = service.vlm()
        return Json({"boxes": model.ground(image, phrase), "model": model.name})


# --- OpenAI's protocol ------------------------------------------------------------------------------------------------


class ImageUrl(BaseModel):
    """A picture, as a data URI."""

    url: str


class ContentPart(BaseModel):
    """A part of a message."""

    type: Literal["text", "image_url"]
    text: str = ""
    image_url: ImageUrl | None = None


class ChatMessage(BaseModel):
    """One turn."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[ContentPart] | None = ""


class ChatRequest(BaseModel):
    """What a client of OpenAI's chat completions sends; what is not known here is left aside."""

    model_config = ConfigDict(extra="ignore")

    messages: list[ChatMessage] = Field(min_length=1, max_length=64)
    model: str = ""
    max_tokens: Annotated[int | None, Field(ge=1, le=4096)] = None
    max_completion_tokens: Annotated[int | None, Field(ge=1, le=4096)] = None
    stream: bool = False
    n: Literal[1] = 1


STREAMED: dict[int | str, dict[str, Any]] = {
    200: {"description": "An answer, or its stream", "content": {"application/json": {}, "text/event-stream": {}}}
}


@router.post("/chat/completions", responses=STREAMED, summary="OpenAI's chat completions, by the model of this server")
def chat_completions(service: Serving, asked: ChatRequest) -> Response:
    """For clients and evaluation kits that speak this protocol; pictures come as data URIs."""
    turns = [_turn(service, message) for message in asked.messages]
    limit = asked.max_completion_tokens or asked.max_tokens or 256
    with service.speaking:
        model = service.vlm()
        said = _said(service, turns, limit)
    about = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time()), "model": model.name}
    if asked.stream:
        return StreamingResponse(_chunks(about, said), media_type="text/event-stream")
    choice = {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop", "logprobs": None}
    usage = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}  # the models here do not count for us
    return Json({**about, "object": "chat.completion", "choices": [choice], "usage": usage})


def _said(service: Service, turns: list[Message], limit: int) -> str:
    model = service.vlm()
    if "chat" in model.abilities:
        return model.chat(turns, limit)
    last = turns[-1]
    if (len(turns) > 1 and any(turn.images for turn in turns[:-1])) or not last.images:
        raise UsageError(f"{model.name} answers one question on one picture; start the server with another --vlm")
    return messages.answer(model, [part for part in last.parts if isinstance(part, ImagePart)], last.text)


def _turn(service: Service, message: ChatMessage) -> Message:
    content = message.content or ""
    if isinstance(content, str):
        parts: tuple[Part, ...] = (TextPart(content),)
    else:
        parts = tuple(_part(service, part) for part in content)
    return Message("system" if message.role == "developer" else message.role, parts)


def _part(service: Service, part: ContentPart) -> Part:
    if part.image_url is None:
        return TextPart(part.text)
    head, _, data = part.image_url.url.partition(",")
    if not (head.startswith("data:image/") and head.endswith(";base64")):
        raise UsageError("pictures come as data URIs (data:image/jpeg;base64,...); addresses are not fetched here")
    try:
        return ImagePart(service.picture(base64.b64decode(data, validate=True), SEEN))
    except binascii.Error as exc:
        raise UsageError("a picture's data URI is not base64") from exc


def _chunks(about: dict[str, Any], said: str) -> Iterator[str]:
    """The answer word by word, as the protocol streams it."""
    words = said.split(" ")
    deltas: list[dict[str, str]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": word if place == 0 else f" {word}"} for place, word in enumerate(words)]
    for delta in deltas:
        yield _event({**about, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
    yield _event({**about, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    yield "data: [DONE]\n\n"


def _event(value: dict[str, Any]) -> str:
    return f"data: {json.dumps({**value, 'object': 'chat.completion.chunk'})}\n\n"
