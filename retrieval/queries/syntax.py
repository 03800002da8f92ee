"""The grammar of queries: text -> a tree of words, tokens, weights, OR and groups; and back.

    query  = all { "OR" all }
    all    = part { ["AND"] part }
    part   = "-" part | weight part | "(" query ")" | token | "@" name | quoted | word
    token  = name ":" value          weight = number ":"          value = quoted [tail] | tail

A weight has a letter, a quote, a bracket, a minus or an @ behind it: `18:45` and `16:9` are words.

Does not know what any token means.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TypeAlias

from ..errors import QueryError

DEEPEST = 50  # levels of nested groups and signs

Span: TypeAlias = tuple[int, int]  # position in the text: the first character, and one past the last


@dataclass(frozen=True)
class Word:
    """A word, or several in quotes."""

    text: str
    quoted: bool = False
    span: Span = field(default=(0, 0), compare=False)


@dataclass(frozen=True)
class FieldToken:
    """`name:value`; in `near:"Lisbon"~20km`, the value is Lisbon and the tail ~20km."""

    name: str
    value: str
    tail: str = ""
    span: Span = field(default=(0, 0), compare=False)


@dataclass(frozen=True)
class Name:
    """`@name`: a saved search or a taught word."""

    name: str
    span: Span = field(default=(0, 0), compare=False)


@dataclass(frozen=True)
class Minus:
    """A part behind a minus sign."""

    part: Node
    span: Span = field(default=(0, 0), compare=False)


@dataclass(frozen=True)
class Weighted:
    """A part behind a weight."""

    weight: float
    part: Node
    span: Span = field(default=(0, 0), compare=False)


@dataclass(frozen=True)
class AllOf:
    """Services side by side, or joined by AND."""

    parts: tuple[Node, ...]
    span: Span = field(default=(0, 0), compare=False)


@dataclass(frozen=True)
class AnyOf:
    """Services joined by OR."""

    parts: tuple[Node, ...]
    span: Span = field(default=(0, 0), compare=False)


Node: TypeAlias = Word | FieldToken | Name | Minus | Weighted | AllOf | AnyOf

CLOSING = {'"': '"', "“": "”", "„": "“"}
PIECES = re.compile(
    r"""(?P<space>\s+)
    | (?P<open>\() | (?P<close>\))
    | (?P<minus>-(?=[^\s\-)]))
    | (?P<weight>(?:\d+(?:\.\d+)?|\.\d+):(?=[^\W\d_]|["“„(@-]))
    | (?P<name>[A-Za-z_]+:(?=[^\s)]))
    | (?P<at>@\w[\w-]*(?=[\s)]|$))
    | (?P<quote>["“„])
    | (?P<word>[^\s()]+)""",
    re.VERBOSE,
)
TAIL = re.compile(r"[^\s()]*")
PLAIN = re.compile(r"[^\s()\"“„~]+")  # a value that needs no quotes


def parse(text: str) -> Node:
    """Return the tree of a query; an empty text gives an empty `All`.

    Raises:
        QueryError: a quote or bracket is unbalanced, an operand is missing or the nesting is too deep; points at it.
    """
    reader = _Parser(text)
    found = reader.query(0)
    if reader.kind == "close":
        raise reader.error("this bracket closes nothing; put it in quotes to search for it", reader.place)
    return found


class _Parser:
    """A recursive-descent parser; `kind`, `words` and `place` describe the next piece of the text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.after = 0
        self.kind, self.words, self.place = "", "", (0, 0)
        self.step()

    def error(self, message: str, place: Span) -> QueryError:
        return QueryError(message, self.text, place)

    def step(self) -> None:
        """Advance to the next piece; `kind` is empty at the end of the text."""
        match = PIECES.match(self.text, self.after)
        while match and match.lastgroup == "space":
            match = PIECES.match(self.text, match.end())
        if match is None:
            self.kind, self.words, self.place = "", "", (len(self.text), len(self.text))
            return
        self.kind, self.words, self.place = str(match.lastgroup), match[0], match.span()
        self.after = match.end()

    def query(self, depth: int) -> Node:
        if depth > DEEPEST:
            raise self.error(f"more than {DEEPEST} brackets and signs inside each other", self.place)
        start = self.place[0]
        parts = [self.all(depth)]
        while self._is("OR"):
            place = self.place
            self.step()
            parts.append(self.all(depth))
            if AllOf(()) in parts:
                raise self.error('OR needs something on both sides; write "OR" in quotes to search for the word', place)
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts), (start, parts[-1].span[1]))

    def _is(self, word: str) -> bool:
        return self.kind == "word" and self.words == word

    def all(self, depth: int) -> Node:
        parts: list[Node] = []
        start = self.place[0]
        while self.kind not in ("", "close") and not self._is("OR"):
            if self._is("AND"):
                self.step()
                continue
            part = self.part(depth)
            parts += part.parts if isinstance(part, AllOf) else [part]
        span = (start, parts[-1].span[1] if parts else start)
        return parts[0] if len(parts) == 1 else AllOf(tuple(parts), span)

    def part(self, depth: int) -> Node:
        kind, words, place = self.kind, self.words, self.place
        if depth > DEEPEST:
            raise self.error(f"more than {DEEPEST} brackets and signs inside each other", place)
        if kind == "quote":
            text, end = self._quoted()
            self.step()
            return Word(text, True, (place[0], end))
        if kind == "name":
            return self._token(words[:-1], place)
        self.step()
        if kind == "at":
            return Name(words[1:], place)
        if kind == "open":
            found = self.query(depth + 1)
            if self.kind != "close":
                raise self.error("this bracket is never closed; put it in quotes to search for it", place)
            end = self.place[1]
            self.step()
            return replace(found, span=(place[0], end))
        if kind in ("minus", "weight"):
            if self.kind in ("", "close") or self._is("OR") or self._is("AND"):
                raise self.error("nothing follows it; put it in quotes to search for it", place)
            part = self.part(depth + 1)
            span = (place[0], part.span[1])
            return Minus(part, span) if kind == "minus" else Weighted(float(words[:-1]), part, span)
        return Word(words, False, place)

    def _quoted(self) -> tuple[str, int]:
        """Return the text in the quotes that start here, and where they end; a backslash escapes the next character."""
        closing, text, at = CLOSING[self.text[self.place[0]]], "", self.place[0] + 1
        while at < len(self.text) and self.text[at] != closing:
            at += self.text[at] == "\\" and at + 1 < len(self.text)
            text += self.text[at]
            at += 1
        if at >= len(self.text):
            raise self.error("this quote is never closed", self.place)
        self.after = at + 1
        return text, at + 1

    def _token(self, name: str, place: Span) -> FieldToken:
        value, self.place = "", (place[1], place[1] + 1)
        if self.text[place[1]] in CLOSING:
            value, _ = self._quoted()
        tail = TAIL.match(self.text, self.after)
        assert tail is not None  # it also matches the empty text
        self.after = tail.end()
        self.step()
        if self.text[place[1]] in CLOSING:
            return FieldToken(name.lower(), value, tail[0], (place[0], tail.end()))
        value, mark, rest = tail[0].partition("~")
        return FieldToken(name.lower(), value, mark + rest, (place[0], tail.end()))


def unparse(node: Node) -> str:
    """Return the text of a tree; `parse` turns it back into the same tree."""
    match node:
        case Word(text, quoted):
            return _quote(text) if quoted else text
        case FieldToken(name, value, tail):
            bare = PLAIN.fullmatch(value) and tail[:1] in ("", "~")
            return f"{name}:{value if bare else _quote(value)}{tail}"
        case Name(name):
            return f"@{name}"
        case Minus(part):
            return f"-{_grouped(part)}"
        case Weighted(weight, part):
            return f"{Decimal(repr(weight)).normalize():f}:{_grouped(part)}"
        case AllOf(parts):
            return " ".join(_grouped(part) if isinstance(part, AnyOf) else unparse(part) for part in parts)
        case AnyOf(parts):
            return " OR ".join(_grouped(part) if isinstance(part, AnyOf) else unparse(part) for part in parts)


def _grouped(node: Node) -> str:
    """Return the text of an operand; one that would be read otherwise behind a sign is put in brackets."""
    bare = isinstance(node, Word) and not node.quoted and not node.text[:1].isalpha()
    return f"({unparse(node)})" if bare or isinstance(node, AllOf | AnyOf | Minus) else unparse(node)


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
