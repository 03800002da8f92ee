"""What a query means: alternatives of weighted pieces, and which pictures may answer each.

Values only; does not know how they are written or how a piece becomes a vector.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..types.records import ByBytes, ByFile, ByItem, ByTaught, ByText, Query
from .filters import EVERYTHING, Filter, every

MINUS = 0.5  # weight of what stands behind a minus: at 1, what is wanted is lost, too (benchmarks/concepts.py)


@dataclass(frozen=True)
class Weighed:
    """One thing that is looked for; below zero, something that is not wanted."""

    piece: Query
    weight: float = 1.0
    feedback: bool = False  # on an answer: it corrects what is looked for


@dataclass(frozen=True)
class Alternative:
    """What is looked for together; without pieces, every picture that may answer is a hit."""

    pieces: tuple[Weighed, ...] = ()
    where: Filter = EVERYTHING

    @property
    def words(self) -> str:
        """What is wanted, in words."""
        return ", ".join(part.piece.text for part in self.pieces if isinstance(part.piece, ByText) and part.weight > 0)

    @property
    def unwanted(self) -> tuple[str, ...]:
        """What is not wanted, in words."""
        found = (part.piece for part in self.pieces if part.weight < 0)
        return tuple(piece.text for piece in found if isinstance(piece, ByText))


@dataclass(frozen=True)
class Expression:
    """A whole query; a picture is as good as its best alternative."""

    text: str
    alternatives: tuple[Alternative, ...]
    notes: tuple[str, ...] = ()  # how it was understood, where that is not plain

    @classmethod
    def of(cls, piece: Query) -> Expression:
        """One piece alone."""
        return cls(named(piece), (Alternative((Weighed(piece),)),))

    @property
    def words(self) -> str:
        """What is wanted, in words."""
        return " or ".join(dict.fromkeys(each.words for each in self.alternatives if each.words))

    @property
    def looked_for(self) -> tuple[Query, ...]:
        """All that its pieces are."""
        return tuple(part.piece for each in self.alternatives for part in each.pieces)

    @property
    def unwanted(self) -> tuple[str, ...]:
        """What no alternative wants, in words."""
        first, *others = (each.unwanted for each in self.alternatives)
        return tuple(text for text in first if all(text in other for other in others))

    def reworded(self, text: str) -> Expression:
        """The same with these words for what is wanted; unchanged where its words are in several pieces."""
        texts = [part for each in self.alternatives for part in each.pieces if isinstance(part.piece, ByText)]
        wanted = [part for part in texts if part.weight > 0]
        if len(wanted) != 1:
            return self
        pieces = tuple(
            replace(part, piece=ByText(text)) if part is wanted[0] else part for part in self.alternatives[0].pieces
        )
        return replace(self, alternatives=(replace(self.alternatives[0], pieces=pieces), *self.alternatives[1:]))

    def with_piece(self, piece: Weighed) -> Expression:
        """The same with one thing more that is looked for, in every alternative."""
        sides = tuple(replace(each, pieces=(*each.pieces, piece)) for each in self.alternatives)
        return replace(self, text=f"{self.text} {named(piece.piece)}".strip(), alternatives=sides)

    def within(self, *filters: Filter) -> Expression:
        """The same, among fewer pictures."""
        return replace(
            self, alternatives=tuple(replace(each, where=every(each.where, *filters)) for each in self.alternatives)
        )


def named(piece: Query) -> str:
    """A piece in words."""
    match piece:
        case ByText(text):
            return text
        case ByFile(path):
            return str(path)
        case ByItem(number):
            return f"item {number}"
        case ByTaught(name):
            return f"@{name}"
        case ByBytes(data):
            return f"a picture of {len(data)} bytes"
        case _:
            return "a vector"
