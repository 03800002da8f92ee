"""The names of a library: saved searches and taught words, made, listed and forgotten.

Knows the catalog and the grammar; does not know how an answer is found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import UsageError
from ..queries import interpret
from ..queries.saved_names import FILES, NAME, Names
from ..queries.syntax import All, AnyOf, Minus, Node, Token, Weighted, parse, unparse
from ..sources import placed
from ..storage.catalog.collections import Collections
from ..storage.storage import Holdings


@dataclass(frozen=True)
class Named:
    """The names of one library, without their @."""

    holdings: Holdings

    def names(self) -> Names:
        """What `@name` may stand for."""
        with self.holdings.reading() as catalog:
            found = Collections(catalog.connection)
            return Names(found.saved(), frozenset(found.taught()))

    def saved(self) -> dict[str, str]:
        """Every saved search with its query."""
        return dict(self.names().saved)

    def taught(self) -> dict[str, tuple[int, int]]:
        """Every taught word, with how many pictures it is and is not."""
        with self.holdings.reading() as catalog:
            return Collections(catalog.connection).taught()

    def save(self, name: str, query: str) -> None:
        """Keep a query under a name, in place of what it was.

        Raises:
            QueryError: the query cannot be understood.
            UsageError: the name has other signs than letters, digits, - and _, or is a taught word's.
        """
        name, names = _plain(name), self.names()
        if name in names.taught:
            raise UsageError(f"@{name} is a taught word; choose another name, or forget it first")
        if not query.strip():
            raise UsageError("the query is empty; there is nothing to save")
        query = unparse(_absolute(parse(query)))
        interpret(query, names=replace(names, saved={**names.saved, name: query}))
        with self.holdings.writer("retrieval save"), self.holdings.writing() as catalog:
            Collections(catalog.connection).save(name, query)

    def teach(self, name: str, yes: Sequence[str | Path] = (), no: Sequence[str | Path] = ()) -> tuple[int, int]:
        """Add pictures of the library that a word means, and that it does not; how many there are of both then.

        Raises:
            UsageError: a picture that the library does not have, none that it means, or the name of a saved search.
        """
        name = _plain(name)
        if name in self.names().saved:
            raise UsageError(f"@{name} is a saved search; choose another name, or forget it first")
        twice = {*map(placed, yes)} & {*map(placed, no)}
        if twice:
            raise UsageError(f"{twice.pop()} is given as what @{name} means and as what it does not")
        both = {placed(path): wanted for wanted, paths in ((True, yes), (False, no)) for path in paths}
        with self.holdings.writer("retrieval teach"), self.holdings.writing() as catalog:
            known, found = catalog.contents_at(both), Collections(catalog.connection)
            missing = [path for path in both if path not in known]
            if missing:
                folder = "it is a folder; name its pictures" if missing[0].is_dir() else "index it first"
                raise UsageError(f"the library has no picture {missing[0]}; {folder}")
            found.teach(name, {known[path]: wanted for path, wanted in both.items()})
            count = found.taught().get(name, (0, 0))
            if not count[0]:
                raise UsageError(f"@{name} has no picture that it means; give some with --yes")
        return count

    def forget(self, name: str) -> None:
        """Forget a saved search or a taught word.

        Raises:
            UsageError: there is none of this name; the nearest one is suggested.
        """
        name = _plain(name)
        with self.holdings.writer("retrieval save"), self.holdings.writing() as catalog:
            if not Collections(catalog.connection).drop(name):
                near = self.names().near(name)
                raise UsageError(f"nothing is saved or taught as @{name}{f', perhaps @{near}' if near else ''}")


def _plain(name: str) -> str:
    plain = name.removeprefix("@")
    if not NAME.fullmatch(plain):
        raise UsageError(f'"{name}" is no name; names have letters, digits, - and _')
    return plain


def _absolute(node: Node) -> Node:
    """The tree with the files that it names as they are found from anywhere."""
    match node:
        case Token(name, value, tail) if name in FILES and not value.startswith("#"):
            return replace(node, value=str(placed(Path(value + tail).expanduser())), tail="")
        case Minus(part) | Weighted(part=part):
            return replace(node, part=_absolute(part))
        case All(parts) | AnyOf(parts):
            return replace(node, parts=tuple(map(_absolute, parts)))
    return node
