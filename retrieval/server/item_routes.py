"""Routes for the files of the library: facts, previews, originals, captions; browsing by time and place.

Clients name files by item number only, never by path.
"""

from __future__ import annotations

import mimetypes
import os
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Query
from fastapi.responses import FileResponse, Response
from pydantic import BaseModel, Field

from .. import geocoding
from ..errors import UsageError
from ..types.records import Answer
from ..types.request import SearchRequest
from ..types.results import ItemDetails, ItemSummary
from .answers import ItemPage, ItemTexts, Months, Points, RemovedCaption, Towns
from .conditional import OpenFileResponse, Revalidation
from .dependencies import ERRORS, Guard, JSONResponse, Number, Serving, View
from .previews import Previews
from .route_facts import facts
from .tokens import Scope

router = APIRouter(prefix="/v1", tags=["items"], responses=ERRORS)

DAY = 24 * 3600
IMAGES = {f"image/{form}": {"schema": {"type": "string", "format": "binary"}} for form in ("webp", "avif", "jpeg")}
UNCHANGED: dict[str, Any] = {"description": "The client has it already (If-None-Match)"}
PICTURES: dict[int | str, dict[str, Any]] = {200: {"description": "The picture", "content": IMAGES}, 304: UNCHANGED}
ANY_FILE = {"*/*": {"schema": {"type": "string", "format": "binary"}}}
FILES: dict[int | str, dict[str, Any]] = {
    200: {"description": "The file", "content": ANY_FILE},
    206: {"description": "A part of the file (Range)", "content": ANY_FILE},
    304: UNCHANGED,
}
Digest = Annotated[str, Query(max_length=100, description="`digest` of the hit: the answer may be kept for good then")]


async def known_to(guard: Guard, digest: Digest = "", if_none_match: Annotated[str, Header()] = "") -> Revalidation:
    """Return what the client knows of a picture."""
    return Revalidation(digest, if_none_match, guard.demand)


Known = Annotated[Revalidation, Depends(known_to)]


@router.get("/items", response_model=ItemPage, summary="Files, the newest first")
@facts(scope=Scope.READ)
def list_items(
    library: View,
    count: Annotated[int, Query(ge=1, le=1000)] = 200,
    after: Annotated[Number | None, Query(description="The last item of the page before")] = None,
    until: Annotated[str, Query(pattern=r"^(\d{4}-\d{2})?$", description="None later than this month")] = "",
) -> Response:
    """Return a page of files by the time they were taken, newest first; files without a date come last."""
    found = library.items.newest(count, after, until)
    return JSONResponse(ItemPage(library.items.summaries(found), found[-1].id if len(found) == count else None))


@router.get("/items/{item}", response_model=ItemDetails, summary="What is known of a file")
@facts(scope=Scope.READ)
def get_item(library: View, item: Number) -> Response:
    """Return a file's facts, place and texts, and the other files that hold the same picture."""
    found = library.items.get(item)
    texts = tuple(library.items.texts_of(found.content))
    copies = tuple(copy.path for copy in library.items.copies(found))
    summary = vars(ItemSummary.of(found, library.items.digest(found)))
    size = library.items.size(found)
    known = ItemDetails(**summary, bytes=size, facts=found.facts, place=found.place, texts=texts, copies=copies)
    return JSONResponse(known)


@router.get("/items/{item}/thumbnail", response_class=Response, responses=PICTURES, summary="A small picture of it")
@facts(scope=Scope.READ, small=True, large_with=("size=1280", "size=2560"))
def get_thumbnail(
    service: Serving,
    library: View,
    item: Number,
    known: Known,
    size: Annotated[Literal["320", "1280", "2560"], Query(description="Pixels of the longer side, at most")] = "320",
    accept: Annotated[str, Header()] = "*/*",
) -> Response:
    """Return a preview: WebP, AVIF for the larger sizes if the client accepts it, or JPEG if it accepts neither."""
    thumbnail = library.items.thumbnail(item)
    form = Previews.form(accept, int(size))
    tag = f'"{thumbnail.digest}-{size}-{form}"'
    headers = {**known.headers(thumbnail.digest, tag), "vary": "Accept"}
    if known.has(tag):
        return Response(status_code=304, headers=headers)
    data = service.previews.get(library, thumbnail, int(size), form)
    return Response(data, media_type=f"image/{form}", headers=headers)


