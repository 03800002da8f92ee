"""Yes-or-no questions made from captions: what people wrote is there; what no one wrote and the encoder doubts is not.

Knows words and similarities; does not know the captioner.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

# Words that captions are full of and that no one would ask for.
PLAIN = frozenset(
    "a an the of on in at to and or with his her its their is are was be being been he she it they them this "
    "that these there while by from for as up down out over into onto through near next another other some one "
    "two three four several many group front back top side left right large small big little very has have "
    "having holding wearing standing sitting walking looking looks stands sits walks holds wears along across "
    "around behind under above who which what where each all both off about against between during no not just "
    "like posing posed".split()
)
COMMON = 400  # the most frequent words that are asked for
TEMPLATES = ("is there a {}?", "is there a {} in the picture?", "can you see a {}?", "does this picture show a {}?")


@dataclass(frozen=True)
class Question:
    """Tokens of a question and of its answer."""

    words: list[int]
    answer: int


def nouns(captions: Sequence[Sequence[str]]) -> list[str]:
    """What is asked for: the most frequent words, less the plain ones and those that end like verbs or adverbs."""
    counts = Counter(word for each in captions for caption in each for word in set(_words(caption)))
    named = [word for word, _ in counts.most_common() if len(word) > 2 and word not in PLAIN]
    return [word for word in named if not word.endswith(("ing", "ly", "ed"))][:COMMON]


def _words(caption: str) -> list[str]:
    return re.findall("[a-z]+", caption.lower())


def make(
    captions: Sequence[Sequence[str]],
    asked: Sequence[str],
    likeness: np.ndarray,
    encode: Callable[[str], list[int]],
) -> list[list[Question]]:
    """Questions on each picture, as many with yes as with no.

    likeness (pictures, words) is the encoder's cosine: a word counts as absent only where no caption has it and the
    encoder finds it less likely than for half of all pictures.
    """
    yes, no = encode("yes")[0], encode("no")[0]
    column = {word: number for number, word in enumerate(asked)}
    doubtful = np.median(likeness, axis=0)
    found = []
    for row, each in enumerate(captions):
        said = {word for caption in each for word in _words(caption)}
        there = [word for word in said if word in column]
        absent = [word for word in asked if word not in said and likeness[row, column[word]] < doubtful[column[word]]]
        luck = np.random.default_rng(row)
        missing = list(luck.choice(absent, min(len(there), len(absent)), replace=False)) if absent else []
        pairs = [(word, yes) for word in there] + [(str(word), no) for word in missing]
        ask = [(TEMPLATES[int(luck.integers(len(TEMPLATES)))].format(word), answer) for word, answer in pairs]
        found.append([Question(encode(f"question: {text} answer:"), answer) for text, answer in ask])
    return found
