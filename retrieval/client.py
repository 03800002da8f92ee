"""A client of the HTTP API: the same questions, to a library that a server keeps warm.

    from retrieval.client import Client

    with Client("http://localhost:8000", token="rtv_...") as client:
        for hit in client.search("a dog on the beach", k=5).hits:
            print(hit.score, hit.path)

Answers are the values of `records`; what the server refuses is the error that the library would raise. Knows HTTP; does
not know libraries.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from . import errors
from .types.records import Answer, Band, Box, Hit, Judgement, Kind, Order, Threshold

LONGEST, MOST = 4000, 1000  # characters of a query, and hits (or pages) of it, that one request may ask for
KINDS = {name: kind for name, kind in vars(errors).items() if isinstance(kind, type)}
Values = dict[str, Any]


class Client:
    """A connection to one server. Use it as a context manager, or call `close`."""

    def __init__(
        self, url: str = "http://127.0.0.1:8000", token: str = "", *, socket: Path | None = None, timeout: float = 120
    ) -> None:
        """By its address; or by the Unix socket in a library's folder, which needs no token.

        Raises:
            UsageError: the address does not begin with http.
        """
        if not url.startswith(("http://", "https://")):
            raise errors.UsageError(f"{url!r} is no address; write http://{url}")
        transport = httpx.HTTPTransport(uds=str(socket)) if socket is not None else None
        headers = {"authorization": f"Bearer {token}"} if token else {}
        self.http = httpx.Client(base_url=url, headers=headers, timeout=timeout, transport=transport, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self.http.close()

    # --- searching -----------------------------------------------------------------------------------------

    def search(
        self,
        text: str = "",
        k: int = 10,
        *,
        image: str | Path | bytes | None = None,
        threshold: Threshold = "weak",
        order: Order = "score",
        fold: bool = True,
        **options: Any,
    ) -> Answer:
        """The k pictures that fit a query best; with `image`, that are like that picture, too.

        `options` are the API's others: facets, page, rerank, budget, depth, anyway, item.

        Raises:
            RetrievalError: what `Library.search` raises; ModelUnavailable: no server answers.
        """
        query = {"q": text, "k": k, "threshold": threshold, "order": order, "fold": fold, **options}
        if image is None:
            return _answer(self._asked("GET", "/v1/search", params=query))
        return _answer(self._asked("POST", "/v1/search", params=query, files={"image": _file(image)}))

    def pages(self, text: str, size: int = 50, *, threshold: Threshold = "weak") -> Iterator[Answer]:
        """The whole answer, page by page, whatever is indexed meanwhile."""
        found = self.search(text, size, threshold=threshold, page=1)
        yield found
        while found.cursor:
            query = {"cursor": found.cursor, "threshold": threshold}
            found = _answer(self._asked("GET", "/v1/search/next", params=query))
            yield found

    def stream(self, text: str, k: int = 10, **options: Any) -> Iterator[Answer]:
        """The first order at once, then better ones as a vision-language model checks the hits."""
        query = {"q": text, "k": k, "rerank": True, **options}
        for event, value in self._events("/v1/search/stream", params=_plain(query)):
            if event == "answer":
                yield _answer(value)

    def similar(self, item: int, k: int = 10) -> Answer:
        """The k pictures most like one of the library's own."""
        return _answer(self._asked("GET", f"/v1/items/{item}/similar", params={"k": k}))

    def captions(self, image: str | Path | bytes, k: int = 10, *, threshold: Threshold = "weak") -> Answer:
        """The k texts of the library that fit a picture best."""
        query = {"k": k, "threshold": threshold}
        return _answer(self._asked("POST", "/v1/captions", params=query, files={"image": _file(image)}))

    def why(self, text: str, item: int, *, heat: bool = False) -> Values:
        """Why a picture is a hit, as docs/json.md has it."""
        found: Values = self._asked("GET", "/v1/why", params={"q": text, "item": item, "heat": heat})
        return found

    def why_not(self, text: str, item: int) -> Values:
        """Why a picture is no hit, as docs/json.md has it."""
        found: Values = self._asked("GET", "/v1/why-not", params={"q": text, "item": item})
        return found

    def facets(self, text: str) -> dict[str, list[tuple[str, int]]]:
        """How many likely answers there are of each year, camera, place, type and folder."""
        found = self._asked("GET", "/v1/facets", params={"q": text})
        return {name: [(value, count) for value, count in values] for name, values in found.items()}

    # --- items ---------------------------------------------------------------------------------------------

    def items(self) -> Iterator[Values]:
        """Every file, the newest first."""
        after: int | None = None
        while True:
            query = {"count": 1000, **({} if after is None else {"after": after})}
            found = self._asked("GET", "/v1/items", params=query)
            yield from found["items"]
            after = found["next"]
            if after is None:
                return

    def item(self, item: int) -> Values:
        """What is known of a file."""
        found: Values = self._asked("GET", f"/v1/items/{item}")
        return found

    def thumbnail(self, item: int, size: int = 320) -> bytes:
        """A small picture of it, as WebP."""
        return self._get(f"/v1/items/{item}/thumbnail", params={"size": size}, headers={"accept": "image/webp"})

    def original(self, item: int) -> bytes:
        """The file itself."""
        return self._get(f"/v1/items/{item}/original")

    def set_caption(self, item: int, text: str) -> None:
        """Keep a human's caption of a picture."""
        self._asked("PUT", f"/v1/items/{item}/caption", json={"text": text})

    def save(self, name: str, query: str) -> None:
        """Keep a query under a name."""
        self._asked("PUT", f"/v1/names/{name}", json={"query": query})

    def teach(self, name: str, yes: Sequence[int] = (), no: Sequence[int] = ()) -> tuple[int, int]:
        """Add pictures that a word means, and that it does not; how many there are of both then."""
        found = self._asked("POST", f"/v1/names/{name}/examples", json={"yes": list(yes), "no": list(no)})
        return found["yes"], found["no"]

    # --- the model -----------------------------------------------------------------------------------------

    def caption(self, image: str | Path | bytes | int) -> str:
        """A sentence that the vision-language model writes on a picture, or an item."""
        return str(self._asked("POST", "/v1/caption", **_shown([image]))["text"])

    def ask(self, images: Sequence[str | Path | bytes | int], question: str) -> str:
        """Its answer to a question on pictures, or items."""
        return str(self._asked("POST", "/v1/ask", **_shown(images, question=question))["answer"])

    def ground(self, image: str | Path | bytes | int, phrase: str) -> list[Box]:
        """Where it sees what the phrase says."""
        return [Box(**box) for box in self._asked("POST", "/v1/ground", **_shown([image], phrase=phrase))["boxes"]]

    # --- the server ----------------------------------------------------------------------------------------

    def status(self) -> Values:
        """What the library holds, and what this token may do."""
        found: Values = self._asked("GET", "/v1/status")
        return found

    def index(self, root: str, folder: str = "", *, retry: bool = False) -> Iterator[Values]:
        """Index a folder below one of the server's roots; the job, whenever it changes, until it ends."""
        job = self._asked("POST", "/v1/jobs", json={"root": root, "folder": folder, "retry": retry})
        for event, value in self._events(f"/v1/jobs/{job['id']}/events", timeout=None):
            if event == "job":
                yield value

    def _events(self, url: str, **sent: Any) -> Iterator[tuple[str, Any]]:
        """The events of a stream, with what they carry; an `error` is raised."""
        with self.http.stream("GET", url, **sent) as answer:
            if not answer.is_success:
                answer.read()
                raise _error(answer.status_code, answer.text)
            event = ""
            for line in answer.iter_lines():
                name, _, value = line.partition(":")
                if name == "event":
                    event = value.strip()
                elif name == "data" and event == "error":
                    raise _error(400, value)
                elif name == "data":
                    yield event, json.loads(value)

    def _asked(self, method: str, url: str, **sent: Any) -> Any:
        return json.loads(self._sent(method, url, **sent).content)

    def _get(self, url: str, **sent: Any) -> bytes:
        return self._sent("GET", url, **sent).content

    def _sent(self, method: str, url: str, **sent: Any) -> httpx.Response:
        if "params" in sent:
            sent["params"] = _plain(sent["params"])
        try:
            answer = self.http.request(method, url, **sent)
        except httpx.HTTPError as exc:
            raise errors.ModelUnavailable(f"no server answers at {self.http.base_url} ({exc})") from exc
        if not answer.is_success:
            raise _error(answer.status_code, answer.text)
        return answer