@router.get("/items/{item}/original", response_class=FileResponse, responses=FILES, summary="The file itself")
@facts(scope=Scope.READ)
def get_original(
    service: Serving,
    library: View,
    item: Number,
    known: Known,
    download: bool = False,
) -> Response:
    """Return the file as it was indexed, whole or in ranges; 409 if it has changed since."""
    record = library.items.get(item)
    if not service.originals:
        raise UsageError("this server does not give out original files")
    content = library.items.digest(record).partition("@")[0]
    headers = known.headers(content, f'"{content}"')
    if known.has(headers["etag"]):
        return Response(status_code=304, headers=headers)
    file = library.items.open(record)
    kind = mimetypes.guess_type(record.path.name)[0] or "application/octet-stream"
    shown = kind.startswith(("image/", "video/")) and kind != "image/svg+xml" and not download
    name = record.path.name.encode("utf-8", "replace").decode()
    return OpenFileResponse(
        file,
        stat_result=os.fstat(file.fileno()),
        media_type=kind if shown else "application/octet-stream",
        filename=name,
        content_disposition_type="inline" if shown else "attachment",
        headers=headers,
    )


@router.get("/items/{item}/similar", response_model=Answer, summary="Pictures like it")
@facts(scope=Scope.READ)
def find_similar(library: View, item: Number, k: Annotated[int, Query(ge=1, le=1000)] = 20) -> Response:
    """Return the k pictures most similar to it, without itself."""
    return JSONResponse(library.search(SearchRequest.similar(library.items.get(item).id, k=k)))


Replaced = Annotated[
    str | None,
    Field(max_length=2000, description="The caption by hand that you have read, '' for none: a newer one is not lost"),
]


class CaptionBody(BaseModel):
    """The text of a caption, and the one that it replaces."""

    text: str = Field(min_length=1, max_length=2000)
    known: Replaced = None


@router.put("/items/{item}/caption", response_model=ItemTexts, summary="Caption it by hand")
@facts(scope=Scope.WRITE)
def set_caption(service: Serving, library: View, item: Number, said: CaptionBody) -> Response:
    """Store a caption in place of captions by models; it is searchable at once. 409: someone has changed it."""
    found = library.items.get(item)
    service.library.captions.set(found.path, said.text, known=said.known)
    return JSONResponse(ItemTexts(found.id, library.items.texts_of(found.content)))


@router.delete("/items/{item}/caption", response_model=RemovedCaption, summary="Remove the caption by hand")
@facts(scope=Scope.WRITE)
def remove_caption(
    service: Serving, library: View, item: Number, known: Annotated[Replaced, Query()] = None
) -> Response:
    """Remove the caption that was written by hand, and return it, so that it can be put back."""
    found = library.items.get(item)
    removed = service.library.captions.remove(found.path, known=known)
    return JSONResponse(RemovedCaption(found.id, library.items.texts_of(found.content), removed))


@router.get("/timeline", response_model=Months, summary="How many files there are of each month")
@facts(scope=Scope.READ)
def get_timeline(library: View) -> Response:
    """Return pairs of a month ("2023-06", or "" for files without a date) and a count, newest first."""
    return JSONResponse(Months(library.items.months()))


@router.get("/towns", response_model=Towns, summary="The world's towns, for a map without a network")
@facts(scope=Scope.READ)
def get_towns() -> Response:
    """Return the latitude and longitude (degrees), population and name of each town (GeoNames, CC BY 4.0)."""
    return JSONResponse(Towns(geocoding.towns()), headers={"cache-control": f"private, max-age={DAY}"})


@router.get("/map", response_model=Points, summary="Where files were taken")
@facts(scope=Scope.READ)
def get_map(library: View) -> Response:
    """Return triples of item number, latitude and longitude (degrees) of the files with coordinates."""
    return JSONResponse(Points(library.items.points()))
