"""The byte-pair vocabulary: trained on the captions, written in the format of OpenAI CLIP's tokenizer.

Knows text; does not know the model.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from pathlib import Path

from open_clip.tokenizer import SimpleTokenizer


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


def load(path: Path, context_length: int) -> SimpleTokenizer:
    return SimpleTokenizer(bpe_path=str(path), context_length=context_length)
