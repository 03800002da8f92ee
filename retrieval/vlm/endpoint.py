"""Any OpenAI-compatible server (vLLM, llama.cpp, Ollama, SGLang ...) as a `VisionLanguageModel`.

Knows the protocol and its failures; does not know which model the server runs, nor the library.
"""

from __future__ import annotations

import base64
import functools
import io
import json
import logging
import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import httpx

from ..errors import ModelError, ModelRefused, ModelUnavailable, UsageError
from ..types.records import Box, Judgement, Mask
from . import Ability, boxes
from .boxes import BoxFormat
from .families import ANY, Family, named
from .messages import ImagePart, Message, TextPart
from .model_name import VlmName

if TYPE_CHECKING:
    from PIL.Image import Image

log = logging.getLogger(__name__)

SIDE = 1024  # maximum pixels of the longer side of a picture that is sent
GRID = 28  # pixels; Qwen gives boxes in pixels of its input, whose sides are multiples of this: send the same size
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})  # HTTP statuses that are worth another try
TOP = 20  # log-probabilities requested for the first token; the most that vLLM gives by default
NO_LOGPROBS = "the server gives no token probabilities: a judgement is its plain yes or no"


@dataclass(frozen=True)
class Reply:
    """A server's answer."""

    text: str
    first: tuple[tuple[str, float], ...] = ()  # candidates for the first token, with their log-probabilities


