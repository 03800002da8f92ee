"""Routes of the vision-language model: captions, answers, boxes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Request, UploadFile
from fastapi.responses import Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from PIL.Image import Image

from ..errors import UsageError
from ..library import backends
from ..library.view import LibraryView
from ..vlm import IMAGE_SIZE, Streaming, VisionLanguageModel, messages
from ..vlm.messages import ImagePart, Part
from .answers import Boxes, CaptionEvents, ReplyEvents, Said, WrittenText
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


@router.post("/caption", response_model=WrittenText, summary="A caption that the model writes")
@facts(slow=True)
def write_caption(service: Serving, library: View, items: Items = [], images: Files = []) -> Response:  # noqa: B006  # FastAPI copies it
    """Return one sentence about a picture; it is not stored."""
    image = pictured(shown(service, library, items, images))
    with service.speaks() as model:
        return JSONResponse(WrittenText(model.caption([image])[0], model.name))


@router.post(
    "/caption/stream",
    response_class=EventSourceResponse,
    responses={200: {"model": CaptionEvents, "description": "Server-sent events"}},
    summary="A caption, while the model writes it",
)
@facts(slow=True)
def stream_caption(
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
        emit("answer", WrittenText(text, model.name))

    yield from streamed(work, request)


@router.post("/ask", response_model=Said, summary="A question on pictures")
@facts(slow=True)
def ask_question(
    service: Serving,
    library: View,
    question: Annotated[str, Form(min_length=1, max_length=2000)],
    items: Items = [],  # noqa: B006  # FastAPI copies it
    images: Files = [],  # noqa: B006
) -> Response:
    """Return the model's answer to a question about the pictures; the built-in one knows yes-or-no questions."""
    parts = shown(service, library, items, images)
    with service.speaks() as model:
        return JSONResponse(Said(messages.answer(model, parts, question), model.name))


@router.post(
    "/ask/stream",
    response_class=EventSourceResponse,
    responses={200: {"model": ReplyEvents, "description": "Server-sent events"}},
    summary="Ask a question, with the answer streamed",
)
@facts(slow=True)
def stream_answer(
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
        emit("answer", Said(answer, model.name))

    yield from streamed(work, request)


def following(model: VisionLanguageModel, heard: Callable[[str], None]) -> VisionLanguageModel:
    """Return the model with `heard` called for each piece of its output, or the model itself if it cannot stream."""
    return model.streaming(heard) if isinstance(model, Streaming) else model


@router.post("/ground", response_model=Boxes, summary="Where a picture shows something")
@facts(slow=True)
def ground_phrase(
    service: Serving,
    library: View,
    phrase: Annotated[str, Form(min_length=1, max_length=500)],
    items: Items = [],  # noqa: B006  # FastAPI copies it
    images: Files = [],  # noqa: B006
) -> Response:
    """Return boxes as fractions of the picture's width and height, from its top left corner."""
    image = pictured(shown(service, library, items, images))
    with service.speaks() as model:
        return JSONResponse(Boxes(model.ground(image, phrase), model.name))
