"""Routes of the vision-language model: captions, answers, boxes; and OpenAI's chat completions."""

from __future__ import annotations

import base64
import json
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, File, Form, Request, UploadFile
from fastapi.responses import Response, StreamingResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from PIL.Image import Image
from pydantic import BaseModel, ConfigDict, Field

from ..errors import UsageError
from ..library import backends
from ..library.view import LibraryView
from ..vlm import IMAGE_SIZE, Ability, Streaming, VisionLanguageModel, messages
from ..vlm.messages import ImagePart, Message, Part, TextPart
from .dependencies import ERRORS, JSONResponse, Number, Serving, View
from .route_facts import facts
from .service import Service
from .stream import streamed

router = APIRouter(prefix="/v1", tags=["vision-language model"], responses=ERRORS)

MOST = 8  # pictures in one request

Items = Annotated[list[Number], Form(description="Pictures of the library, by their numbers")]
Files = Annotated[list[UploadFile], File(description="Picture files")]


def shown(service: Service, library: LibraryView, items: list[int], images: list[UploadFile]) -> list[Part]:
    """Return the pictures of a request, as parts of a message.

    Raises:
        UsageError: there are none, or more than `MOST`.
        PictureError: one of them cannot be used.
    """
    if not items and not images:
        raise UsageError("send a picture: an item of the library, or an image")
    if len(items) + len(images) > MOST:
        raise UsageError(f"at most {MOST} pictures per request")
    settings = service.library.settings
    found = [library.items.require(library.items.get(number)) for number in items]
    known: list[Part] = [backends.part(item.path, settings, item.second) for item in found]
    return known + [ImagePart(service.picture(image.file.read(), IMAGE_SIZE)) for image in images]


def pictured(parts: list[Part]) -> Image:
    """Return the only picture among these parts.

    Raises:
        UsageError: there is more than one part, or it is not a picture.
    """
    if len(parts) != 1 or not isinstance(parts[0], ImagePart):
        raise UsageError("this is for one picture")
    return parts[0].image


@router.post("/caption", summary="A caption that the model writes")
@facts(slow=True)
def caption(service: Serving, library: View, items: Items = [], images: Files = []) -> Response:  # noqa: B006  # FastAPI copies it
    """Return one sentence about a picture; it is not stored."""
    image = pictured(shown(service, library, items, images))
    with service.speaks() as model:
        return JSONResponse({"text": model.caption([image])[0], "model": model.name})


@router.post("/caption/stream", response_class=EventSourceResponse, summary="A caption, while the model writes it")
@facts(slow=True)
def caption_stream(
    service: Serving,
    library: View,
    request: Request,
    items: Items = [],  # noqa: B006  # FastAPI copies it
    images: Files = [],  # noqa: B006
) -> Iterator[ServerSentEvent]:
    """Send the events `text` (a piece of the caption), `answer` (the whole caption) and `end`; or `error`."""

    def work(emit: Callable[[str, Any], None]) -> None:
        image = pictured(shown(service, library, items, images))
        with service.speaks() as model:
            text = following(model, lambda piece: emit("text", piece)).caption([image])[0]
        emit("answer", {"text": text, "model": model.name})

    yield from streamed(work, request)


@router.post("/ask", summary="A question on pictures")
@facts(slow=True)
def ask(
    service: Serving,
    library: View,
    question: Annotated[str, Form(min_length=1, max_length=2000)],
    items: Items = [],  # noqa: B006  # FastAPI copies it
    images: Files = [],  # noqa: B006
) -> Response:
    """Return the model's answer to a question about the pictures."""
    parts = shown(service, library, items, images)
    with service.speaks() as model:
        return JSONResponse({"answer": messages.answer(model, parts, question), "model": model.name})


@router.post("/ask/stream", response_class=EventSourceResponse, summary="Ask a question, with the answer streamed")
@facts(slow=True)
def ask_stream(
    service: Serving,
    library: View,
    request: Request,
    question: Annotated[str, Form(min_length=1, max_length=2000)],
    items: Items = [],  # noqa: B006  # FastAPI copies it
    images: Files = [],  # noqa: B006
) -> Iterator[ServerSentEvent]:
    """Send the events `text` (a piece of the answer), `answer` (the whole answer) and `end`; or `error`."""

    def work(emit: Callable[[str, Any], None]) -> None:
        parts = shown(service, library, items, images)
        with service.speaks() as model:
            answer = messages.answer(following(model, lambda piece: emit("text", piece)), parts, question)
        emit("answer", {"answer": answer, "model": model.name})

    yield from streamed(work, request)