@dataclass
class Endpoint:
    """A model behind a server.

    Sends up to `parallel` requests at a time, and tries each up to `tries` times, with growing pauses.
    """

    name: str
    url: str
    model: str
    family: Family = ANY
    key: str = ""
    timeout: float = 120.0  # seconds for one answer
    tries: int = 4
    parallel: int = 4
    pause: float = 0.5  # seconds before the second try, doubled for each further one
    notes: list[str] = field(default_factory=list)  # limitations of its answers, to be shown to the user
    heard: Callable[[str], None] | None = None  # callback for the pieces of a streamed answer

    @classmethod
    def load(cls, spelling: str, family: str = "", key: str = "", timeout: float = 120.0) -> Endpoint:
        """Return the model of `endpoint:URL#MODEL`; no request is sent.

        Raises:
            ModelError: the name cannot be parsed, or there is no such family.
        """
        name = VlmName.parse(spelling)
        return cls(name.spelling, name.url, name.model, named(family) if family else ANY, key, timeout)

    @property
    def identity(self) -> str:
        """The name; a server does not say which weights it runs."""
        return self.name

    @property
    def weight(self) -> float:
        """The weight fitted for its family."""
        return self.family.weight

    @property
    def abilities(self) -> frozenset[Ability]:
        """What models of its family can do."""
        return self.family.abilities

    def streaming(self, heard: Callable[[str], None]) -> Endpoint:
        """Return a copy that streams its answers over the same connections; see `Streaming`."""
        found = replace(self, heard=heard)
        found.__dict__["_client"] = self._client
        return found

    def close(self) -> None:
        """Close the connections to the server; the next request opens them again."""
        client = self.__dict__.pop("_client", None)
        if client is not None:
            client.close()

    # --- the contract --------------------------------------------------------------------------------------

    def chat(self, messages: Sequence[Message], limit: int = 256) -> str:
        """See `VisionLanguageModel.chat`."""
        return self._said(list(messages), limit)

    def caption(self, images: Sequence[Image]) -> list[str]:
        """See `VisionLanguageModel.caption`."""
        asked = self.family.asked
        return self._each(images, lambda image: " ".join(self._said([asked(self.family.caption, [image])], 60).split()))

    def answer(self, images: Sequence[Image], question: str) -> str:
        """See `VisionLanguageModel.answer`."""
        return self._said([self.family.asked(self.family.answer, images, question=question)], 256)

    def judge(self, query: str, images: Sequence[Image]) -> list[Judgement]:
        """See `VisionLanguageModel.judge`."""
        return self._each(images, lambda image: self._verdict(self.family.judging(image, query)))

    def verify(self, question: str, images: Sequence[Image]) -> list[Judgement]:
        """See `VisionLanguageModel.verify`."""
        return self._each(images, lambda image: self._verdict(self.family.verifying(image, question)))

    def ground(self, image: Image, phrase: str) -> list[Box]:
        """See `VisionLanguageModel.ground`.

        Raises:
            UsageError: the model's family has no box notation.
        """
        if self.family.boxes is None:
            raise UsageError(f"{self.name} ({self.family.name}) cannot point at things")
        sent = _shrunk(image, GRID if self.family.boxes is boxes.json_pixels else 1)
        text = self._said([self.family.asked(self.family.ground, [sent], phrase=phrase)], 512, keep=True)
        return self.family.boxes(BoxFormat(text, phrase, image.size, sent.size))

    def segment(self, image: Image, phrase: str) -> Mask:  # noqa: ARG002  # required by the protocol class
        """Not supported: the protocol has no masks.

        Raises:
            UsageError: always.
        """
        raise UsageError(f"{self.name} draws no masks: use a model in this process (see `retrieval vlms`)")

    def _each(self, images: Sequence[Image], ask: Callable[[Image], Any]) -> list[Any]:
        with ThreadPoolExecutor(self.parallel) as pool:
            return list(pool.map(ask, images))

    # --- verdicts ------------------------------------------------------------------------------------------

    def _verdict(self, messages: Sequence[Message]) -> Judgement:
        reply = self._ask(messages, 1 if NO_LOGPROBS not in self.notes else 8, probabilities=True)
        yes, no = (self._share(reply.first, words) for words in self.family.words)
        if reply.first:
            return Judgement(yes / (yes + no), min(1.0, yes + no)) if yes + no else Judgement(0.5, 0.0)
        if NO_LOGPROBS not in self.notes:
            self.notes.append(NO_LOGPROBS)
            reply = self._ask(messages, 8)
        said = "".join(c for c in reply.text.lower().lstrip()[:12] if c.isalpha() or c.isspace()).split()
        yes, no = (float(bool(said) and said[0] in words) for words in self.family.words)
        return Judgement(yes if yes + no else 0.5, yes + no)

    @staticmethod
    def _share(first: Sequence[tuple[str, float]], words: Sequence[str]) -> float:
        return sum(math.exp(value) for token, value in first if token.strip().strip("▁").lower() in words)

    # --- the protocol --------------------------------------------------------------------------------------

    def _said(self, messages: Sequence[Message], limit: int, *, keep: bool = False) -> str:
        text = self._ask(messages, limit, keep=keep).text.strip()
        if not text:
            raise ModelError(f"{self.name} answered with nothing; try it again, or another model")
        return text

    def _ask(
        self, messages: Sequence[Message], limit: int, *, probabilities: bool = False, keep: bool = False
    ) -> Reply:
        body: dict[str, Any] = {
            "model": self.model,
            "messages": self._written(messages),
            "max_tokens": limit,
            "temperature": 0,
        }
        if keep:  # boxes are special tokens of some models; vLLM and SGLang drop them unless told not to
            body["skip_special_tokens"] = False
        asks = probabilities and NO_LOGPROBS not in self.notes
        if self.heard is not None and not probabilities:
            said = self._streamed(body, self.heard)
            if said:
                return Reply(said)
        try:
            return self._reply(self._post(body | ({"logprobs": True, "top_logprobs": TOP} if asks else {})))
        except ModelRefused:
            if not asks:
                raise
            self.notes.append(NO_LOGPROBS)
            return self._reply(self._post(body | {"max_tokens": max(8, limit)}))

    def _streamed(self, body: dict[str, Any], heard: Callable[[str], None]) -> str:
        """Return the answer and pass on its pieces; empty if the server does not stream or fails before the first.

        Raises:
            ModelUnavailable: the stream breaks off.
        """
        pieces: list[str] = []
        try:
            with self._client.stream("POST", "/chat/completions", json={**body, "stream": True}) as answer:
                for line in answer.iter_lines() if answer.is_success else ():
                    data = line.removeprefix("data:").strip()
                    if line.startswith("data:") and data != "[DONE]":
                        piece = str(json.loads(data)["choices"][0]["delta"].get("content") or "")
                        pieces.append(piece)
                        heard(piece)
        except (httpx.HTTPError, ValueError, KeyError, IndexError, TypeError) as exc:
            if pieces:
                raise ModelUnavailable(f"{self.url} broke off while it answered ({exc}); ask again") from exc
        return "".join(pieces)

    def _written(self, messages: Sequence[Message]) -> list[dict[str, Any]]:
        """Return messages in the protocol's form: a user's content is a list of parts in order, any other is a string.

        Raises:
            UsageError: there are more pictures than the family takes.
        """
        fitting = self.family.fitting(messages, video=False)
        return [
            {"role": m.role, "content": [_part(p) for p in m.parts] if m.role == "user" else m.text} for m in fitting
        ]

    def _post(self, body: dict[str, Any]) -> Any:
        """Return the server's JSON answer.

        Raises:
            ModelUnavailable: the server cannot be reached, is too slow, or keeps failing.
            ModelRefused: the server refuses the request.
            ModelError: the answer is not JSON.
        """
        failure = ""
        for attempt in range(self.tries):
            if attempt:
                time.sleep(self.pause * 2 ** (attempt - 1))
            try:
                answer = self._client.post("/chat/completions", json=body)
            except httpx.ConnectError as exc:
                raise ModelUnavailable(
                    f"no server answers at {self.url} ({exc}); start it, or choose another model with --vlm"
                ) from exc
            except httpx.TimeoutException:
                failure = f"no answer within {self.timeout:.0f} s"
                continue
            except httpx.HTTPError as exc:
                failure = f"the answer broke off ({exc})"
                continue
            if answer.is_success:
                return self._json(answer)
            failure = f"{answer.status_code} {_reason(answer)}"
            if answer.status_code not in PASSING:
                raise ModelRefused(f"{self.url} refuses {self.model}: {failure}")
            log.info("%s: %s; trying again", self.url, failure)
            self._wait_as_told(answer)
        raise ModelUnavailable(f"{self.url} failed {self.tries} times: {failure}")

    def _wait_as_told(self, answer: httpx.Response) -> None:
        told = answer.headers.get("retry-after", "")
        if told.isdigit():
            time.sleep(min(float(told), self.timeout))

    @functools.cached_property
    def _client(self) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        limits = httpx.Limits(max_connections=self.parallel)
        timeout = httpx.Timeout(self.timeout, connect=5.0)
        return httpx.Client(base_url=self.url, headers=headers, limits=limits, timeout=timeout)

    def _json(self, answer: httpx.Response) -> Any:
        try:
            return answer.json()
        except ValueError as exc:
            start = " ".join(answer.text[:80].split())
            raise ModelError(f"{self.url} answers, but not with JSON ({start!r}); is it the /v1 of a server?") from exc

    def _reply(self, answer: Any) -> Reply:
        try:
            choice = answer["choices"][0]
            text = choice["message"]["content"] or ""
            content = (choice.get("logprobs") or {}).get("content") or [{}]
            first = content[0].get("top_logprobs") or ([content[0]] if "logprob" in content[0] else [])
            return Reply(str(text), tuple((str(entry["token"]), float(entry["logprob"])) for entry in first))
        except (KeyError, IndexError, TypeError, ValueError) as exc:
            raise ModelError(f"{self.url} answers, but not as a chat completion: {str(answer)[:120]}") from exc


def _reason(answer: httpx.Response) -> str:
    try:
        found = answer.json()
        error = found.get("error", found)
        return str(error.get("message", error) if isinstance(error, dict) else error)[:200]
    except (ValueError, AttributeError):
        return " ".join(answer.text[:120].split()) or answer.reason_phrase


def _part(part: Any) -> dict[str, Any]:
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text}
    assert isinstance(part, ImagePart)  # frames were turned into pictures before
    file = io.BytesIO()
    _shrunk(part.image, 1).save(file, "JPEG", quality=92)
    data = base64.b64encode(file.getvalue()).decode()
    return {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{data}"}}


def _shrunk(image: Image, grid: int) -> Image:
    """Return the picture with no side longer than `SIDE` pixels, and both a multiple of `grid`."""
    scale = min(1.0, SIDE / max(image.size))
    width, height = (max(grid, round(side * scale / grid) * grid) for side in image.size)
    return image if (width, height) == image.size else image.resize((width, height))
