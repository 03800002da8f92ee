"""The built-in captioner as a `VisionLanguageModel` without torch: the built-in encoder's feature maps and two graphs.

It writes one sentence about a picture, says how likely a sentence is as its caption, and answers yes-or-no questions;
its verdicts are calibrated. Knows the folder `builtin/`; `onnx_decoder.py` runs the graphs.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import numpy as np

from ..encoders.builtin_encoder import CONFIG, WEIGHTS, BuiltinEncoder, shared, tokenizer
from ..errors import ModelError, UsageError
from ..types.records import Box, Judgement, Mask, VisionFeatures
from . import Ability, families
from .messages import Message, is_closed
from .model_name import BUILTIN
from .onnx_decoder import BeamSearch, Floats, OnnxDecoder, Tokens

if TYPE_CHECKING:
    from PIL.Image import Image
    from tokenizers import Tokenizer

BLIND = "captioner.blind"  # the name of the vision features that stand for no picture
REFUSED = "not described: "  # begins what is said instead of a caption
BLURRED, OTHER = "too blurred", "a page, a screen, a drawing or a pattern"
LONGEST = 46  # tokens of a text with its prompt
BATCH = 32  # pictures at a time
PHRASES = 64  # whose embeddings are kept
DIMENSIONS = 384  # of the encoder's embeddings
ASKING = re.compile(r"^(is there|are there|can you see|do you see|does (this|the) (picture|photo|image) show) ")
PLACE = re.compile(r" (in|on) (this|the) (picture|photo|image)$")
COUNTED = frozenset("one two three four".split())  # words that make a question one about a number


@dataclass(frozen=True)
class Fit:
    """A fitted line from raw evidence to calibrated log-odds (Platt 1999)."""

    slope: float  # of the raw log-odds
    offset: float
    cosine: float = 0.0  # of the encoder's cosine of picture and phrase

    def probability(self, raw: float, cosine: float = 0.0) -> float:
        """Return the probability of yes."""
        odds = self.slope * raw + self.cosine * cosine + self.offset
        return 1 / (1 + math.exp(-max(-50.0, min(50.0, odds))))


@dataclass
class BuiltinCaptioner:
    """The built-in captioner on the CPU."""

    identity: str
    encoder: BuiltinEncoder
    decoder: OnnxDecoder
    fits: Mapping[str, Fit]  # by kind of question: "thing", "number", and "sentence" for `judge`
    weight: float
    folder: Path
    name: str = "builtin"
    how: BeamSearch = field(default_factory=BeamSearch)

    def __post_init__(self) -> None:
        self._embedded = lru_cache(PHRASES)(self._embed)  # pictures come in batches, with the same question each time

    @classmethod
    def load(cls, folder: Path = BUILTIN) -> BuiltinCaptioner:
        """Read the configuration; the graphs load when they are needed.

        Raises:
            ModelError: the configuration is missing or damaged.
        """
        try:
            said = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
            layers, heads, width = said["state"]
            decoder = OnnxDecoder(folder, int(said["start"]), int(said["end"]), (layers, heads, width))
            fits = {kind: Fit(*map(float, each)) for kind, each in said["calibration"].items()}
            identity = f"builtin@{said['fingerprint']}"
            return cls(identity, shared(), decoder, fits, float(said["weight"]), folder)
        except (OSError, ValueError, KeyError, TypeError) as exc:
            raise ModelError(f"cannot read the captioner in {folder}: {exc}; install the package again") from exc

    @property
    def abilities(self) -> frozenset[Ability]:
        """What its family can do."""
        return families.named("builtin").abilities

    def count_tokens(self, text: str) -> int:
        """Return the number of tokens of a text."""
        return len(self.tokenizer.encode(text).ids)

    # --- the contract --------------------------------------------------------------------------------------

    def caption(self, images: Sequence[Image]) -> list[str]:
        """See `VisionLanguageModel.caption`; `REFUSED` begins what it says of pictures that it cannot describe."""
        found: list[str] = []
        for start in range(0, len(images), BATCH):
            written = self.decoder.write(self._look(images[start : start + BATCH])[0], self.how)
            found += [_said(self.tokenizer.decode(texts[0][1])) for texts in written]
        return found

    def answer(self, images: Sequence[Image], question: str) -> str:
        """Return yes or no to a yes-or-no question about one picture.

        Raises:
            UsageError: there are several pictures, or the question is another one.
        """
        if len(images) != 1:
            raise UsageError(f"{self.name} takes one picture at a time, not {len(images)}")
        if not is_closed(question):
            raise UsageError(
                f'{self.name} answers yes-or-no questions only, such as "is there a dog?"; for others name another '
                "--vlm (see `retrieval vlms`)"
            )
        return "yes" if self.verify(question, images)[0].yes > 0.5 else "no"

    def judge(self, query: str, images: Sequence[Image]) -> list[Judgement]:
        """See `VisionLanguageModel.judge`."""
        return self.judge_features(query, self.vision_features(images))

    def verify(self, question: str, images: Sequence[Image]) -> list[Judgement]:
        """See `VisionLanguageModel.verify`."""
        return self.verify_features(question, self.vision_features(images))

    def chat(self, messages: Sequence[Message], limit: int = 256) -> NoReturn:  # noqa: ARG002  # the contract's
        """Raise `UsageError`."""
        self._cannot(Ability.CHAT)

    def ground(self, image: Image, phrase: str) -> list[Box]:  # noqa: ARG002  # the contract's
        """Raise `UsageError`."""
        self._cannot(Ability.GROUND)

    def segment(self, image: Image, phrase: str) -> Mask:  # noqa: ARG002  # the contract's
        """Raise `UsageError`."""
        self._cannot(Ability.SEGMENT)

    def _cannot(self, ability: Ability) -> NoReturn:
        can = ", ".join(sorted(self.abilities))
        raise UsageError(
            f"{self.name} cannot do `{ability}`; it can: {can}. `retrieval vlms` lists models and what they can do"
        )

    # --- vision features -----------------------------------------------------------------------------------

    def vision_features(self, images: Sequence[Image]) -> list[VisionFeatures]:
        """Return the vision features of each picture: (39, 256) float16.

        37 tokens for the decoder, and the encoder's embedding in two rows.
        """
        return [
            row for start in range(0, len(images), BATCH) for row in _packed(*self._look(images[start : start + BATCH]))
        ]

    def judge_features(self, query: str, looks: Sequence[VisionFeatures]) -> list[Judgement]:
        """Judge by how much likelier the query is as a caption with the picture than without one."""
        text = [*self._tokens(query), self.decoder.end]
        seen = np.concatenate([_unpacked(looks)[0], self._blind[None]])
        *shown, unseen = (float(row.mean()) for row in self.decoder.log_probabilities([text] * len(seen), seen))
        return [Judgement(self.fits["sentence"].probability(each - unseen)) for each in shown]

    def verify_features(self, question: str, looks: Sequence[VisionFeatures]) -> list[Judgement]:
        """Verify a question by the decoder's answer and by the encoder's cosine of the phrase that it asks for."""
        raw, cosines, mass = self.evidence(question, looks)
        fit = self.fits["number" if COUNTED & set(question.lower().split()) else "thing"]
        rows = zip(raw.tolist(), cosines.tolist(), mass.tolist(), strict=True)
        return [Judgement(fit.probability(odds, cosine), min(1.0, share)) for odds, cosine, share in rows]

    def evidence(self, question: str, looks: Sequence[VisionFeatures]) -> tuple[Floats, Floats, Floats]:
        """Return what speaks for yes, (n,) each: the decoder's log-odds of the answer's first piece, and cosines.

        The third is the share of the answer that is yes or no at all.
        """
        asked = question.lower().rstrip("?! .")
        looked, embeddings = _unpacked(looks)
        said = self.decoder.next_words(self._tokens(f"question: {asked}? answer:"), looked)
        yes, no = (self._tokens(word)[0] for word in ("yes", "no"))
        phrase = ASKING.sub("", PLACE.sub("", asked))
        cosines = embeddings @ self._embedded(phrase)
        return said[:, yes] - said[:, no], cosines, np.exp(said[:, yes]) + np.exp(said[:, no])

    def _embed(self, phrase: str) -> Floats:
        row: Floats = self.encoder.texts([f"a photo of {phrase}"])[0]
        return row

    def _look(self, images: Sequence[Image]) -> tuple[Floats, Floats]:
        """Return the decoder's tokens of n pictures, (n, 37, 256), and the encoder's embeddings, (n, 384)."""
        cells = self.encoder.towers.cells(np.stack([self.encoder.prepare(image) for image in images]))
        return self.decoder.look(cells), self.encoder.projected(cells.mean((1, 2)))

    def _tokens(self, text: str) -> Tokens:
        found: Tokens = self.tokenizer.encode(text).ids
        return found

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The WordPiece tokenizer of the captions' words."""
        return tokenizer(self.folder, LONGEST)

    @cached_property
    def _blind(self) -> Floats:
        from safetensors import safe_open

        with safe_open(self.folder / WEIGHTS, "numpy") as stored:
            blind: Floats = stored.get_tensor(BLIND).astype(np.float32)
        return blind


def _said(text: str) -> str:
    """Return a caption as it is shown. Of the reasons to give none, only blur is told from the others reliably."""
    refused, _, why = text.partition(":")
    if refused.strip() != REFUSED.rstrip(": "):
        return text.rstrip(" .")
    return REFUSED + (BLURRED if "blur" in why else OTHER)


def _packed(looked: Floats, embeddings: Floats) -> VisionFeatures:
    """Join tokens and embeddings: (n, 39, 256) float16."""
    count, _, width = looked.shape
    rows = np.zeros((count, 2 * width), np.float32)
    rows[:, : embeddings.shape[1]] = embeddings
    return np.concatenate([looked, rows.reshape(count, 2, width)], axis=1).astype(np.float16)


def _unpacked(looks: Sequence[VisionFeatures]) -> tuple[Floats, Floats]:
    """Return the tokens, (n, 37, 256), and the embeddings, (n, 384), of n pictures."""
    rows = np.stack(looks).astype(np.float32)
    return rows[:, :-2], rows[:, -2:].reshape(len(rows), -1)[:, :DIMENSIONS]
