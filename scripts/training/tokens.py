"""The byte-pair vocabulary: trained on the captions, written in the format of OpenAI CLIP's tokenizer.

Knows text; does not know the model.
"""

from __future__ import annotations

import gzip
import json
import random
import re
from collections.abc import Iterable
from pathlib import Path

import torch
from open_clip.tokenizer import SimpleTokenizer
from torch import Tensor


def train(texts: Iterable[str], merges: int, path: Path) -> None:
    """Write `merges` byte-pair merges, learned from `texts`, to `path` (gzip)."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    learner = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    learner.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.BpeTrainer(
        vocab_size=merges + 256, min_frequency=3, end_of_word_suffix="</w>", show_progress=False
    )
    learner.train_from_iterator((text.lower() for text in texts), trainer)
    pairs = json.loads(learner.to_str())["model"]["merges"][:merges]
    lines = ["#version: 0.2", *(" ".join(pair) if isinstance(pair, list) else pair for pair in pairs)]
    path.write_bytes(gzip.compress("\n".join(lines).encode(), mtime=0))


def drop_words(tokens: Tensor, share: float, last_word: int) -> Tensor:
    """Remove a random `share` of the word tokens of each row (n, length) and close the gaps."""
    gone = (torch.rand(tokens.shape) < share) & (tokens > 0) & (tokens < last_word)
    order = (gone | (tokens == 0)).to(torch.int8).argsort(dim=1, stable=True)
    return tokens.masked_fill(gone, 0).gather(1, order)


def made_up(texts: Iterable[str], tokenizer: SimpleTokenizer, count: int = 5000) -> list[list[int]]:
    """Tokens of words that do not exist, spliced from the halves of words that do."""
    words = sorted({word for text in texts for word in re.findall("[a-z]{4,}", text.lower())})
    luck = random.Random(0)
    pairs = ((luck.choice(words), luck.choice(words)) for _ in range(count))
    return [tokenizer.encode(one[: len(one) // 2 + 1] + other[len(other) // 2 :]) for one, other in pairs]


def with_unknown_words(tokens: Tensor, share: float, words: list[list[int]], context: int) -> Tensor:
    """Put a made-up word somewhere into a `share` of the rows: the model learns to read past what it does not know."""
    rows = []
    for row in tokens.tolist():
        said = [token for token in row if token]
        if random.random() < share:
            place = random.randint(1, len(said) - 1)
            longer = said[:place] + random.choice(words) + said[place:]
            said = longer if len(longer) <= context else said
        rows.append(torch.tensor(said))
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)


def trim(tokens: Tensor) -> Tensor:
    """Cut the columns that hold padding only."""
    return tokens[:, : int((tokens > 0).sum(1).max())]


def load(path: Path, context_length: int) -> SimpleTokenizer:
    return SimpleTokenizer(bpe_path=str(path), context_length=context_length)
