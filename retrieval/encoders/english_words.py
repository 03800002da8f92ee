"""The English words that CLIP's vocabulary has whole: the common ones, the most frequent first.

They stand in the merge table that open_clip ships, which is read without importing it. Does not know models.
"""

from __future__ import annotations

import gzip
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

TABLE = "bpe_simple_vocab_16e6.txt.gz"
MERGES = 48_894  # that CLIP uses of the table; those beyond are rarer
SHORTEST = 3  # letters of a word


@lru_cache(1)
def english_words() -> dict[str, int]:
    """Return each word with its place in the order of frequency, from 0; empty if open_clip is not installed."""
    found = find_spec("open_clip")
    for folder in (found.submodule_search_locations or ()) if found is not None else ():
        with gzip.open(Path(folder) / TABLE, "rt", encoding="utf-8") as lines:
            merges = (line.split() for _, line in zip(range(MERGES + 1), lines, strict=False))
            joined = ("".join(parts) for parts in merges if len(parts) == 2)
            words = [each[:-4] for each in joined if each.endswith("</w>")]
        return {word: n for n, word in enumerate(words) if len(word) >= SHORTEST and word.isascii() and word.isalpha()}
    return {}
