"""Saved names of a library: saves, teaches, lists and removes saved searches and taught words.

Does not know how an answer is found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import NotIndexed, UsageError
from ..queries import interpret
from ..queries.saved_names import FILES, NAME, KnownNames
from ..queries.syntax import AllOf, AnyOf, FieldToken, Minus, Node, Weighted, parse, unparse
from ..sources import absolute_path
from ..storage.storage import Storage
from ..types.plain_text import plain


@dataclass(frozen=True)
class SavedNames:
    """The saved searches and taught words of one library, without the @ of their names."""

    storage: Storage

    def names(self) -> KnownNames:
        """Return all saved searches and taught words."""
        with self.storage.read() as catalog:
            found = catalog.names
            return KnownNames(found.saved(), frozenset(found.taught()))

    def saved(self) -> dict[str, str]:
        """Return the query of each saved search, by name."""
        return dict(self.names().saved)

    def taught(self) -> dict[str, tuple[int, int]]:
        """Return the numbers of examples and counter-examples of each taught word, by name."""
        with self.storage.read() as catalog:
            return catalog.names.taught()

    def save(self, name: str, query: str) -> None:
        """Save a query under a name, replacing an earlier one.

        Raises:
            QueryError: the query is invalid.
            UsageError: the query is empty, or the name is a taught word's or has characters other than letters, digits,
                - and _.
        """
        name, names, query = _plain(name), self.names(), plain(query)
        if name in names.taught:
            raise UsageError(f"@{name} is a taught word; choose another name, or forget it first")
        if not query.strip():
            raise UsageError("the query is empty; there is nothing to save")
        query = unparse(_absolute(parse(query)))
        interpret(query, names=replace(names, saved={**names.saved, name: query}))
        with self.storage.small_write() as catalog:
            catalog.names.save(name, query)

    def teach(self, name: str, yes: Sequence[str | Path] = (), no: Sequence[str | Path] = ()) -> tuple[int, int]:
        """Add examples (`yes`) and counter-examples (`no`) to a taught word; return how many of both it has now.

        Raises:
            UsageError: the name is invalid or a saved search's, a picture is in both lists or not in the library, or
                the word has no example.
        """
        name = _plain(name)
        if name in self.names().saved:
            raise UsageError(f"@{name} is a saved search; choose another name, or forget it first")
        twice = {*map(absolute_path, yes)} & {*map(absolute_path, no)}
        if twice:
            raise UsageError(f"{twice.pop()} is given both as an example of @{name} and as a counterexample")
        both = {absolute_path(path): wanted for wanted, paths in ((True, yes), (False, no)) for path in paths}
        with self.storage.small_write() as catalog:
            known, names = catalog.items.contents_at(both), catalog.names
            missing = [path for path in both if path not in known]
            if missing:
                folder = "it is a folder; name its pictures" if missing[0].is_dir() else "index it first"
                raise NotIndexed(f"the library has no picture {missing[0]}; {folder}")
            names.teach(name, {known[path]: wanted for path, wanted in both.items()})
            count = names.taught().get(name, (0, 0))
            if not count[0]:
                raise UsageError(f"@{name} has no example pictures; give some with --yes")
        return count

    def forget(self, name: str) -> None:
        """Remove a saved search or a taught word.

        Raises:
            UsageError: there is none of this name; the message suggests the nearest.
        """
        name = _plain(name)
        with self.storage.small_write() as catalog:
            if not catalog.names.drop(name):
                near = self.names().near(name)
                raise UsageError(f"nothing is saved or taught as @{name}{f', perhaps @{near}' if near else ''}")


def _plain(name: str) -> str:
    plain = name.removeprefix("@")
    if not NAME.fullmatch(plain):
        raise UsageError(f'"{name}" is not a name; names have letters, digits, - and _')
    return plain


def _absolute(node: Node) -> Node:
    """Return the tree with the paths in it made absolute."""
    match node:
        case FieldToken(name, value, tail) if name in FILES and not value.startswith("#"):
            return replace(node, value=str(absolute_path(Path(value + tail).expanduser())), tail="")
        case Minus(part) | Weighted(part=part):
            return replace(node, part=_absolute(part))
        case AllOf(parts) | AnyOf(parts):
            return replace(node, parts=tuple(map(_absolute, parts)))
    return node
