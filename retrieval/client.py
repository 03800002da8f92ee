"""A client of the HTTP API: search a library that a server keeps open.

    from retrieval.client import Client

    with Client("http://localhost:8000", token="rtv_...") as client:
        for hit in client.search("a dog on the beach", k=5).hits:
            print(hit.score, hit.path)

Answers are the values of `records`; a refusal raises the error that the library would raise. Does not open libraries.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, Unpack

import httpx
from httpx_sse import EventSource

from . import errors
from .types.explanations import Why, WhyNot
from .types.records import Answer, Box, Budget, Threshold
from .types.request import SearchOptions, SearchRequest
from .types.results import ItemDetails, ItemSummary, ServerStatus
from .types.serialize import from_jsonable

KINDS = {name: kind for name, kind in vars(errors).items() if isinstance(kind, type)}
Values = dict[str, Any]


class Client:
    """A connection to one server. Use it as a context manager, or call `close`."""

    def __init__(
        self, url: str = "http://127.0.0.1:8000", token: str = "", *, socket: Path | None = None, timeout: float = 120
    ) -> None:
        """Connect by URL, or by the Unix socket in a library's folder, which needs no token; `timeout` is in seconds.

        Raises:
            UsageError: the URL does not begin with http:// or https://.
        """
        if not url.startswith(("http://", "https://")):
            raise errors.UsageError(f"{url!r} is not an address; write http://{url}")
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

    def search(self, request: str | SearchRequest = "", **options: Unpack[SearchOptions]) -> Answer:
        """Return the hits for a query, best first; the options are the fields of `SearchRequest`, but for `within`.

        Raises:
            RetrievalError: whatever `Library.search` raises.
            ModelUnavailable: no server answers.
        """
        request = SearchRequest.of(request, **options)
        query = request.to_params()
        if request.image is None:
            return from_jsonable(self._asked("GET", "/v1/search", params=query), Answer)
        return from_jsonable(
            self._asked("POST", "/v1/search", params=query, files={"image": _file(request.image)}), Answer
        )

    def pages(self, request: str | SearchRequest, **options: Unpack[SearchOptions]) -> Iterator[Answer]:
        """Yield the whole answer, `k` hits a page, as it was when the first page was asked for."""
        given: SearchOptions = {"k": 50, "page": 1, **options}
        request = SearchRequest.of(request, **given)
        found = self.search(request)
        yield found
        while found.cursor:
            query = {"cursor": found.cursor, "threshold": request.least}
            found = from_jsonable(self._asked("GET", "/v1/search/next", params=query), Answer)
            yield found

    def stream(self, request: str | SearchRequest, **options: Unpack[SearchOptions]) -> Iterator[Answer]:
        """Yield the first answer at once, then better ones while a vision-language model checks the hits."""
        given: SearchOptions = {"rerank": Budget(), **options}
        request = SearchRequest.of(request, **given)
        for event, value in self._events("/v1/search/stream", params=_plain(request.to_params())):
            if event == "answer":
                yield from_jsonable(value, Answer)

    def similar(self, item: int, k: int = 10) -> Answer:
        """Return the k pictures most similar to a picture of the library, given by its item number."""
        return from_jsonable(self._asked("GET", f"/v1/items/{item}/similar", params={"k": k}), Answer)

    def captions(self, image: str | Path | bytes, k: int = 10, *, threshold: Threshold = "weak") -> Answer:
        """Return the k texts of the library that fit a picture best."""
        query = {"k": k, "threshold": threshold}
        return from_jsonable(self._asked("POST", "/v1/captions", params=query, files={"image": _file(image)}), Answer)

    def why(self, text: str, item: int, *, heat: bool = False) -> Why:
        """Return why a picture is a hit."""
        return from_jsonable(self._asked("GET", "/v1/why", params={"q": text, "item": item, "heat": heat}), Why)

    def why_not(self, text: str, item: int) -> WhyNot:
        """Return why a picture is not a hit, and what would bring it up."""
        return from_jsonable(self._asked("GET", "/v1/why-not", params={"q": text, "item": item}), WhyNot)

    def facets(self, text: str) -> dict[str, list[tuple[str, int]]]:
        """Return the number of likely answers by year, camera, place, type and folder, as (value, count) pairs."""
        found = self._asked("GET", "/v1/facets", params={"q": text})
        return from_jsonable(found, dict[str, list[tuple[str, int]]])

    # --- items ---------------------------------------------------------------------------------------------

    def items(self) -> Iterator[ItemSummary]:
        """Yield every file, newest first."""
        after: int | None = None
        while True:
            query = {"count": 1000, **({} if after is None else {"after": after})}
            found = self._asked("GET", "/v1/items", params=query)
            yield from from_jsonable(found["items"], list[ItemSummary])
            after = found["next"]
            if after is None:
                return

    def item(self, item: int) -> ItemDetails:
        """Return what is known of a file."""
        return from_jsonable(self._asked("GET", f"/v1/items/{item}"), ItemDetails)

    def thumbnail(self, item: int, size: int = 320) -> bytes:
        """Return a preview as WebP; `size` is its longest side in pixels: 320, 1280 or 2560."""
        return self._get(f"/v1/items/{item}/thumbnail", params={"size": size}, headers={"accept": "image/webp"})

    def original(self, item: int) -> bytes:
        """Return the bytes of the file."""
        return self._get(f"/v1/items/{item}/original")

    def set_caption(self, item: int, text: str) -> None:
        """Store a person's caption of a picture."""
        self._asked("PUT", f"/v1/items/{item}/caption", json={"text": text})

    def save(self, name: str, query: str) -> None:
        """Save a query under a name."""
        self._asked("PUT", f"/v1/names/{name}", json={"query": query})

    def teach(self, name: str, yes: Sequence[int] = (), no: Sequence[int] = ()) -> tuple[int, int]:
        """Add pictures that a word means (`yes`) and does not mean (`no`); return how many there are of each."""
        found = self._asked("POST", f"/v1/names/{name}/examples", json={"yes": list(yes), "no": list(no)})
        return found["yes"], found["no"]

    # --- the model -----------------------------------------------------------------------------------------

    def caption(self, image: str | Path | bytes | int) -> str:
        """Return a sentence by the vision-language model about a picture, or about an item given by its number."""
        return str(self._asked("POST", "/v1/caption", **_shown([image]))["text"])

    def ask(self, images: Sequence[str | Path | bytes | int], question: str) -> str:
        """Return the model's answer to a question about pictures, or about items given by their numbers."""
        return str(self._asked("POST", "/v1/ask", **_shown(images, question=question))["answer"])

    def ground(self, image: str | Path | bytes | int, phrase: str) -> list[Box]:
        """Return the boxes where the model sees what the phrase says."""
        return from_jsonable(self._asked("POST", "/v1/ground", **_shown([image], phrase=phrase))["boxes"], list[Box])

    # --- the server ----------------------------------------------------------------------------------------

    def status(self) -> ServerStatus:
        """Return what the library holds, and what this token may do."""
        return from_jsonable(self._asked("GET", "/v1/status"), ServerStatus)

    def index(self, root: str, folder: str = "", *, retry: bool = False) -> Iterator[Values]:
        """Index a folder below one of the server's roots; yield the job whenever it changes, until it ends."""
        job = self._asked("POST", "/v1/jobs", json={"root": root, "folder": folder, "retry": retry})
        for event, value in self._events(f"/v1/jobs/{job['id']}/events", timeout=None):
            if event == "job":
                yield value

    def _events(self, url: str, **sent: Any) -> Iterator[tuple[str, Any]]:
        """Yield the name and data of each event of a stream; an event `error` is raised as its error."""
        with self.http.stream("GET", url, **sent) as answer:
            if not answer.is_success:
                answer.read()
                raise _error(answer.status_code, answer.text)
            for event in EventSource(answer).iter_sse():
                if event.event == "error":
                    raise _error(400, event.data)
                if event.data:  # the last one has none
                    yield event.event, json.loads(event.data)

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
    """Return parameters as the API expects them: None left out, booleans in lower case."""
    given = {name: value for name, value in query.items() if value is not None}
    return {name: str(value).lower() if isinstance(value, bool) else value for name, value in given.items()}