def _plain(query: Values) -> Values:
    """Parameters as the API has them."""
    given = {name: value for name, value in query.items() if value is not None}
    return {name: str(value).lower() if isinstance(value, bool) else value for name, value in given.items()}


def _file(image: str | Path | bytes) -> tuple[str, bytes]:
    if isinstance(image, bytes):
        return "image", image
    from .pictures import read

    return Path(image).name, read(Path(image))[0]


def _shown(images: Sequence[str | Path | bytes | int], **fields_: str) -> Values:
    items = [image for image in images if isinstance(image, int)]
    files = [("images", _file(image)) for image in images if not isinstance(image, int)]
    return {"data": {**fields_, "items": items}, **({"files": files} if files else {})}


def _error(status: int, text: str) -> errors.RetrievalError:
    """What the server said, as the error that the library would raise."""
    try:
        told = json.loads(text)["error"]
        kind, message = KINDS.get(told["type"]), str(told["message"])
    except (ValueError, KeyError, TypeError):
        return errors.RetrievalError(f"the server answers {status}: {text[:200]}")
    if kind is errors.PictureError:
        return errors.PictureError("unusable", message)
    if told["type"] in ("busy", "fault"):
        return errors.ModelUnavailable(message)
    if status in (401, 403):
        return errors.LibraryError(message)
    if kind is errors.QueryError:
        return errors.QueryError(message, str(told["query"]), (told["place"][0], told["place"][1]))
    return kind(message) if kind and issubclass(kind, errors.RetrievalError) else errors.UsageError(message)


def _answer(found: Values) -> Answer:
    hits = tuple(_hit(hit) for hit in found["hits"])
    facets = found["facets"] and {name: [(v, n) for v, n in values] for name, values in found["facets"].items()}
    return Answer(**{**_known(Answer, found), "hits": hits, "notes": tuple(found["notes"]), "facets": facets})


def _hit(found: Values) -> Hit:
    return Hit(
        **{
            **_known(Hit, found),
            "kind": Kind(found["kind"]),
            "band": Band(found["band"]),
            "path": found["path"] and Path(found["path"]),
            "copies": tuple(map(Path, found["copies"])),
            "beneath": tuple(map(Path, found["beneath"])),
            "boxes": tuple(Box(**box) for box in found["boxes"]),
            "sources": tuple(found["sources"]),
            "verdict": found["verdict"] and Judgement(**found["verdict"]),
            "taken_at": found["taken_at"] and datetime.fromisoformat(found["taken_at"]),
        }
    )


def _known(kind: Any, found: Values) -> Values:
    """The fields that this version knows."""
    names = {field.name for field in fields(kind)}
    return {name: value for name, value in found.items() if name in names}
