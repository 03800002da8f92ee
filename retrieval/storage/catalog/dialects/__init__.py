"""What differs between the databases that a catalog can be in: one file for each behind these two contracts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Table
    from sqlalchemy.sql.selectable import TableValuedAlias


@dataclass(frozen=True)
class TermPlace:
    """A term (a word or phrase of `full_text.terms`) in one column of the full text."""

    column: str
    term: str


class FullTextIndex(Protocol):
    """A full-text index over pictures, inside one transaction; terms are words or phrases of `full_text.terms`."""

    def pending(self) -> list[int]:
        """Return the content ids of pictures whose texts have changed since `replace` was called for them."""
        ...

    def replace(self, contents: Sequence[int], rows: Sequence[Mapping[str, Any]]) -> None:
        """Index these pictures anew: a row has an `id` and a text for each column; without a row, a picture is gone."""
        ...

    def counts(self, places: Sequence[TermPlace]) -> list[int]:
        """Return the number of visible pictures that have each term in its column."""
        ...

    def holders(self, places: Sequence[TermPlace], among: Sequence[int] | None = None) -> list[list[int]]:
        """Return the visible pictures that have each term in its column, of `among` only if that is given."""
        ...

    def lines(self, terms: Sequence[str], content: int) -> list[tuple[str, str]]:
        """Return the lines of a picture's texts that have one of the terms: column and line."""
        ...


class Dialect(Protocol):
    """SQL that databases spell differently."""

    def insert(self, table: Table) -> Any:
        """Return an INSERT that takes ON CONFLICT (`on_conflict_do_update`, `on_conflict_do_nothing`)."""
        ...

    def contains(self, column: ColumnElement[Any], pattern: str) -> ColumnElement[bool]:
        """Return whether a text contains a pattern, ignoring case; `*` matches anything."""
        ...

    def path_fits(self, path: ColumnElement[Any], pattern: str) -> ColumnElement[bool]:
        """Return whether a path is, or lies in, what a pattern names (`types.path_pattern`)."""
        ...

    def kilometres(self, latitude: Any, longitude: Any, to_latitude: float, to_longitude: float) -> ColumnElement[Any]:
        """Return the distance of a row's coordinates from a point, in kilometres."""
        ...

    def elements(self, column: ColumnElement[Any]) -> TableValuedAlias:
        """Return the elements of a JSON list as rows with one column `value`."""
        ...

    def first_of(self, element: ColumnElement[Any]) -> ColumnElement[Any]:
        """Return the first element of a JSON list."""
        ...

    def full_text(self, connection: Connection) -> FullTextIndex:
        """Return the full-text index of a connection."""
        ...
