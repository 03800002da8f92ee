"""CLIP's byte-pair tokenizer over a merge table on disk: texts to the same token numbers as open_clip's.

A merge is stored as (first * size + second), sorted, so that nothing is parsed when a process starts. Knows byte pairs;
does not know models.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import regex

Numbers = npt.NDArray[np.int64]

CONTRACTIONS = "'s|'t|'re|'ve|'m|'ll|'d"
# The order of the 256 bytes in the vocabulary: printable Latin-1 characters come first.
PRINTED = (*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100))
BYTES = {byte: number for number, byte in enumerate((*PRINTED, *sorted(set(range(256)) - set(PRINTED))))}


@dataclass(frozen=True)
class BytePairs:
    """The merges of a vocabulary: `keys` in ascending order, with the rank and the resulting token of each."""

    keys: Numbers
    ranks: Numbers
    merged: Numbers
    size: int  # of the vocabulary
    start: int
    end: int
    context: int  # maximum number of tokens per text

    def encode(self, text: str) -> list[int]:
        """Return the tokens of a text with start and end tokens, truncated to `context` tokens."""
        plain = text.isascii() and text.isprintable() and "&" not in text
        text = " ".join((text if plain else _mended(text)).split()).lower()
        words = (self._plain if plain else self._any).findall(text)
        tokens = [self.start, *(token for word in words for token in self._word(word)), self.end]
        return tokens if len(tokens) <= self.context else [*tokens[: self.context - 1], self.end]

    @cached_property
    def _plain(self) -> re.Pattern[str]:
        return re.compile(rf"<start_of_text>|<end_of_text>|{CONTRACTIONS}|[a-z]+|[0-9]|[^\sa-z0-9]+")

    @cached_property
    def _any(self) -> regex.Pattern[str]:
        import regex

        pieces = rf"<start_of_text>|<end_of_text>|{CONTRACTIONS}|[\p{{L}}]+|[\p{{N}}]|[^\s\p{{L}}\p{{N}}]+"
        return regex.compile(pieces, regex.IGNORECASE)

    @cached_property
    def _known(self) -> dict[str, list[int]]:
        return {"<start_of_text>": [self.start], "<end_of_text>": [self.end]}

    def _word(self, word: str) -> list[int]:
        """Return the tokens of one word; results are cached."""
        found = self._known.get(word)
        if found is None:
            numbers = [BYTES[byte] for byte in word.encode()]
            found = self._known[word] = self._joined([*numbers[:-1], numbers[-1] + 256])  # + 256: ends a word
        return found

    def _joined(self, word: list[int]) -> list[int]:
        """Merge the lowest-ranked pair wherever it occurs, until no known pair is left."""
        while len(word) > 1:
            keys = np.array(word[:-1], np.int64) * self.size + word[1:]
            places = np.searchsorted(self.keys, keys).clip(0, len(self.keys) - 1)
            there = self.keys[places] == keys
            if not there.any():
                break
            best = places[np.where(there, self.ranks[places], np.iinfo(np.int64).max).argmin()]
            word = _replaced(word, divmod(int(self.keys[best]), self.size), int(self.merged[best]))
        return word


def table(merges: Iterable[tuple[int, int, int, int]], size: int) -> tuple[Numbers, Numbers, Numbers]:
    """Return the arrays `keys`, `ranks` and `merged` of (first, second, rank, merged) tuples, sorted by key."""
    rows = np.array(sorted((first * size + second, rank, merged) for first, second, rank, merged in merges), np.int64)
    keys, ranks, merged = rows.T if len(rows) else np.empty((3, 0), np.int64)
    return keys, ranks, merged


def _replaced(word: list[int], pair: tuple[int, int], merged: int) -> list[int]:
    symbols: list[int] = []
    place = 0
    while place < len(word):
        if tuple(word[place : place + 2]) == pair:
            symbols.append(merged)
            place += 2
        else:
            symbols.append(word[place])
            place += 1
    return symbols


def _mended(text: str) -> str:
    import ftfy

    return html.unescape(html.unescape(ftfy.fix_text(text)))
