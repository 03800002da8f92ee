"""What a query means -> the text of a query: what `queries.interpret` reads back as the same.

Knows tokens; does not know libraries.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from .. import geocoding
from ..errors import QueryError
from ..types.records import ByFile, ByItem, ByTaught, ByText, Query
from . import dates
from .expression import MINUS, Alternative, Expression, WeightedPiece
from .filters import (
    EVERYTHING,
    And,
    Between,
    Captioned,
    Filter,
    Has,
    Near,
    Not,
    NumberField,
    OcrContains,
    OfType,
    Or,
    PathFits,
    Taken,
    TextContains,
)
from .syntax import AllOf, AnyOf, FieldToken, Minus, Name, Node, Weighted, Word, parse, unparse

NOON = datetime(2000, 6, 15, 12)  # any moment: whether words contain a date does not depend on it


def render_filter(where: Filter) -> str:
    """Return a filter in query syntax; times of day, which no token can express, are widened to whole days."""
    return unparse(_node(where))


def render_expression(query: Expression) -> str:
    """Return a query in query syntax; empty if it has a piece that text cannot express, such as bytes."""
    found = [_alternative(each) for each in query.alternatives]
    whole = [each for each in found if each is not None]
    return unparse(whole[0] if len(whole) == 1 else AnyOf(tuple(whole))) if len(whole) == len(found) else ""


def _alternative(alternative: Alternative) -> Node | None:
    parts: list[Node] = []
    for piece in alternative.pieces:
        node = _piece(piece)
        if node is None:
            return None
        parts.append(node)
    if alternative.where != EVERYTHING:
        where = _node(alternative.where)
        parts += where.parts if isinstance(where, AllOf) else [where]
    return parts[0] if len(parts) == 1 else AllOf(tuple(parts))


def _piece(part: WeightedPiece) -> Node | None:
    if part.feedback and isinstance(part.piece, ByFile | ByItem):
        value = f"#{part.piece.item}" if isinstance(part.piece, ByItem) else str(part.piece.path)
        return FieldToken("like" if part.weight > 0 else "unlike", value)
    match part.piece:
        case ByText(text):
            joined = part.weight != 1 and (" " in text or not text[:1].isalpha())
            node: Node = Word(text, quoted=joined or not text.strip() or _strange(text))
        case ByFile(path):
            node = FieldToken("similar", str(path))
        case ByItem(number):
            node = FieldToken("item", str(number))
        case ByTaught(name):
            node = Name(name)
        case _:
            return None
    size = part.weight if part.weight > 0 else -part.weight / MINUS
    weighted = node if size == 1 else Weighted(size, node)
    return weighted if part.weight > 0 else Minus(weighted)


def _strange(text: str) -> bool:
    """Return whether a text would be read as anything else than plain words."""
    try:
        node = parse(text)
    except QueryError:
        return True
    parts = node.parts if isinstance(node, AllOf) else (node,)
    return not all(isinstance(part, Word) and not part.quoted for part in parts) or bool(dates.find(text, NOON)[1])


def _node(where: Filter) -> Node:
    match where:
        case Taken(since, until):
            return _taken(since, until)
        case TextContains(field, text):
            return FieldToken(str(field), text)
        case Between(number, low, high):
            return _range("mp" if number is NumberField.MEGAPIXELS else str(number), low, high)
        case Near():
            return _near(where)
        case PathFits(glob):
            return FieldToken("path", glob)
        case OfType(name):
            return FieldToken("type", name)
        case Has(mark):
            return FieldToken("has", str(mark))
        case Captioned(text):
            return FieldToken("caption", text)
        case OcrContains(text):
            return FieldToken("text", text)
        case Not(part):
            return Minus(_node(part))
        case And(parts):
            return AllOf(tuple(map(_node, parts)))
        case Or(parts):
            return AnyOf(tuple(map(_node, parts)))


def _taken(since: datetime | None, until: datetime | None) -> Node:
    first = None if since is None else since.date()
    last = None if until is None else (until - timedelta(microseconds=1)).date()
    if first is not None and first == last:
        return FieldToken("on", str(first))
    ends = [FieldToken("since", str(first))] if first else []
    ends += [FieldToken("until", str(last))] if last else []
    return ends[0] if len(ends) == 1 else AllOf(tuple(ends))


def _range(name: str, low: float | None, high: float | None) -> Node:
    """Return the bounds as tokens; a bound one float away from a shorter number is written with > or <."""
    if low is not None and low == high:
        return FieldToken(name, _digits(low))
    above, below = _bound(low, math.inf), _bound(high, -math.inf)
    if above is not None and below is not None and not (above[0] or below[0]):
        return FieldToken(name, f"{above[1]}..{below[1]}")
    signs = ((above, ">", ">="), (below, "<", "<="))
    tokens = tuple(FieldToken(name, (strict if end[0] else loose) + end[1]) for end, strict, loose in signs if end)
    return tokens[0] if len(tokens) == 1 else AllOf(tokens)


def _bound(number: float | None, beyond: float) -> tuple[bool, str] | None:
    """Return whether a bound is one float beyond a shorter number, and the digits to write; None without a bound."""
    if number is None:
        return None
    shorter = float(f"{number:.12g}")
    strict = math.nextafter(shorter, beyond) == number
    return strict, _digits(shorter if strict else number)


def _digits(number: float) -> str:
    """Return a number in the fewest digits that represent it exactly, without an exponent."""
    return f"{Decimal(repr(number)).normalize():f}"


def _near(where: Near) -> FieldToken:
    spot = geocoding.find(where.name) if where.name else None
    named = spot is not None and (spot.latitude, spot.longitude) == (where.latitude, where.longitude)
    point = f"{_digits(where.latitude)},{_digits(where.longitude)}"
    return FieldToken("near", where.name if named else point, f"~{_digits(where.kilometres)}km")


def append_pieces(text: str, pieces: Sequence[Query]) -> str:
    """Return a query's text with pieces appended as tokens; a text with OR is put in brackets first."""
    tokens = [render_expression(Expression.of(piece)) for piece in pieces]
    whole = f"({text})" if tokens and "OR" in text.split() else text
    return " ".join(filter(None, (whole, *tokens)))


def render_branches(query: Expression) -> list[list[str]]:
    """Return the pieces and filters of each alternative of a query, each in query syntax."""
    branches: list[list[str]] = []
    for each in query.alternatives:
        nodes = [node for node in map(_piece, each.pieces) if node is not None]
        where = _node(each.where) if each.where != EVERYTHING else None
        filters = where.parts if isinstance(where, AllOf) else [where] if where is not None else []
        branches.append([unparse(node) for node in (*nodes, *filters)])
    return branches
