"""One question to a library, as a value: every face builds one, and it is validated in one place.

A new search option is a field here (with its help), a command-line option of the same name, and a line in the docs: the
HTTP parameters, the client and the Python API take it from the field. Does not know how a query is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Self, TypedDict, Unpack

from ..errors import UsageError
from .records import Budget, ByBytes, ByFile, ByItem, ByVector, Kind, Order, Query, Threshold, Vectors

LARGEST_K = 1_000_000  # hits of one answer
LONGEST, MOST = 4000, 1000  # characters of a query, and hits or pages of it, that one HTTP request may ask for


def http(help: str, **bounds: float) -> dict[str, Any]:
    """Return the metadata of a field that is a parameter of the HTTP API, too: its help, and pydantic's bounds."""
    return {"help": help, "bounds": bounds}


class SearchOptions(TypedDict, total=False):
    """The fields of `SearchRequest` but its query, as keyword arguments."""

    k: int
    kind: Kind
    image: str | Path | bytes | None
    within: Sequence[str]
    threshold: Threshold | None
    order: Order
    fold: bool
    facets: bool
    page: int | None
    rerank: Budget | None


@dataclass(frozen=True)
class SearchRequest:
    """What to look for in a library, and which hits to return in which form.

    Raises:
        UsageError: a value is out of range, or two options exclude each other.
    """

    query: str | Query = ""  # in the query language (docs/queries.md), or one piece of a query
    k: int = field(default=10, metadata=http("How many hits", ge=1, le=MOST))
    kind: Kind = Kind.PICTURE  # of the hits
    image: str | Path | bytes | None = None  # a picture to search by together with the query: a file, or its bytes
    within: Sequence[str] = ()  # globs: only pictures whose path matches one of them
    threshold: Threshold | None = field(  # None: weak; where the order does not tell the surest, likely
        default=None, metadata=http("The weakest match to show; weak if nothing is named, and likely by date")
    )
    order: Order = field(default="score", metadata=http("How hits are ordered"))
    fold: bool = field(default=True, metadata=http("Group near-duplicates under one hit"))
    facets: bool = field(default=False, metadata=http("Count the likely answers by year, camera, place, type, folder"))
    page: int | None = field(default=None, metadata=http("This page of k hits; `cursor` leads on", ge=1, le=MOST))
    rerank: Budget | None = None  # let the vision-language model check the best hits, within these limits

    def __post_init__(self) -> None:
        if self.k < 1:
            raise UsageError(f"k must be at least 1, got {self.k}")
        if self.k > LARGEST_K:
            raise UsageError(f"k must be at most {LARGEST_K:,}, got {self.k}; --page leads on from there")
        if self.page is not None and self.page < 1:
            raise UsageError(f"pages are counted from 1, got page {self.page}")
        if self.page is not None and (self.rerank is not None or self.order == "diverse"):
            raise UsageError("pages cannot be combined with rerank or with the order `diverse`")
        if self.rerank is not None and self.order != "score":
            raise UsageError("rerank cannot be combined with another order than by score")

    @property
    def least(self) -> Threshold:
        """The weakest match that is shown."""
        return self.threshold or ("likely" if self.order == "date" else "weak")

    @classmethod
    def of(cls, query: str | Query | SearchRequest, **options: Unpack[SearchOptions]) -> SearchRequest:
        """Return a request with these options; a given request, with the options that are named replaced."""
        return replace(query, **options) if isinstance(query, SearchRequest) else cls(query, **options)

    # --- requests that have a name -------------------------------------------------------------------------

    @classmethod
    def similar(cls, item: int, **options: Unpack[SearchOptions]) -> Self:
        """Return a request for the pictures most similar to an item of the library, except itself."""
        return cls(ByItem(item), **_with_all_hits(options))

    @classmethod
    def by_vector(cls, vector: Vectors, **options: Unpack[SearchOptions]) -> Self:
        """Return a request for the contents nearest to an embedding of the library's model, (dimensions,)."""
        return cls(ByVector(vector), **_with_all_hits(options))

    @classmethod
    def texts_for(cls, picture: str | Path | bytes, **options: Unpack[SearchOptions]) -> Self:
        """Return a request for the texts of the library that fit a picture best: a file, or its bytes."""
        given: SearchOptions = {"kind": Kind.TEXT, **options}
        return cls(ByBytes(picture) if isinstance(picture, bytes) else ByFile(Path(picture)), **given)

    # --- over HTTP -----------------------------------------------------------------------------------------

    def to_params(self) -> dict[str, Any]:
        """Return the parameters of the HTTP API that ask the same, without the picture, which is an upload.

        Raises:
            UsageError: the HTTP API cannot ask this: `within`, or a query that is not text.
        """
        if not isinstance(self.query, str) or self.within:
            raise UsageError("a server takes queries in words; write path:GLOB or item:12 into them")
        params = {"q": self.query, **{each.name: getattr(self, each.name) for each in PARAMS}}
        if self.rerank is not None:
            limits = {"budget": self.rerank.seconds, "depth": self.rerank.depth, "anyway": self.rerank.anyway}
            params |= {"rerank": True, **limits}
        return params


def _with_all_hits(options: SearchOptions) -> SearchOptions:
    """Return the options with a threshold that leaves nothing out, unless they name one."""
    return {"threshold": "none", **options}


PARAMS = tuple(each for each in fields(SearchRequest) if "help" in each.metadata)  # what the HTTP API takes as it is
