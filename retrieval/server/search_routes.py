"""Routes for searching by words, an upload, a picture of the library or of the web; for why and why not; for facets.

Does not know how hits are found.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from typing import Annotated, Any, cast, get_type_hints

from fastapi import APIRouter, Depends, File, Form, Query, Request, UploadFile
from fastapi.responses import Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, ConfigDict, Field, create_model

from ..errors import UsageError
from ..library.view import LibraryView
from ..queries.fields import FIELDS
from ..queries.render import append_pieces, render_branches
from ..types.explanations import WhyNot
from ..types.records import Answer, Budget, ByItem, ByText, Kind, Progress, Threshold, no_progress
from ..types.request import LONGEST, MOST, PARAMS, SearchRequest
from .answers import Facets, Language, QueryToken, SearchEvents, Understood, WhyForm
from .dependencies import ERRORS, JSONResponse, Number, Serving, View
from .fetch import fetched
from .route_facts import facts
from .service import Service
from .stream import streamed
from .tokens import Scope

EVENTS: dict[int | str, dict[str, Any]] = {200: {"model": SearchEvents, "description": "Server-sent events"}}

router = APIRouter(prefix="/v1", tags=["search"], responses=ERRORS)

Words = Annotated[str, Query(max_length=LONGEST, description="The query, as docs/queries.md describes its language")]
Count = Annotated[int, Query(ge=1, le=MOST, description="How many hits")]


class _Params(BaseModel):
    """The parameters of a search that are not fields of `SearchRequest`; unknown ones are refused."""

    model_config = ConfigDict(extra="forbid")

    q: str = Field("", max_length=LONGEST, description="The query, as docs/queries.md describes its language")
    item: list[Number] = Field([], max_length=100, description="Pictures of the library that hits shall be like")
    rerank: bool = Field(False, description="Let a vision-language model check the best hits")
    budget: float | None = Field(None, gt=0, le=600, description="Seconds that the check may take")
    depth: int = Field(50, ge=1, le=500, description="How many hits may be checked")
    anyway: bool = Field(False, description="Rerank even where it was found not to help")


FIELDS_OF_REQUEST: dict[str, Any] = {  # every field that is a parameter, with its help and bounds
    each.name: (get_type_hints(SearchRequest)[each.name], Field(
        20 if each.name == "k" else each.default, description=each.metadata["help"], **each.metadata["bounds"]
    ))
    for each in PARAMS
}  # fmt: skip
SearchParams = create_model("SearchParams", __base__=_Params, **FIELDS_OF_REQUEST)


def asked_for(params: Annotated[SearchParams, Query()]) -> SearchRequest:  # type: ignore[valid-type]  # made above
    """Return the request that the parameters make; pictures of the library are tokens of its query.

    Raises:
        UsageError: two options exclude each other.
    """
    given = cast(_Params, params)
    return SearchRequest(
        query=append_pieces(given.q, [ByItem(number) for number in given.item]),
        rerank=Budget(given.budget, given.depth, given.anyway) if given.rerank else None,
        **{each.name: getattr(given, each.name) for each in PARAMS},
    )


Wanted = Annotated[SearchRequest, Depends(asked_for)]


def answered(
    service: Service, view: LibraryView, request: SearchRequest, progress: Callable[[Progress], None] = no_progress
) -> Answer:
    """Return the answer to a search; reranks run one at a time, as they share the vision-language model."""
    with service.speaks() if request.rerank else nullcontext():
        return view.search(request, progress=progress)


def uploaded(service: Service, library: LibraryView, file: UploadFile | None, url: str = "") -> bytes | None:
    """Return the uploaded picture, or the one at `url`, re-encoded for fast decoding; None if there is neither.

    Raises:
        UsageError: there is a URL, and this server does not fetch pictures.
        SourceError: the picture cannot be fetched.
        PictureError: it cannot be decoded.
    """
    if url:
        if not service.fetches:
            raise UsageError("pictures of the web are not fetched here; start the server with --fetch")
        return decoded(service, library, fetched(url))
    return None if file is None else decoded(service, library, file.file.read())


def decoded(service: Service, library: LibraryView, data: bytes) -> bytes:
    """Return a picture, decoded in a worker process, as BMP, which is fast to decode again.

    Raises:
        PictureError: it cannot be decoded.
    """
    out = io.BytesIO()
    service.picture(data, library.services.encoder().image_size).save(out, "BMP")
    return out.getvalue()


@router.get("/search", response_model=Answer, summary="Pictures for a query, best first")
@facts(slow_with=("rerank",))
def search(service: Serving, library: View, request: Wanted) -> Response:
    """Return the k pictures that fit a query best: words, pictures of the library, or both."""
    return JSONResponse(answered(service, library, request))


@router.get("/search/next", response_model=Answer, summary="The next page")
@facts(scope=Scope.READ)
def next_page(library: View, cursor: Annotated[str, Query(max_length=200)], threshold: Threshold = "weak") -> Response:
    """Return the page that a cursor points at, from the same answer as the page before."""
    return JSONResponse(library.next_page(cursor, threshold=threshold))


@router.post("/search", response_model=Answer, summary="Pictures like an upload")
@facts(slow_with=("rerank",))
def search_by_picture(
    service: Serving,
    library: View,
    request: Wanted,
    image: Annotated[UploadFile | None, File(description="A picture file")] = None,
    url: Annotated[str, Form(max_length=2000, description="Or its web address, if the server allows that")] = "",
) -> Response:
    """Return the k pictures most similar to an upload, combined with words if there are any."""
    picture = uploaded(service, library, image, url)
    return JSONResponse(answered(service, library, replace(request, image=picture)))


@router.get(
    "/search/stream",
    response_class=EventSourceResponse,
    responses=EVENTS,
    summary="The first order at once, then better ones",
)
@facts(slow=True)
def search_stream(service: Serving, library: View, wanted: Wanted, request: Request) -> Iterator[ServerSentEvent]:
    """Send the events `answer` (the encoder's order), `checked` (progress), `answer` (the reranked order) and `end`.

    Errors are sent as an event `error`, in the same form as elsewhere.
    """

    def work(emit: Callable[[str, Any], None]) -> None:
        def told(step: Progress) -> None:
            emit("checked", {"done": step.done, "total": step.total})
            if step.answer is not None:
                emit("answer", step.answer)

        emit("answer", answered(service, library, replace(wanted, rerank=None)))
        if wanted.rerank:
            emit("answer", answered(service, library, wanted, told))

    yield from streamed(work, request)


@router.get("/understand", response_model=Understood, summary="How a query is read")
@facts(scope=Scope.READ)
def understand(library: View, q: Words) -> Response:
    """Return each alternative's terms and filters in query syntax, notes on doubtful parts, and the wanted words."""
    query = library.parse(q)
    return JSONResponse(Understood(query.text, render_branches(query), list(query.notes), query.words))


@router.get("/language", response_model=Language, summary="The tokens of the query language")
@facts(scope=Scope.READ)
def get_language() -> Response:
    """Return each token with an example and its meaning."""
    return JSONResponse(Language([QueryToken(name, field.example, field.help) for name, field in FIELDS.items()]))


@router.get("/facets", response_model=Facets, summary="How many likely answers there are of each year, camera ...")
@facts(scope=Scope.READ)
def count_facets(library: View, request: Wanted) -> Response:
    """Return lists of values with their counts, most frequent first; of the whole library if the query is empty."""
    return JSONResponse(library.facets(request))


@router.get("/why", response_model=WhyForm, summary="Why a picture is a hit")
@facts(slow_with=("vlm",))
def why(
    library: View,
    service: Serving,
    item: Number,
    q: Words,
    heat: Annotated[bool, Query(description="Where in the picture, as numbers on a grid")] = False,
    vlm: Annotated[bool, Query(description="Also ask the vision-language model")] = False,
) -> Response:
    """Return the share of each word and each ranking, what the filters found, and what the score means."""
    found = library.items.get(item)
    path = (library.items.require(found) if heat or vlm else found).path  # both look at the file
    with service.speaks() if vlm else nullcontext():
        return JSONResponse(library.why(q, path, heat=heat, vlm=vlm))


@router.get("/why-not", response_model=WhyNot, summary="Why a picture is not a hit, and what would make it one")
@facts(slow=True)
def why_not(library: View, item: Number, q: Words, k: Count = 10, threshold: Threshold = "weak") -> Response:
    """Return its standing, the reason, and the smallest changes of the query that bring it up."""
    return JSONResponse(library.why_not(q, library.items.get(item).path, k=k, threshold=threshold))


@router.post("/captions", response_model=Answer, summary="The library's texts that fit a picture")
@facts(scope=Scope.READ)
def find_captions(
    service: Serving,
    library: View,
    k: Count = 10,
    item: Number | None = None,
    threshold: Threshold = "weak",
    image: Annotated[UploadFile | None, File(description="A picture file")] = None,
) -> Response:
    """Return the texts that fit an upload, or a picture of the library, best first."""
    if item is not None and image is None:
        return JSONResponse(library.captions.find(library.items.get(item).path, k=k, threshold=threshold))
    if item is None and image is not None:
        return JSONResponse(
            library.captions.find(decoded(service, library, image.file.read()), k=k, threshold=threshold)
        )
    raise UsageError("send either an image or an item")


@router.get("/texts", response_model=Answer, summary="The library's texts that mean something like a query")
@facts(scope=Scope.READ)
def find_texts(library: View, q: Words, k: Count = 10) -> Response:
    """Return captions, descriptions and other texts, ranked by how close their meaning is to the query."""
    return JSONResponse(library.search(ByText(q), k=k, kind=Kind.TEXT, threshold="none"))