def _file(image: str | Path | bytes) -> tuple[str, bytes]:
    if isinstance(image, bytes):
        return "image", image
    from .pictures import read_file

    return Path(image).name, read_file(Path(image))[0]


def _shown(images: Sequence[str | Path | bytes | int], **fields_: str) -> Values:
    items = [image for image in images if isinstance(image, int)]
    files = [("images", _file(image)) for image in images if not isinstance(image, int)]
    return {"data": {**fields_, "items": items}, **({"files": files} if files else {})}


def _error(status: int, text: str) -> errors.RetrievalError:
    """Return the error that the library would raise, from a server's error response."""
    try:
        error = json.loads(text)["error"]
        kind, message = KINDS.get(error["type"]), str(error["message"])
    except (ValueError, KeyError, TypeError):
        return errors.RetrievalError(f"the server answers {status}: {text[:200]}")
    if kind is errors.PictureError:
        return errors.PictureError("unusable", message)
    if error["type"] in ("busy", "fault"):
        return errors.ModelUnavailable(message)
    if status in (401, 403):
        return errors.LibraryError(message)
    if kind is errors.QueryError:
        return errors.QueryError(message, str(error["query"]), (error["place"][0], error["place"][1]))
    return kind(message) if kind and issubclass(kind, errors.RetrievalError) else errors.UsageError(message)
