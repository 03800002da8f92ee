"""The meaning of a query: alternatives, each with weighted pieces and a filter.

Does not know query syntax, nor how a piece becomes a vector.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..types.records import ByBytes, ByFile, ByItem, ByTaught, ByText, Query
from .filters import EVERYTHING, Filter, all_of

MINUS = 0.5  # weight of a negated piece: at 1, the wanted ones are lost, too (benchmarks/concepts.py)


@dataclass(frozen=True)
class WeightedPiece:
    """One piece of a query with its weight; a negative weight means that it is not wanted."""

    piece: Query
    weight: float = 1.0
    feedback: bool = False  # relevance feedback (`like:`, `unlike:`), not a search term of its own


@dataclass(frozen=True)
class Alternative:
    """One OR alternative: pieces that are searched for together; without any, all that passes the filter is a hit."""

    pieces: tuple[WeightedPiece, ...] = ()
    where: Filter = EVERYTHING

    @property
    def words(self) -> str:
        """The wanted texts, joined by commas."""
        return ", ".join(part.piece.text for part in self.pieces if isinstance(part.piece, ByText) and part.weight > 0)

    @property
    def unwanted(self) -> tuple[str, ...]:
        """The unwanted texts."""
        found = (part.piece for part in self.pieces if part.weight < 0)
        return tuple(piece.text for piece in found if isinstance(piece, ByText))


@dataclass(frozen=True)
class Expression:
    """A whole query; a picture is ranked by the alternative that it fits best."""

    text: str
    alternatives: tuple[Alternative, ...]
    notes: tuple[str, ...] = ()  # how it was interpreted, if that is not obvious

    @classmethod
    def of(cls, piece: Query) -> Expression:
        """Return the query for a single piece."""
        return cls(describe_piece(piece), (Alternative((WeightedPiece(piece),)),))

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing in it: no pieces, and no filters."""
        return not self.pieces and all(each.where == EVERYTHING for each in self.alternatives)

    @property
    def words(self) -> str:
        """The wanted texts of all alternatives, joined by "or" and without duplicates."""
        return " or ".join(dict.fromkeys(each.words for each in self.alternatives if each.words))

    @property
    def pieces(self) -> tuple[Query, ...]:
        """The queries of all pieces, wanted or not."""
        return tuple(part.piece for each in self.alternatives for part in each.pieces)

    @property
    def unwanted(self) -> tuple[str, ...]:
        """The texts that are unwanted in every alternative."""
        first, *others = (each.unwanted for each in self.alternatives)
        return tuple(text for text in first if all(text in other for other in others))

    def reworded(self, text: str) -> Expression:
        """Return the query with `text` in place of its wanted text.

        Unchanged unless the wanted text is a single piece, in the first alternative.
        """
        texts = [part for each in self.alternatives for part in each.pieces if isinstance(part.piece, ByText)]
        wanted = [part for part in texts if part.weight > 0]
        if len(wanted) != 1:
            return self
        pieces = tuple(
            replace(part, piece=ByText(text)) if part is wanted[0] else part for part in self.alternatives[0].pieces
        )
        return replace(self, alternatives=(replace(self.alternatives[0], pieces=pieces), *self.alternatives[1:]))

    def with_piece(self, piece: WeightedPiece) -> Expression:
        """Return the query with a piece added to every alternative."""
        sides = tuple(replace(each, pieces=(*each.pieces, piece)) for each in self.alternatives)
        return replace(self, text=f"{self.text} {describe_piece(piece.piece)}".strip(), alternatives=sides)

    def within(self, *filters: Filter) -> Expression:
        """Return the query with more filters on every alternative."""
        return replace(
            self, alternatives=tuple(replace(each, where=all_of(each.where, *filters)) for each in self.alternatives)
        )


def describe_piece(piece: Query) -> str:
    """Return a readable label of a piece, such as its text, its path or `@name`."""
    match piece:
        case ByText(text):
            return text
        case ByFile(path):
            return str(path)
        case ByItem(number):
            return f"item {number}"
        case ByTaught(name):
            return f"@{name}"
        case ByBytes():
            return "an uploaded picture"
        case _:
            return "a vector"
