"""Routes for saved searches and taught words."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import Response
from pydantic import BaseModel, Field

from ..types.request import LONGEST
from .dependencies import ERRORS, JSONResponse, Number, Serving, View
from .route_facts import facts
from .tokens import Scope

router = APIRouter(prefix="/v1", tags=["names"], responses=ERRORS)

Name = Annotated[str, Path(max_length=64, description="Without its @")]


class SavedBody(BaseModel):
    """The query to save."""

    query: str = Field(min_length=1, max_length=LONGEST)


class ExamplesBody(BaseModel):
    """Item numbers of pictures that a word means (`yes`), and of pictures that it does not mean (`no`)."""

    yes: list[Number] = Field(default=[], max_length=1000)
    no: list[Number] = Field(default=[], max_length=1000)


@router.get("/names", summary="Saved searches and taught words")
@facts(scope=Scope.READ)
def names(library: View) -> Response:
    """Return the query of each saved search, and the numbers of positive and negative examples of each taught word."""
    return JSONResponse({"saved": library.saved.saved(), "taught": library.saved.taught()})


@router.put("/names/{name}", summary="Save a search under a name")
@facts(scope=Scope.WRITE)
def save(service: Serving, name: Name, saved: SavedBody) -> Response:
    """Save a search; `@name` stands for it in any query from now on."""
    service.library.saved.save(name, saved.query)
    return JSONResponse({"name": name, "query": service.library.saved.saved().get(name.removeprefix("@"))})


@router.post("/names/{name}/examples", summary="Teach a word with example pictures")
@facts(scope=Scope.WRITE)
def teach(service: Serving, library: View, name: Name, examples: ExamplesBody) -> Response:
    """Add pictures that a word means and that it does not mean; return how many there are of each."""
    yes, no = ([library.items.get(number).path for number in each] for each in (examples.yes, examples.no))
    count = service.library.saved.teach(name, yes, no)
    return JSONResponse({"name": name, "yes": count[0], "no": count[1]})


@router.delete("/names/{name}", summary="Forget a name")
@facts(scope=Scope.WRITE)
def forget(service: Serving, name: Name) -> Response:
    """Delete a saved search, or a taught word with its examples."""
    service.library.saved.forget(name)
    return JSONResponse({"name": name})
