"""Resolves `@name` in a query: a saved search replaces its name, a taught word stays as it is.

Does not know where names are stored.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ..errors import QueryError
from .syntax import AllOf, AnyOf, Minus, Name, Node, Span, Weighted, parse

FILES = ("similar", "like", "unlike")  # tokens that take a file
NAME = re.compile(r"\w[\w-]*")


@dataclass(frozen=True)
class KnownNames:
    """The saved searches and taught words of one library, without the @ of their names."""

    saved: Mapping[str, str] = field(default_factory=dict)  # name -> query
    taught: frozenset[str] = frozenset()

    def near(self, name: str) -> str:
        """Return the known name that is spelled most alike; empty if none is similar."""
        return next(iter(difflib.get_close_matches(name, [*self.saved, *self.taught], 1)), "")


def expand(node: Node, names: KnownNames, text: str, within: tuple[str, ...] = ()) -> Node:
    """Return the tree with each saved search in place of its name.

    Raises:
        QueryError: a name is unknown, or a saved search is invalid or contains itself; points at the name in `text`.
    """
    match node:
        case Name(name, span):
            if name in within:
                raise QueryError(f"@{name} is part of itself: {' in '.join(f'@{each}' for each in within)}", text, span)
            if name in names.saved:
                return _at(expand(_parsed(name, names.saved[name], text, span), names, text, (*within, name)), span)
            if name not in names.taught:
                near = names.near(name)
                hint = f", perhaps @{near}" if near else "; `retrieval save` and `retrieval teach` make names"
                what = f'nothing is saved or taught as "@{name}"{hint}; put it in quotes to search for it as words'
                raise QueryError(what, text, span)
        case Minus(part) | Weighted(part=part):
            return replace(node, part=expand(part, names, text, within))
        case AllOf(parts) | AnyOf(parts):
            return replace(node, parts=tuple(expand(part, names, text, within) for part in parts))
    return node


def _parsed(name: str, query: str, text: str, span: Span) -> Node:
    try:
        return parse(query)
    except QueryError as exc:
        raise QueryError(f"@{name} can no longer be understood: {exc.reason}", text, span) from exc


def _at(node: Node, span: Span) -> Node:
    """Return the tree with all its positions set to `span`, so that errors in it point there."""
    match node:
        case Minus(part) | Weighted(part=part):
            return replace(node, part=_at(part, span), span=span)
        case AllOf(parts) | AnyOf(parts):
            return replace(node, parts=tuple(_at(part, span) for part in parts), span=span)
    return replace(node, span=span)
