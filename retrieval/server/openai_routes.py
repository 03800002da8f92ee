"""OpenAI's protocol: chat completions by the vision-language model, embeddings by the encoder."""

from __future__ import annotations

import base64
import json
import math
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse
from PIL.Image import Image
from pydantic import BaseModel, ConfigDict, Field

from ..errors import UsageError
from ..types.records import Vectors
from ..types.request import LONGEST
from ..vlm import IMAGE_SIZE, Ability, CountsTokens, VisionLanguageModel, messages
from ..vlm.messages import ImagePart, Message, Part, TextPart
from .answers import (
    AssistantMessage,
    ChatCompletion,
    Choice,
    Embedding,
    EmbeddingList,
    EmbeddingUsage,
    Logprob,
    Logprobs,
    TokenLogprob,
    Usage,
)
from .dependencies import ERRORS, JSONResponse, Serving
from .route_facts import facts
from .service import Service
from .stream import streamed
from .vlm_routes import MOST, following

router = APIRouter(prefix="/v1", tags=["OpenAI's protocol"], responses=ERRORS)

INPUTS = 256  # inputs of one request for embeddings


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


class StreamOptions(BaseModel):
    """What a stream has besides the answer."""

    include_usage: bool = False


class ChatRequest(BaseModel):
    """A request of OpenAI's chat completions; unknown fields are ignored."""

    model_config = ConfigDict(extra="ignore")

    messages: list[ChatMessage] = Field(min_length=1, max_length=64)
    model: str = ""
    max_tokens: Annotated[int | None, Field(ge=1, le=4096)] = None
    max_completion_tokens: Annotated[int | None, Field(ge=1, le=4096)] = None
    stream: bool = False
    stream_options: StreamOptions | None = None
    logprobs: bool = Field(False, description="For yes-or-no questions on one picture")
    n: int = Field(1, ge=1, le=1)

    @property
    def limit(self) -> int:
        """How many tokens the answer may have."""
        return self.max_completion_tokens or self.max_tokens or 256


STREAMED: dict[int | str, dict[str, Any]] = {
    200: {"description": "An answer, or its stream", "content": {"text/event-stream": {"schema": {"type": "string"}}}}
}


@router.post("/chat/completions", response_model=ChatCompletion, responses=STREAMED, summary="A chat completion")
@facts(slow=True)
def create_chat_completion(service: Serving, body: ChatRequest, request: Request) -> Response:
    """Answer clients and evaluation tools that use OpenAI's protocol; pictures come as data URIs.

    The built-in model answers yes-or-no questions on one picture.
    """
    pictures = [sum(part.image_url is not None for part in _parts(message)) for message in body.messages]
    if sum(pictures) > MOST:
        raise UsageError(f"at most {MOST} pictures per request")
    model = service.library.services.vlm()
    if Ability.CHAT not in model.abilities and (any(pictures[:-1]) or not pictures[-1]):
        raise UsageError(f"{model.name} answers one question on one picture; start the server with another --vlm")
    turns = [_turn(service, message) for message in body.messages]
    number, now = f"chatcmpl-{uuid.uuid4().hex}", int(time.time())
    if body.stream and body.logprobs:
        raise UsageError("log-probabilities do not come in a stream; leave out `stream` or `logprobs`")
    if body.stream:
        about = {"id": number, "created": now, "model": model.name}
        return StreamingResponse(_chunks(about, service, turns, body, request), media_type="text/event-stream")
    with service.speaks() as model:
        probabilities = _verdict(model, turns) if body.logprobs else None
        text = _said(model, turns, body.limit)
        usage = _usage(model, turns, text)
    choice = Choice(AssistantMessage(text), _logprobs(text, probabilities))
    return JSONResponse(ChatCompletion(number, now, model.name, [choice], usage))


class EmbeddingsRequest(BaseModel):
    """A request of OpenAI's embeddings; unknown fields are ignored."""

    model_config = ConfigDict(extra="ignore")

    input: str | list[str] = Field(description="Texts, or pictures as data URIs")
    model: str = ""
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = None


@router.post("/embeddings", response_model=EmbeddingList, summary="Embeddings of texts and pictures")
@facts()
def create_embeddings(service: Serving, body: EmbeddingsRequest) -> Response:
    """Return unit vectors of the library's model; those of texts and of pictures may be compared by their products."""
    inputs = [body.input] if isinstance(body.input, str) else body.input
    if not 0 < len(inputs) <= INPUTS or any(not text for text in inputs):
        raise UsageError(f"send 1 to {INPUTS} inputs, none of them empty")
    if any(len(text) > LONGEST and not text.startswith("data:") for text in inputs):
        raise UsageError(f"a text may have {LONGEST} characters at most")
    encoder = service.library.services.encoder()
    if body.model and body.model not in service.model_names:
        raise UsageError(f"this library's model is {encoder.space.model}")
    if body.dimensions not in (None, encoder.space.dimensions):
        raise UsageError(f"this library's embeddings have {encoder.space.dimensions} dimensions")
    vectors = np.empty((len(inputs), encoder.space.dimensions), np.float32)
    texts = [place for place, text in enumerate(inputs) if not text.startswith("data:")]
    if texts:
        vectors[texts] = encoder.texts([inputs[place] for place in texts])
    for place in set(range(len(inputs))) - set(texts):
        picture = _picture(service, inputs[place], encoder.image_size)
        vectors[place] = encoder.images([encoder.prepare(picture)])[0]
    rows = [Embedding(place, _encoded(row, body.encoding_format)) for place, row in enumerate(vectors)]
    count = sum(len(inputs[place].split()) for place in texts)
    return JSONResponse(EmbeddingList(rows, encoder.space.model, EmbeddingUsage(count, count)))