def following(model: VisionLanguageModel, heard: Callable[[str], None]) -> VisionLanguageModel:
    """Return the model with `heard` called for each piece of its output, or the model itself if it cannot stream."""
    return model.streaming(heard) if isinstance(model, Streaming) else model


@router.post("/ground", summary="Where a picture shows something")
@facts(slow=True)
def ground(
    service: Serving,
    library: View,
    phrase: Annotated[str, Form(min_length=1, max_length=500)],
    items: Items = [],  # noqa: B006  # FastAPI copies it
    images: Files = [],  # noqa: B006
) -> Response:
    """Return boxes as fractions of the picture's width and height, from its top left corner."""
    image = pictured(shown(service, library, items, images))
    with service.speaks() as model:
        return JSONResponse({"boxes": model.ground(image, phrase), "model": model.name})


# --- OpenAI's protocol ------------------------------------------------------------------------------------------------


class ImageUrl(BaseModel):
    """A picture, as a data URI."""

    url: str


class ContentPart(BaseModel):
    """A part of a message: text or a picture."""

    type: Literal["text", "image_url"]
    text: str = ""
    image_url: ImageUrl | None = None


class ChatMessage(BaseModel):
    """One message of a conversation."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[ContentPart] | None = ""


class ChatRequest(BaseModel):
    """A request of OpenAI's chat completions; unknown fields are ignored."""

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
@facts(slow=True)
def chat_completions(service: Serving, body: ChatRequest, request: Request) -> Response:
    """Answer clients and evaluation tools that use OpenAI's protocol; pictures come as data URIs."""
    pictures = [sum(part.image_url is not None for part in _parts(message)) for message in body.messages]
    if sum(pictures) > MOST:
        raise UsageError(f"at most {MOST} pictures per request")
    model = service.library.services.vlm()
    if Ability.CHAT not in model.abilities and (any(pictures[:-1]) or not pictures[-1]):
        raise UsageError(f"{model.name} answers one question on one picture; start the server with another --vlm")
    turns = [_turn(service, message) for message in body.messages]
    limit = body.max_completion_tokens or body.max_tokens or 256
    about = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time()), "model": model.name}
    if body.stream:
        return StreamingResponse(_chunks(about, service, turns, limit, request), media_type="text/event-stream")
    with service.speaks() as model:
        said = _said(model, turns, limit)
    choice = {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop", "logprobs": None}
    usage = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}  # tokens are not counted
    return JSONResponse({**about, "object": "chat.completion", "choices": [choice], "usage": usage})


def _said(model: VisionLanguageModel, turns: Sequence[Message], limit: int) -> str:
    if Ability.CHAT in model.abilities:
        return model.chat(turns, limit)
    last = turns[-1]
    return messages.answer(model, [part for part in last.parts if isinstance(part, ImagePart)], last.text)


def _turn(service: Service, message: ChatMessage) -> Message:
    parts = tuple(_part(service, part) for part in _parts(message))
    return Message("system" if message.role == "developer" else message.role, parts)


def _parts(message: ChatMessage) -> list[ContentPart]:
    content = message.content or ""
    return [ContentPart(type="text", text=content)] if isinstance(content, str) else content


def _part(service: Service, part: ContentPart) -> Part:
    if part.image_url is None:
        return TextPart(part.text)
    head, _, data = part.image_url.url.partition(",")
    if not (head.startswith("data:image/") and head.endswith(";base64")):
        raise UsageError("pictures come as data URIs (data:image/jpeg;base64,...); addresses are not fetched here")
    try:
        return ImagePart(service.picture(base64.b64decode(data, validate=True), IMAGE_SIZE))
    except ValueError as exc:
        raise UsageError("a picture's data URI is not base64") from exc


def _chunks(
    about: dict[str, Any], service: Service, turns: Sequence[Message], limit: int, request: Request
) -> Iterator[str]:
    """Yield the answer as events of OpenAI's protocol, piece by piece; in one piece if the model cannot stream."""

    def work(emit: Callable[[str, Any], None]) -> None:
        pieces: list[str] = []

        def heard(piece: str) -> None:
            pieces.append(piece)
            emit("text", piece)

        with service.speaks() as model:
            said = _said(following(model, heard), turns, limit)
        if not pieces:
            emit("text", said)

    yield _event(about, {"role": "assistant", "content": ""})
    for event in streamed(work, request):
        if event.event == "text":
            yield _event(about, {"content": event.data})
        elif event.event == "error":
            yield f"data: {event.raw_data}\n\n"
            return
    yield _event(about, {}, "stop")
    yield "data: [DONE]\n\n"


def _event(about: dict[str, Any], delta: dict[str, Any], reason: str | None = None) -> str:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return f"data: {json.dumps({**about, 'object': 'chat.completion.chunk', 'choices': [choice]})}\n\n"
