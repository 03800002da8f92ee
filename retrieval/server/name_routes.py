"""Routes for saved searches and taught words."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import Response
from pydantic import BaseModel, Field

from ..types.request import LONGEST
from .answers import Forgotten, Names, SavedSearch, TaughtWord
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


@router.get("/names", response_model=Names, summary="Saved searches and taught words")
@facts(scope=Scope.READ)
def list_names(library: View) -> Response:
    """Return the query of each saved search, and the numbers of positive and negative examples of each taught word."""
    return JSONResponse(Names(library.saved.saved(), library.saved.taught()))


@router.put("/names/{name}", response_model=SavedSearch, summary="Save a search under a name")
@facts(scope=Scope.WRITE)
def save_search(service: Serving, name: Name, saved: SavedBody) -> Response:
    """Save a search; `@name` stands for it in any query from now on."""
    service.library.saved.save(name, saved.query)
    return JSONResponse(SavedSearch(name, service.library.saved.saved().get(name.removeprefix("@"), "")))


@router.post("/names/{name}/examples", response_model=TaughtWord, summary="Teach a word with example pictures")
@facts(scope=Scope.WRITE)
def teach_word(service: Serving, library: View, name: Name, examples: ExamplesBody) -> Response:
    """Add pictures that a word means and that it does not mean; return how many there are of each."""
    yes, no = ([library.items.get(number).path for number in each] for each in (examples.yes, examples.no))
    count = service.library.saved.teach(name, yes, no)
    return JSONResponse(TaughtWord(name, *count))


@router.delete("/names/{name}", response_model=Forgotten, summary="Forget a name")
@facts(scope=Scope.WRITE)
def forget_name(service: Serving, name: Name) -> Response:
    """Delete a saved search, or a taught word with its examples."""
    service.library.saved.forget(name)
    return JSONResponse(Forgotten(name))
