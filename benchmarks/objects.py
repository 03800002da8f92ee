"""Things in captions: which a text names, and which the captions of a picture name or leave open.

Reads `queries/objects.toml`. Used by `captions.py` (inventions) and `judgements.py` (yes-or-no questions).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

TABLE = Path(__file__).parent / "queries" / "objects.toml"


@cache
def objects() -> dict[str, tuple[frozenset[str], frozenset[str]]]:
    """Return each thing, with the words that name it and further words that leave it open."""
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    return {
        name: (frozenset(words.split()), frozenset(table["also"].get(name, "").split()))
        for name, words in table["objects"].items()
    }


def words(text: str) -> set[str]:
    """Return the lower-case words of a text."""
    return set(re.findall("[a-z]+", text.lower()))


def named(text: str) -> set[str]:
    """Return the things that a text names."""
    said = words(text)
    return {name for name, (own, _) in objects().items() if said & own}


def open_in(captions: Iterable[str]) -> set[str]:
    """Return the things that a picture may show though none of its captions names them."""
    said = set().union(*map(words, captions))
    return {name for name, (own, also) in objects().items() if said & also and not said & own}


def times(captions: Iterable[str]) -> dict[str, int]:
    """Return how many of a picture's captions name each thing."""
    every = [named(caption) for caption in captions]
    return {name: sum(name in each for each in every) for name in objects()}
