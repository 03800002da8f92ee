"""The captioner's words: a WordPiece vocabulary of the captions, and what the encoder knows of each word.

Knows tokenizers and the encoder; does not know pictures.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from retrieval.encoders.builtin_encoder import BuiltinEncoder

START, END, UNKNOWN = "[START]", "[END]", "[UNK]"
SIZE = 6000
RARE = 4  # times that a piece must stand in the captions


def learn(texts: Iterable[str], size: int = SIZE) -> Any:
    """Return a tokenizer of `tokenizers` with the most frequent pieces of lower-case texts and of questions."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    found: Any = Tokenizer(models.WordPiece(unk_token=UNKNOWN))
    found.normalizer = normalizers.BertNormalizer(strip_accents=True)
    found.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    found.decoder = decoders.WordPiece()
    letters = list("abcdefghijklmnopqrstuvwxyz0123456789")
    trainer = trainers.WordPieceTrainer(
        vocab_size=size, min_frequency=RARE, special_tokens=[START, END, UNKNOWN], initial_alphabet=letters,
        limit_alphabet=60, show_progress=False,
    )  # fmt: skip
    answers = ["question: yes answer: no"] * RARE
    found.train_from_iterator([*answers, *texts], trainer)
    return found


def known(tokenizer: Any, encoder: BuiltinEncoder, width: int) -> tuple[Tensor, Tensor]:
    """Return the encoder's embedding of each word in fewer numbers, (words, width), and the turn: (width, dimensions).

    The turn keeps the directions in which the words differ most (principal components).
    """
    vocabulary = tokenizer.get_vocab()
    pieces = sorted(vocabulary, key=vocabulary.__getitem__)
    rows = encoder.texts([piece.removeprefix("##") for piece in pieces])
    rows = rows - rows.mean(0)
    _, directions = np.linalg.eigh(rows.T @ rows)  # in ascending order
    turn = np.ascontiguousarray(directions.T[::-1][:width])
    return torch.from_numpy(rows @ turn.T), torch.from_numpy(turn)
