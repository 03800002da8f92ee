"""Interprets a query's text as an `Expression`: joins words, reads tokens, expands ORs and finds dates in words.

Does not know libraries or models.
"""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby, product

from ..errors import QueryError
from ..types.records import ByTaught, ByText
from . import counts_and_negations, dates, fields
from .expression import MINUS, Alternative, Expression, WeightedPiece
from .filters import Filter, Not, Or, Taken, all_of
from .saved_names import KnownNames, expand
from .syntax import AllOf, AnyOf, FieldToken, Minus, Name, Node, Span, Weighted, Word, parse

MOST = 32  # alternatives of a query after expanding its ORs
HEAVIEST = 1000.0
LIKED, UNLIKED, ALONE = 1.0, 0.5, 0.15  # total weights of feedback: liked, unliked, unliked if nothing is liked
NONE = KnownNames()


@dataclass(frozen=True)
class _PartialBranch:
    """One alternative under construction."""

    words: tuple[Word, ...] = ()
    pieces: tuple[WeightedPiece, ...] = ()
    where: tuple[Filter, ...] = ()

    def __add__(self, other: _PartialBranch) -> _PartialBranch:
        return _PartialBranch(self.words + other.words, self.pieces + other.pieces, self.where + other.where)

    @property
    def looks_for(self) -> bool:
        return bool(self.words or self.pieces)


def interpret(text: str, now: datetime | None = None, names: KnownNames = NONE) -> Expression:
    """Return the meaning of a query; relative dates such as "last summer" refer to `now`, and `@name` to `names`.

    Raises:
        QueryError: the query is invalid; the message points at the place.
    """
    reader = _Interpreter(text, now or datetime.now())
    sides = reader.sides(expand(parse(text), names, text))
    notes: dict[str, None] = {}
    found = [reader.finish(side, notes) for side in sides]
    return Expression(text, tuple(found), tuple(notes))


