"""Searching over HTTP: by words, by an upload, by a picture of the library or of the web; why and why not; facets.

Knows parameters and answers; does not know how anything is found.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Query, Request, UploadFile
from fastapi.responses import Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, ConfigDict, Field

from ..client import LONGEST, MOST
from ..errors import UsageError
from ..library.view import Questions
from ..queries.fields import FIELDS
from ..queries.render import chips, with_pieces
from ..types.records import Answer, Budget, ByItem, ByText, Kind, Order, Step, Threshold
from .dependencies import ERRORS, Asked, Json, Number, Serving
from .fetch import fetched
from .service import Service
from .stream import streamed

router = APIRouter(prefix="/v1", tags=["search"], responses=ERRORS)

Words = Annotated[str, Query(max_length=LONGEST, description="The query, as docs/queries.md describes its language")]
Count = Annotated[int, Query(ge=1, le=MOST, description="How many hits")]


class Wanted(BaseModel):
    """What is looked for, and how the answer shall be; unknown parameters are refused, as they would be in vain."""

    model_config = ConfigDict(extra="forbid")

    q: str = Field("", max_length=LONGEST, description="The query, as docs/queries.md describes its language")
    k: int = Field(20, ge=1, le=MOST, description="How many hits")
    item: list[Number] = Field([], max_length=100, description="Pictures of the library that hits shall be like")
    threshold: Threshold = Field("weak", description="The least sure hits that are shown")
    order: Order = Field("score", description="By which hits stand")
    fold: bool = Field(True, description="Show pictures that are nearly the same as one hit")
    facets: bool = Field(False, description="Count the likely answers by year, camera, place, type, folder")
    page: int | None = Field(None, ge=1, le=MOST, description="This page of k hits; `cursor` leads on")
    rerank: bool = Field(False, description="Let a vision-language model check the best hits")
    budget: float | None = Field(None, gt=0, le=600, description="Seconds that may take")
    depth: int = Field(50, ge=1, le=500, description="How many hits may be checked")
    anyway: bool = Field(False, description="Rerank also where that was found of no use")

    @property
    def text(self) -> str:
        """The query with the items as the tokens that they are."""
        return with_pieces(self.q, [ByItem(number) for number in self.item])

    def budgeted(self) -> Budget | None:
        """How much a rerank may cost; None where none is wanted."""
        return Budget(self.budget, self.depth, self.anyway) if self.rerank else None


def answered(
    service: Service, asked: Questions, wanted: Wanted, image: bytes | None, progress: Callable[[Step], None]
) -> Answer:
    """The answer to what is wanted; the vision-language model speaks for one at a time."""
    with service.speaks() if wanted.rerank else nullcontext():
        return _answered(asked, wanted, image, progress)


def _answered(asked: Questions, wanted: Wanted, image: bytes | None, progress: Callable[[Step], None]) -> Answer:
    if wanted.page is not None:
        if wanted.rerank or wanted.order != "score":
            raise UsageError("pages are in the order of scores: leave out rerank and order")
        found = asked.page(
            wanted.text, wanted.page, wanted.k, image=image, threshold=wanted.threshold, fold=wanted.fold
        )
    else:
        found = asked.search(
            wanted.text,
            wanted.k,
            image=image,
            rerank=wanted.budgeted(),
            threshold=wanted.threshold,
            order=wanted.order,
            fold=wanted.fold,
            progress=progress,
        )
    return replace(found, facets=asked.facets(wanted.text, image=image)) if wanted.facets else found


def uploaded(service: Service, asked: Questions, file: UploadFile | None, url: str = "") -> bytes | None:
    """The picture that came with a request, or whose address did; see `decoded`."""
    if url:
        if not service.fetches:
            raise UsageError("pictures of the web are not fetched here; start the server with --fetch")
        return decoded(service, asked, fetched(url))
    return None if file is None else decoded(service, asked, file.file.read())


def decoded(service: Service, asked: Questions, data: bytes) -> bytes:
    """A picture, decoded elsewhere, as bytes that are quickly decoded again.

    Raises:
        PictureError: it cannot be used.
    """
    out = io.BytesIO()
    service.picture(data, asked.parts.encoder().least).save(out, "BMP")
    return out.getvalue()


@router.get("/search", response_model=Answer, summary="Pictures for a query, best first")
def search(service: Serving, asked: Asked, wanted: Annotated[Wanted, Query()]) -> Response:
    """The k pictures that fit a query best, in words, by pictures of the library, or both."""
    return Json(answered(service, asked, wanted, None, _quiet))


@router.get("/search/next", response_model=Answer, summary="The next page")
def next_page(asked: Asked, cursor: Annotated[str, Query(max_length=200)], threshold: Threshold = "weak") -> Response:
    """The page that a cursor points at; it comes from the same answer as the one before."""
    return Json(asked.next_page(cursor, threshold=threshold))


@router.post("/search", response_model=Answer, summary="Pictures like an upload")
def search_by_picture(
    service: Serving,
    asked: Asked,
    wanted: Annotated[Wanted, Query()],
    image: Annotated[UploadFile | None, File(description="A picture file")] = None,
    url: Annotated[str, Form(max_length=2000, description="Or its address, where the server fetches any")] = "",
) -> Response:
    """The k pictures that are most like an upload, together with words where there are any."""
    return Json(answered(service, asked, wanted, uploaded(service, asked, image, url), _quiet))


@router.get("/search/stream", response_class=EventSourceResponse, summary="The first order at once, then better ones")
def search_stream(
    service: Serving, asked: Asked, wanted: Annotated[Wanted, Query()], request: Request
) -> Iterator[ServerSentEvent]:
    """Events: `answer` (the encoder's order), `checked` (n of m, while the model speaks), `answer` (its order), `end`.

    Errors come as an event `error`, of the same form as elsewhere.
    """
    first = wanted.model_copy(update={"rerank": False})

    def work(emit: Callable[[str, Any], None]) -> None:
        def told(step: Step) -> None:
            emit("checked", {"done": step.done, "total": step.total})
            if step.answer is not None:
                emit("answer", step.answer)

        emit("answer", answered(service, asked, first, None, _quiet))
        if wanted.rerank:
            emit("answer", answered(service, asked, wanted, None, told))

    yield from streamed(work, request)


@router.get("/understand", summary="How a query is read")
def understood(asked: Asked, q: Words) -> Response:
    """What each alternative looks for and filters by, each as a query has it; what is not plain; what the names are."""
    query = asked.understood(q)
    return Json({"query": query.text, "alternatives": chips(query), "notes": query.notes, "words": query.words})


@router.get("/language", summary="The tokens of the query language")
def language() -> Response:
    """Each with an example and what it means."""
    rows = [{"name": name, "example": field.example, "meaning": field.help} for name, field in FIELDS.items()]
    return Json({"tokens": rows})


@router.get("/facets", summary="How many likely answers there are of each year, camera, place ...")
def facets(asked: Asked, wanted: Annotated[Wanted, Query()]) -> Response:
    """Lists of values with their counts, the most first; of the whole library where nothing is asked."""
    return Json(asked.facets(wanted.text))


@router.get("/why", response_model=None, summary="Why a picture is a hit")
def why(
    asked: Asked,
    service: Serving,
    item: Number,
    q: Words,
    heat: Annotated[bool, Query(description="Where in the picture, as numbers on a grid")] = False,
    vlm: Annotated[bool, Query(description="What the vision-language model says to it, too")] = False,
) -> Response:
    """Each word's share, each ranking's, what its filters found, and how its score reads."""
    path = asked.items.get(item).path
    with service.speaks() if vlm else nullcontext():
        return Json(asked.why(q, path, heat=heat, vlm=vlm))


@router.get("/why-not", response_model=None, summary="Why a picture is no hit, and what would make it one")
def why_not(asked: Asked, item: Number, q: Words, k: Count = 10, threshold: Threshold = "weak") -> Response:
    """Its standing, the reason, and the smallest changes of the query that bring it up."""
    return Json(asked.why_not(q, asked.items.get(item).path, k, threshold=threshold))


@router.post("/captions", response_model=Answer, summary="The library's texts that fit a picture")
def captions(
    service: Serving,
    asked: Asked,
    k: Count = 10,
    item: Number | None = None,
    threshold: Threshold = "weak",
    image: Annotated[UploadFile | None, File(description="A picture file")] = None,
) -> Response:
    """The texts that fit an upload, or a picture of the library, best first."""
    if item is not None and image is None:
        return Json(asked.captions(asked.items.get(item).path, k, threshold=threshold))
    if item is None and image is not None:
        return Json(asked.captions(decoded(service, asked, image.file.read()), k, threshold=threshold))
    raise UsageError("send either an image or an item")


@router.get("/texts", response_model=Answer, summary="The library's texts that mean something like a query")
def texts(asked: Asked, q: Words, k: Count = 10) -> Response:
    """Captions, descriptions and other texts by their meaning."""
    return Json(asked.query(ByText(q), k, Kind.TEXT))


def _quiet(_step: Step) -> None:
    """No one follows."""
