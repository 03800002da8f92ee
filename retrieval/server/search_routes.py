"""Routes for searching by words, an upload, a picture of the library or of the web; for why and why not; for facets.

Does not know how hits are found.
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
from ..library.view import LibraryView
from ..queries.fields import FIELDS
from ..queries.render import append_pieces, render_branches
from ..types.records import Answer, Budget, ByItem, ByText, Kind, Order, Progress, Threshold
from .dependencies import ERRORS, JSONResponse, Number, Serving, View
from .fetch import fetched
from .service import Service
from .stream import streamed

router = APIRouter(prefix="/v1", tags=["search"], responses=ERRORS)

Words = Annotated[str, Query(max_length=LONGEST, description="The query, as docs/queries.md describes its language")]
Count = Annotated[int, Query(ge=1, le=MOST, description="How many hits")]


class SearchParams(BaseModel):
    """The parameters of a search; unknown parameters are refused instead of being ignored."""

    model_config = ConfigDict(extra="forbid")

    q: str = Field("", max_length=LONGEST, description="The query, as docs/queries.md describes its language")
    k: int = Field(20, ge=1, le=MOST, description="How many hits")
    item: list[Number] = Field([], max_length=100, description="Pictures of the library that hits shall be like")
    threshold: Threshold = Field("weak", description="The weakest match to show")
    order: Order = Field("score", description="How hits are ordered")
    fold: bool = Field(True, description="Group near-duplicates under one hit")
    facets: bool = Field(False, description="Count the likely answers by year, camera, place, type, folder")
    page: int | None = Field(None, ge=1, le=MOST, description="This page of k hits; `cursor` leads on")
    rerank: bool = Field(False, description="Let a vision-language model check the best hits")
    budget: float | None = Field(None, gt=0, le=600, description="Seconds that the check may take")
    depth: int = Field(50, ge=1, le=500, description="How many hits may be checked")
    anyway: bool = Field(False, description="Rerank even where it was found not to help")

    @property
    def text(self) -> str:
        """The query, with the items added as tokens."""
        return append_pieces(self.q, [ByItem(number) for number in self.item])

    def budgeted(self) -> Budget | None:
        """Return the limits of the rerank; None if none is wanted."""
        return Budget(self.budget, self.depth, self.anyway) if self.rerank else None


def answered(
    service: Service,
    asked: LibraryView,
    wanted: SearchParams,
    image: bytes | None,
    progress: Callable[[Progress], None],
) -> Answer:
    """Return the answer to a search; reranks run one at a time, as they share the vision-language model."""
    with service.speaks() if wanted.rerank else nullcontext():
        return _answered(asked, wanted, image, progress)


def _answered(
    asked: LibraryView, wanted: SearchParams, image: bytes | None, progress: Callable[[Progress], None]
) -> Answer:
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


def uploaded(service: Service, asked: LibraryView, file: UploadFile | None, url: str = "") -> bytes | None:
    """Return the uploaded picture, or the one at `url`, re-encoded for fast decoding; None if there is neither.

    Raises:
        UsageError: there is a URL, and this server does not fetch pictures.
        SourceError: the picture cannot be fetched.
        PictureError: it cannot be decoded.
    """
    if url:
        if not service.fetches:
            raise UsageError("pictures of the web are not fetched here; start the server with --fetch")
        return decoded(service, asked, fetched(url))
    return None if file is None else decoded(service, asked, file.file.read())


def decoded(service: Service, asked: LibraryView, data: bytes) -> bytes:
    """Return a picture, decoded in a worker process, as BMP, which is fast to decode again.

    Raises:
        PictureError: it cannot be decoded.
    """
    out = io.BytesIO()
    service.picture(data, asked.services.encoder().image_size).save(out, "BMP")
    return out.getvalue()


@router.get("/search", response_model=Answer, summary="Pictures for a query, best first")
def search(service: Serving, asked: View, wanted: Annotated[SearchParams, Query()]) -> Response:
    """Return the k pictures that fit a query best: words, pictures of the library, or both."""
    return JSONResponse(answered(service, asked, wanted, None, _quiet))


@router.get("/search/next", response_model=Answer, summary="The next page")
def next_page(asked: View, cursor: Annotated[str, Query(max_length=200)], threshold: Threshold = "weak") -> Response:
    """Return the page that a cursor points at, from the same answer as the page before."""
    return JSONResponse(asked.next_page(cursor, threshold=threshold))


@router.post("/search", response_model=Answer, summary="Pictures like an upload")
def search_by_picture(
    service: Serving,
    asked: View,
    wanted: Annotated[SearchParams, Query()],
    image: Annotated[UploadFile | None, File(description="A picture file")] = None,
    url: Annotated[str, Form(max_length=2000, description="Or its web address, if the server allows that")] = "",
) -> Response:
    """Return the k pictures most similar to an upload, combined with words if there are any."""
    return JSONResponse(answered(service, asked, wanted, uploaded(service, asked, image, url), _quiet))


@router.get("/search/stream", response_class=EventSourceResponse, summary="The first order at once, then better ones")
def search_stream(
    service: Serving, asked: View, wanted: Annotated[SearchParams, Query()], request: Request
) -> Iterator[ServerSentEvent]:
    """Send the events `answer` (the encoder's order), `checked` (progress), `answer` (the reranked order) and `end`.

    Errors are sent as an event `error`, in the same form as elsewhere.
    """
    first = wanted.model_copy(update={"rerank": False})

    def work(emit: Callable[[str, Any], None]) -> None:
        def told(step: Progress) -> None:
            emit("checked", {"done": step.done, "total": step.total})
            if step.answer is not None:
                emit("answer", step.answer)

        emit("answer", answered(service, asked, first, None, _quiet))
        if wanted.rerank:
            emit("answer", answered(service, asked, wanted, None, told))

    yield from streamed(work, request)


@router.get("/understand", summary="How a query is read")
def understood(asked: View, q: Words) -> Response:
    """Return each alternative's terms and filters in query syntax, notes on doubtful parts, and the wanted words."""
    query = asked.parse(q)
    return JSONResponse(
        {"query": query.text, "alternatives": render_branches(query), "notes": query.notes, "words": query.words}
    )


@router.get("/language", summary="The tokens of the query language")
def language() -> Response:
    """Return each token with an example and its meaning."""
    rows = [{"name": name, "example": field.example, "meaning": field.help} for name, field in FIELDS.items()]
    return JSONResponse({"tokens": rows})


@router.get("/facets", summary="How many likely answers there are of each year, camera, place ...")
def facets(asked: View, wanted: Annotated[SearchParams, Query()]) -> Response:
    """Return lists of values with their counts, most frequent first; of the whole library if the query is empty."""
    return JSONResponse(asked.facets(wanted.text))


@router.get("/why", response_model=None, summary="Why a picture is a hit")
def why(
    asked: View,
    service: Serving,
    item: Number,
    q: Words,
    heat: Annotated[bool, Query(description="Where in the picture, as numbers on a grid")] = False,
    vlm: Annotated[bool, Query(description="Also ask the vision-language model")] = False,
) -> Response:
    """Return the share of each word and each ranking, what the filters found, and what the score means."""
    path = asked.items.get(item).path
    with service.speaks() if vlm else nullcontext():
        return JSONResponse(asked.why(q, path, heat=heat, vlm=vlm))


@router.get("/why-not", response_model=None, summary="Why a picture is not a hit, and what would make it one")
def why_not(asked: View, item: Number, q: Words, k: Count = 10, threshold: Threshold = "weak") -> Response:
    """Return its standing, the reason, and the smallest changes of the query that bring it up."""
    return JSONResponse(asked.why_not(q, asked.items.get(item).path, k, threshold=threshold))


@router.post("/captions", response_model=Answer, summary="The library's texts that fit a picture")
def captions(
    service: Serving,
    asked: View,
    k: Count = 10,
    item: Number | None = None,
    threshold: Threshold = "weak",
    image: Annotated[UploadFile | None, File(description="A picture file")] = None,
) -> Response:
    """Return the texts that fit an upload, or a picture of the library, best first."""
    if item is not None and image is None:
        return JSONResponse(asked.captions(asked.items.get(item).path, k, threshold=threshold))
    if item is None and image is not None:
        return JSONResponse(asked.captions(decoded(service, asked, image.file.read()), k, threshold=threshold))
    raise UsageError("send either an image or an item")


@router.get("/texts", response_model=Answer, summary="The library's texts that mean something like a query")
def texts(asked: View, q: Words, k: Count = 10) -> Response:
    """Return captions, descriptions and other texts, ranked by how close their meaning is to the query."""
    return JSONResponse(asked.query(ByText(q), k, Kind.TEXT))


def _quiet(_step: Progress) -> None:
    """Show no progress."""
