"""English words by frequency: those that the vocabulary of CLIP, or else of the built-in model, has whole.

CLIP's stand in the merge table that open_clip ships, which is read without importing it. Does not know models.
"""

from __future__ import annotations

import gzip
import json
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from .builtin_encoder import BUILTIN, TOKENIZER

TABLE = "bpe_simple_vocab_16e6.txt.gz"
MERGES = 48_894  # that CLIP uses of the table; those beyond are rarer
SHORTEST = 3  # letters of a word


@lru_cache(1)
def english_words() -> dict[str, int]:
    """Return each word with its place in the order of frequency, from 0."""
    found = find_spec("open_clip")
    folders = found.submodule_search_locations if found is not None else None
    words = _of_clip(Path(next(iter(folders))) / TABLE) if folders else _of_builtin()
    return {word: n for n, word in enumerate(words) if len(word) >= SHORTEST and word.isascii() and word.isalpha()}


def _of_clip(table: Path) -> list[str]:
    with gzip.open(table, "rt", encoding="utf-8") as lines:
        merges = (line.split() for _, line in zip(range(MERGES + 1), lines, strict=False))
        joined = ("".join(parts) for parts in merges if len(parts) == 2)
        return [each[:-4] for each in joined if each.endswith("</w>")]


def _of_builtin() -> list[str]:
    """Return the words of the built-in model's WordPiece vocabulary, which is in the order of frequency, too."""
    vocabulary = json.loads((BUILTIN / TOKENIZER).read_text(encoding="utf-8"))["model"]["vocab"]
    return sorted(vocabulary, key=vocabulary.__getitem__)
