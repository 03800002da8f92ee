"""Counts and negations in a query ("two dogs", "no people"), as yes-or-no questions for a vision-language model.

CLIP-style encoders read a negated or counted thing as that thing (Paiss et al. 2023, "Teaching CLIP to Count to Ten";
Alhamoud et al. 2025, "Vision-Language Models Do Not Understand Negation"). English only; does not know models.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

NUMBERS = "two three four five six seven eight nine ten 2 3 4 5 6 7 8 9 10".split()
STOPS = frozenset(
    "and or but with without on in at near under over by from to into onto through around behind beside between during "
    "next while who that which is are was were no not nor the this these those he she it they".split()
)
PEOPLE = frozenset("one person people human humans anyone anybody".split())
NO = re.compile(
    r"(?:,\s*)?\b(?:(?:with|and|but|has|have|having)\s+)?(?:no|without(?:\s+any)?|not\s+any)[\s-]+(?:an?\s+)?"
)
COUNT = re.compile(
    rf"\b(?:(?P<one>(?:only|exactly|just)\s+(?:one|a|an)|an?\s+single)|(?P<pair>a\s+(?:couple|pair)\s+of)"
    rf"|(?:(?:only|exactly|just)\s+)?(?P<number>{'|'.join(NUMBERS)}))\s+"
)
LONGEST = 3  # words in the name of a thing, at most


@dataclass(frozen=True)
class Fact:
    """Something that a picture must show, or must not."""

    phrase: str  # including its number or article
    wanted: bool

    @property
    def question(self) -> str:
        """The fact as a yes-or-no question for a vision-language model."""
        return f"can you see {self.phrase}?"

    def __str__(self) -> str:
        return f"{'shows' if self.wanted else 'does not show'} {self.phrase}"


@dataclass(frozen=True)
class CountedQuery:
    """A query with its counts and negations taken apart."""

    text: str  # the query without its negations, for the encoder
    facts: tuple[Fact, ...] = ()


def unwanted(thing: str) -> Fact:
    """Return the fact that a picture must not show `thing`."""
    return Fact("people" if thing.lower() in PEOPLE else _some(thing.lower()), wanted=False)


def split_query(query: str) -> CountedQuery:
    """Return the counts and negations of a query, and its text without negations (whole if nothing else is left)."""
    low, facts, kept, place = query.lower(), [], "", 0
    for match in NO.finditer(low):
        thing = _thing(low[match.end() :])
        if thing and match.start() >= place:
            facts.append(unwanted(thing))
            kept += query[place : match.start()]
            place = match.end() + len(thing)
    kept = " ".join((kept + query[place:]).split()).strip(" ,;")
    for match in COUNT.finditer(kept.lower()):
        thing = _thing(kept.lower()[match.end() :])
        if thing:
            number = "only one" if match["one"] else "two" if match["pair"] else _spelled(match["number"])
            facts.append(Fact(f"{number} {thing}", wanted=True))
    return CountedQuery(kept or query, tuple(facts))


def _thing(text: str) -> str:
    """Return the first words, which name a thing: up to a stop word, a verb in -ing or a punctuation mark."""
    words: list[str] = []
    for match in re.finditer(r"([\w'-]+)([^\w\s'-]*)", text):
        word = match[1]
        if word in STOPS or (word.endswith("ing") and words) or len(words) == LONGEST:
            break
        words.append(word)
        if match[2]:
            break
    return " ".join(words)


def _some(thing: str) -> str:
    last = thing.split()[-1]
    if last in ("people", "men", "women", "children", "water", "snow", "grass", "food") or last.endswith("s"):
        return thing
    return f"an {thing}" if thing[0] in "aeiou" else f"a {thing}"


def _spelled(number: str) -> str:
    return NUMBERS[int(number) - 2] if number.isdigit() else number
