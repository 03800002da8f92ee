"""What `@name` stands for: a saved search, put in the place of its name, or a taught word.

Knows trees of queries; does not know where names are kept.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ..errors import QueryError
from .syntax import All, AnyOf, Minus, Name, Node, Span, Weighted, parse

FILES = ("similar", "like", "unlike")  # tokens that take a file
NAME = re.compile(r"\w[\w-]*")


@dataclass(frozen=True)
class Names:
    """The names of one library, without their @."""

    saved: Mapping[str, str] = field(default_factory=dict)  # with their queries
    taught: frozenset[str] = frozenset()

    def near(self, name: str) -> str:
        """The nearest known name; empty where none is near."""
        return next(iter(difflib.get_close_matches(name, [*self.saved, *self.taught], 1)), "")


def expanded(node: Node, names: Names, text: str, within: tuple[str, ...] = ()) -> Node:
    """The tree with each saved search in the place of its name.

    Raises:
        QueryError: a name that nothing has, or a search that is part of itself; it points at the name in `text`.
    """
    match node:
        case Name(name, span):
            if name in within:
                raise QueryError(f"@{name} is part of itself: {' in '.join(f'@{each}' for each in within)}", text, span)
            if name in names.saved:
                return _at(expanded(_parsed(name, names.saved[name], text, span), names, text, (*within, name)), span)
            if name not in names.taught:
                near = names.near(name)
                hint = f", perhaps @{near}" if near else "; `retrieval save` and `retrieval teach` make names"
                what = f'nothing is saved or taught as "@{name}"{hint}; put it in quotes to search for it as words'
                raise QueryError(what, text, span)
        case Minus(part) | Weighted(part=part):
            return replace(node, part=expanded(part, names, text, within))
        case All(parts) | AnyOf(parts):
            return replace(node, parts=tuple(expanded(part, names, text, within) for part in parts))
    return node


def _parsed(name: str, query: str, text: str, span: Span) -> Node:
    try:
        return parse(query)
    except QueryError as exc:
        raise QueryError(f"@{name} cannot be understood any more: {exc.reason}", text, span) from exc


def _at(node: Node, span: Span) -> Node:
    """The tree as if all of it stood in this place: that is where errors in it point."""
    match node:
        case Minus(part) | Weighted(part=part):
            return replace(node, part=_at(part, span), span=span)
        case All(parts) | AnyOf(parts):
            return replace(node, parts=tuple(_at(part, span) for part in parts), span=span)
    return replace(node, span=span)