@dataclass(frozen=True)
class _Interpreter:
    text: str
    now: datetime

    def error(self, message: str, span: Span) -> QueryError:
        return QueryError(message, self.text, span)

    def sides(self, node: Node) -> list[_PartialBranch]:
        """Return the alternatives of a tree, with its ORs expanded."""
        where = self.filter(node)
        if where is not None:
            return [_PartialBranch(where=(where,))]
        match node:
            case Word():
                return [_PartialBranch(words=(node,))]
            case FieldToken() | Name():
                return [_PartialBranch(pieces=(self.piece(node),))]
            case Minus(part):
                return [self.negative(part, node.span)]
            case Weighted(weight, part):
                return [_PartialBranch(pieces=tuple(self.weighed(part, weight, node.span)))]
            case AnyOf(parts):
                found = [side for part in parts for side in self.sides(part)]
                if any(side.looks_for for side in found) and not all(side.looks_for for side in found):
                    raise self.error("either each side of OR says what to look for or none does", node.span)
                self.check(len(found), node.span)
                return found
            case AllOf(parts):
                chosen = [self.sides(part) for part in parts]
                self.check(math.prod(map(len, chosen)), node.span)
                return [sum(each, _PartialBranch()) for each in product(*chosen)]

    def check(self, count: int, span: Span) -> None:
        if count > MOST:
            raise self.error(f"this means more than {MOST} different queries; use fewer ORs", span)

    def filter(self, node: Node) -> Filter | None:
        """Return the tree as a filter; None unless it consists of filters only."""
        match node:
            case FieldToken():
                meaning = self.meaning(node)
                return meaning if isinstance(meaning, Filter) else None
            case Minus(part):
                inner = self.filter(part)
                return None if inner is None else Not(inner)
            case AllOf(parts) | AnyOf(parts):
                found = [self.filter(part) for part in parts]
                whole = [each for each in found if each is not None]
                if not parts or len(whole) < len(found):
                    return None
                return all_of(*whole) if isinstance(node, AllOf) else Or(tuple(whole))
            case _:
                return None

    def meaning(self, token: FieldToken) -> fields.Meaning:
        try:
            return fields.read(token.name, token.value, token.tail, self.now)
        except KeyError:
            near = difflib.get_close_matches(token.name, [*fields.FIELDS, *fields.ALIASES], 1)
            hint = f", perhaps {fields.ALIASES.get(near[0], near[0])}:" if near else ""
            what = f'nothing is called "{token.name}:"{hint}; put it in quotes to search for it as words'
            raise self.error(what, token.span) from None
        except fields.InvalidValue as exc:
            raise self.error(str(exc), token.span) from None

    def piece(self, token: FieldToken | Name) -> WeightedPiece:
        if isinstance(token, Name):
            return WeightedPiece(ByTaught(token.name))
        meaning = self.meaning(token)
        if isinstance(meaning, fields.Feedback):
            return WeightedPiece(meaning.piece, 1.0 if meaning.wanted else -1.0, feedback=True)
        assert not isinstance(meaning, Filter)  # `filter` has handled filters before
        return WeightedPiece(meaning)

    def negative(self, node: Node, span: Span) -> _PartialBranch:
        return _PartialBranch(pieces=tuple(self.weighed(node, -MINUS, span)))

    def weighed(self, node: Node, weight: float, span: Span) -> list[WeightedPiece]:
        """Return the weighted pieces of a tree; each side of an OR is a piece of its own."""
        if abs(weight) > HEAVIEST:
            raise self.error(f"weights go to {HEAVIEST:g}", span)
        match node:
            case Word(text):
                return [WeightedPiece(ByText(text), weight)]
            case FieldToken() | Name() if self.filter(node) is None:
                piece = self.piece(node)
                if piece.feedback:
                    raise self.error("like: and unlike: take no sign and no weight; use one or the other", span)
                return [replace(piece, weight=weight)]
            case Minus(part):
                return self.weighed(part, -weight * (MINUS if weight > 0 else 1 / MINUS), span)
            case Weighted(inner, part):
                return self.weighed(part, weight * inner, span)
            case AllOf(parts) if parts and all(isinstance(part, Word) for part in parts):
                return [WeightedPiece(ByText(" ".join(part.text for part in parts if isinstance(part, Word))), weight)]
            case AnyOf(parts):
                return [piece for part in parts for piece in self.weighed(part, weight, span)]
        raise self.error("a sign or a weight goes before words, similar: or item:, or before filters alone", span)

    def finish(self, side: _PartialBranch, notes: dict[str, None]) -> Alternative:
        """Return an alternative, its words joined and dates in them turned into filters; adds remarks to `notes`."""
        spoken: list[str] = []
        where = list(side.where)
        for quoted, group in groupby(side.words, key=lambda word: word.quoted):
            text = " ".join(word.text for word in group)
            if not quoted:
                text, found = dates.find(text, self.now)
                for phrase, span in found:
                    where.append(Taken(span.since, span.until))
                    notes[f'understood: {span} ("{phrase}"; in quotes it is searched for as words)'] = None
                for fact in counts_and_negations.split_query(text).facts:
                    if not fact.wanted:
                        notes[f"models read what is absent as present; -{_minus(fact.phrase)} takes it away"] = None
            spoken.append(text)
        text = " ".join(part for part in spoken if part)
        words = (WeightedPiece(ByText(text)),) if text else ()
        return Alternative(words + _corrected(side.pieces), all_of(*where))


def _corrected(pieces: tuple[WeightedPiece, ...]) -> tuple[WeightedPiece, ...]:
    """Return the pieces, with feedback weighted as in Rocchio's formula: the mean of the liked minus the unliked."""
    liked = sum(each.feedback and each.weight > 0 for each in pieces)
    unliked = sum(each.feedback and each.weight < 0 for each in pieces)
    weights = {1.0: LIKED / max(liked, 1), -1.0: -(UNLIKED if liked else ALONE) / max(unliked, 1)}
    return tuple(replace(each, weight=weights[each.weight]) if each.feedback else each for each in pieces)


def _minus(phrase: str) -> str:
    words = phrase.removeprefix("a ").removeprefix("an ")
    return f'"{words}"' if " " in words else words
