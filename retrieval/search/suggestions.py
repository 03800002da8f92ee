"""Suggests other queries where an answer is weak or empty: words that are a camera, a place, a folder, or misspelt.

Does not know embeddings.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain, islice

from ..calibration.anchors import anchor_texts
from ..encoders.english_words import english_words
from ..errors import QueryError
from ..queries import interpret
from ..queries.expression import Expression
from ..queries.fields import ALIASES
from ..queries.filters import EVERYTHING
from ..queries.language import foreign_language
from ..queries.render import render_filter
from ..queries.syntax import FieldToken, unparse
from ..storage.catalog import CatalogSession
from ..storage.catalog.full_text import STOP_WORDS
from ..storage.storage import Storage
from ..types.records import Suggestion
from .explain.filter_checks import conjuncts

MOST = 3  # suggestions
WORDS = 8  # of a query that are looked at
LONGEST_PHRASE = 4  # words
ITEMS = 200_000  # whose metadata is looked through, at most
SHORTEST = 4  # letters of a word whose spelling is looked at
WORD = re.compile(r"[^\W_]+")
TOKEN = re.compile(r'\b(\w+):("[^"]+"|[^\s"()]+)')
TOKEN_VALUES = {"city": "place", "region": "place", "country": "place"}  # tokens whose values are those of another one
KINDS = {  # token -> what its values are
    "camera": "camera",
    "person": "person",
    "place": "place",
    "keyword": "keyword",
    "path": "folder",
}


@dataclass(frozen=True)
class Suggester:
    """Suggests queries for one library."""

    storage: Storage

    def suggest(self, query: Expression) -> tuple[Suggestion, ...]:
        """Return other queries that may be meant, the most helpful first; those that filter find something."""
        only_filters = not query.pieces and not TOKEN.search(query.text)  # its words have all become a date
        said = query.words or (query.text if only_filters else "")
        words = [match[0] for match in WORD.finditer(said) if match[0].lower() not in STOP_WORDS][:WORDS]
        with self.storage.snapshot(), self.storage.read() as catalog:
            values = self.storage.once("values", lambda: catalog.filters.values(ITEMS))
            spelled = {} if foreign_language(query.words) else _spelled(words, values, catalog)
            possible = chain(
                _values_corrected(query.text, values),
                _tokens(query.text, words, values),
                _corrections(query.text, spelled if query.words else {}),
            )
            found = filter(None, (_counted(catalog, each) for each in dict.fromkeys(possible)))
            return tuple(islice(found, MOST))

    def failing(self, query: Expression) -> tuple[str, ...]:
        """Return which of several filters, in query syntax, pass nothing even alone."""
        with self.storage.read() as catalog:
            parts = [part for each in query.alternatives for part in conjuncts(each.where)]
            return tuple(render_filter(part) for part in parts if len(parts) > 1 and not catalog.filters.passing(part))


def _counted(catalog: CatalogSession, other: Suggestion) -> Suggestion | None:
    """Return a suggestion with how many pictures pass its filters; None if none does or it is no query."""
    try:
        where = interpret(other.query).alternatives[0].where
    except QueryError:
        return None
    if where == EVERYTHING:
        return other
    count = len({content for _, content in catalog.filters.passing(where)})
    return replace(other, count=count) if count else None


def _values_corrected(text: str, values: Mapping[str, Counter[str]]) -> Iterator[Suggestion]:
    """Yield the query with the value of a token replaced by one that the library has and that is spelled alike."""
    for match in TOKEN.finditer(text):
        name, value = ALIASES.get(match[1], match[1]), match[2].strip('"')
        there = values.get(TOKEN_VALUES.get(name, name), Counter[str]())
        known = {word.lower(): each for each in there for word in (each, *WORD.findall(each))}
        near = [known[each] for each in _near(value.lower(), list(known))] if value.lower() not in known else []
        if not near and name != "path" and value.lower() not in known:
            near = [each for each, _ in there.most_common(1)]  # so that one sees what such values look like
        for other in near[:1] + ([f"{value}.*"] if name == "path" and "." not in value else []):
            yield Suggestion(
                text[: match.start()] + unparse(FieldToken(match[1], other)) + text[match.end() :], "spelling"
            )


def _tokens(text: str, words: Sequence[str], values: Mapping[str, Counter[str]]) -> Iterator[Suggestion]:
    """Yield the query with a phrase replaced by the token whose values have it; longer phrases first."""
    for length in range(min(len(words), LONGEST_PHRASE), 0, -1):
        for start in range(len(words) - length + 1):
            phrase = words[start : start + length]
            for token, kind in KINDS.items():
                fitting = Counter({value: count for value, count in values[token].items() if _contains(value, phrase)})
                if not fitting:
                    continue
                value = fitting.most_common(1)[0][0] if token == "path" else " ".join(phrase).lower()
                other = _replaced(text, phrase, unparse(FieldToken(token, value)))
                if other:
                    yield Suggestion(other, kind)


def _contains(value: str, phrase: Sequence[str]) -> bool:
    """Whether a value has all words of a phrase."""
    return {word.casefold() for word in phrase} <= {word.casefold() for word in WORD.findall(value)}


def _replaced(text: str, phrase: Sequence[str], token: str) -> str:
    """Return a query with a phrase replaced; the token alone if nothing else says anything; empty if it cannot be."""
    found = re.search(r"[\W_]+".join(rf"\b{re.escape(word)}\b" for word in phrase), text, re.IGNORECASE)
    if found is None:
        return ""
    rest = f"{text[: found.start()]} {text[found.end() :]}"
    if not any(word.lower() not in STOP_WORDS for word in WORD.findall(rest)):
        return token
    return " ".join(f"{text[: found.start()]}{token}{text[found.end() :]}".split())


def _corrections(text: str, spelled: Mapping[str, str]) -> Iterator[Suggestion]:
    if spelled:
        for wrong, right in spelled.items():
            text = re.sub(rf"\b{re.escape(wrong)}\b", right, text)
        yield Suggestion(text, "spelling")


def _spelled(words: Sequence[str], values: Mapping[str, Counter[str]], catalog: CatalogSession) -> dict[str, str]:
    """Return the words that neither English nor the library has, each with the word that is probably meant."""
    known = english_words()
    own = {part.lower() for some in values.values() for value in some for part in WORD.findall(value)}
    found: dict[str, str] = {}
    for word in words:
        low = word.lower()
        usual = low in known or low in _things() or low in own
        if len(low) < SHORTEST or not low.isalpha() or usual or catalog.full_text.counts([low]):
            continue
        near = _near(low, [*known, *_things(), *(part for part in own if len(part) >= SHORTEST)])
        likely = {place.term for place in catalog.full_text.counts(list(near))} | _things()
        if near:
            found[word] = min(near, key=lambda each: (near[each] + (each not in likely), known.get(each, len(known))))
    return found


@lru_cache(1)
def _things() -> frozenset[str]:
    """Return the words of plain things, which people photograph."""
    return frozenset(word for noun in anchor_texts()[0] for word in WORD.findall(noun))


def _near(word: str, words: Sequence[str]) -> dict[str, int]:
    """Return the words that one or two slips of the pen away, with how many (Damerau's distance)."""
    from rapidfuzz import process
    from rapidfuzz.distance import OSA

    slips = 1 if len(word) < 6 else 2
    rows = process.extract(word, words, scorer=OSA.distance, score_cutoff=slips, limit=30)
    return {each: int(distance) for each, distance, _ in rows if each[0] == word[0]}