def _encoded(vector: Vectors, form: str) -> list[float] | str:
    return vector.tolist() if form == "float" else base64.b64encode(vector.astype("<f4").tobytes()).decode()


def _said(model: VisionLanguageModel, turns: Sequence[Message], limit: int) -> str:
    if Ability.CHAT in model.abilities:
        return model.chat(turns, limit)
    last = turns[-1]
    return messages.answer(model, [part for part in last.parts if isinstance(part, ImagePart)], last.text)


def _verdict(model: VisionLanguageModel, turns: Sequence[Message]) -> float:
    """Return the probability of yes as the answer to a yes-or-no question on one picture.

    Raises:
        UsageError: the question, or the model, is not one for that.
    """
    images = [part.image for turn in turns for part in turn.parts if isinstance(part, ImagePart)]
    if len(images) != 1 or Ability.ANSWER not in model.abilities or not messages.is_closed(turns[-1].text):
        raise UsageError("log-probabilities are given for yes-or-no questions on one picture; leave out `logprobs`")
    return model.verify(turns[-1].text, images)[0].yes


def _logprobs(text: str, yes: float | None) -> Logprobs | None:
    if yes is None:
        return None
    odds = {"yes": math.log(max(yes, 1e-9)), "no": math.log(max(1 - yes, 1e-9))}
    ranked = [Logprob(*pair) for pair in sorted(odds.items(), key=lambda pair: -pair[1])]
    told = "no" if text.strip().lower().startswith("no") else "yes"
    return Logprobs([TokenLogprob(told, odds[told], ranked)])


def _usage(model: VisionLanguageModel, turns: Sequence[Message], answer: str) -> Usage:
    """Return the tokens of the texts; 0 of a model that does not tell."""
    if not isinstance(model, CountsTokens):
        return Usage(0, 0, 0)
    asked = sum(model.count_tokens(turn.text) for turn in turns)
    answered = model.count_tokens(answer)
    return Usage(asked, answered, asked + answered)


def _turn(service: Service, message: ChatMessage) -> Message:
    parts = tuple(_part(service, part) for part in _parts(message))
    return Message("system" if message.role == "developer" else message.role, parts)


def _parts(message: ChatMessage) -> list[ContentPart]:
    content = message.content or ""
    return [ContentPart(type="text", text=content)] if isinstance(content, str) else content


def _part(service: Service, part: ContentPart) -> Part:
    if part.image_url is None:
        return TextPart(part.text)
    return ImagePart(_picture(service, part.image_url.url, IMAGE_SIZE))


def _picture(service: Service, uri: str, least: int) -> Image:
    head, _, data = uri.partition(",")
    if not (head.startswith("data:image/") and head.endswith(";base64")):
        raise UsageError("pictures come as data URIs (data:image/jpeg;base64,...); addresses are not fetched here")
    try:
        return service.picture(base64.b64decode(data, validate=True), least)
    except ValueError as exc:
        raise UsageError("a picture's data URI is not base64") from exc


def _chunks(
    about: dict[str, Any], service: Service, turns: Sequence[Message], body: ChatRequest, request: Request
) -> Iterator[str]:
    """Yield the answer as events of OpenAI's protocol, piece by piece; in one piece if the model cannot stream."""

    def work(emit: Callable[[str, Any], None]) -> None:
        pieces: list[str] = []

        def heard(piece: str) -> None:
            pieces.append(piece)
            emit("text", piece)

        with service.speaks() as model:
            said = _said(following(model, heard), turns, body.limit)
            usage = _usage(model, turns, said)
        if not pieces:
            emit("text", said)
        emit("usage", usage)

    usage = None
    yield _event(about, {"role": "assistant", "content": ""})
    for event in streamed(work, request):
        if event.event == "text":
            yield _event(about, {"content": event.data})
        elif event.event == "usage":
            usage = event.data
        elif event.event == "error":
            yield f"data: {event.raw_data}\n\n"
            return
    yield _event(about, {}, "stop")
    if body.stream_options is not None and body.stream_options.include_usage:
        yield _line({**about, "object": "chat.completion.chunk", "choices": [], "usage": usage})
    yield "data: [DONE]\n\n"


def _event(about: dict[str, Any], delta: dict[str, Any], reason: str | None = None) -> str:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return _line({**about, "object": "chat.completion.chunk", "choices": [choice]})


def _line(told: dict[str, Any]) -> str:
    return f"data: {json.dumps(told)}\n\n"
