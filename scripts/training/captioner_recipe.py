"""The captioner's steps in order: cached picture tokens, words, questions, training, rewards, the written model.

Knows files and the order; the steps know how.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import click
import numpy as np
import torch
from rich.progress import Progress
from safetensors.torch import load_file, save_file
from torch import Tensor

from retrieval.encoders.builtin_encoder import BuiltinEncoder

from . import captioner_pack, captions, grids, questions, rewards, shared, telling, unreadable, vocabulary
from .captioner import FEATURES, Captioner, Shape
from .captions import Captioned

REWARDED = 0.3  # of the rewarded weights in those that are written: the rewards alone make captions short and alike
UNREADABLE_TIMES = 2  # times that an epoch shows each picture that is not to be described
SAMPLE = 4000  # pictures from which the mean and the spread of the features are taken


@dataclass(frozen=True)
class Options(shared.Common):
    """What `train_builtin.py captioner` was asked for; its help says what each means."""

    encoder: Path
    epochs: int
    reward_epochs: int
    unreadable: int
    start: Path | None


def run(options: Options) -> None:
    """Everything, from files to files."""
    options.begin()
    with Progress(*shared.columns()) as progress, (options.work / "captioner.jsonl").open("a", encoding="utf-8") as log:
        steps = _Steps(options, BuiltinEncoder.load(options.encoder), progress, log)
        steps.run()
    click.echo(f"written: {options.out}")


@dataclass
class _Steps:
    """The steps, and what all of them read."""

    options: Options
    encoder: BuiltinEncoder
    progress: Progress
    log: TextIO

    def run(self) -> None:
        """Train, or go on from `--start`; then the rewards; then write."""
        options = self.options
        read = {name: captions.read(*pair) for name, pair in shared.names("train", options.train).items()}
        held_back = {name: captions.read(*pair) for name, pair in shared.names("dev", options.choose).items()}
        repeats = dict(zip(read, options.repeats, strict=True))
        spoken = [caption for data in read.values() for each in data.captions for caption in each]
        self.tokenizer = vocabulary.learn([*spoken, *unreadable.SAID * vocabulary.RARE])
        asked = questions.nouns([each for data in read.values() for each in data.captions])
        sets = [self._told(name, data, asked) for name, data in read.items()]
        if options.unreadable:
            sets.append(self._unreadable(read, spoken))
        times = [*repeats.values(), UNREADABLE_TIMES][: len(sets)]
        dev = [self._told(name, data, ()) for name, data in held_back.items()]
        start, end = (self.tokenizer.token_to_id(each) for each in (vocabulary.START, vocabulary.END))
        teller = telling.Teller(self._new(sets), sets, times, start, end, self.log, options.place)

        def after(epoch: int) -> None:
            found: dict[str, float] = {}
            for each in dev:
                found |= teller.measure(each)
            shared.say(self.log, epoch=epoch, **found)
            save_file(teller.average.state_dict(), options.work / "captioner.safetensors")

        if options.start:
            teller.average.load_state_dict(load_file(options.start))
        else:
            teller.run(telling.Plan(options.epochs), self.progress, after)
        if options.reward_epochs:
            rewarded = rewards.Rewarded(
                teller, self.tokenizer, rewards.Plan(options.reward_epochs), set(map(questions.singular, asked))
            )
            before = {name: value.clone() for name, value in teller.average.state_dict().items()}
            rewarded.run(self.progress, after)
            mixed = {n: torch.lerp(before[n], value, REWARDED) for n, value in teller.average.state_dict().items()}
            teller.average.load_state_dict(mixed)
            after(-1)
        rows = self.encoder.towers.cells(np.zeros((1, *[self.encoder.image_size] * 2, 3), np.uint8)).shape[1]
        captioner_pack.write(teller.average.cpu().eval(), self.tokenizer, rows, options.out)

    def _told(self, name: str, data: Captioned, asked: Sequence[str]) -> telling.Told:
        path = self.options.work / f"{name}-grid-{self.encoder.space.fingerprint[:8]}.npy"
        seen = grids.cache(self.encoder, data.pictures, path, self.progress)
        lines = [[each.ids for each in self.tokenizer.encode_batch(list(some))] for some in data.captions]
        if not asked:
            return telling.Told(name, seen, lines)
        made = questions.make(data.captions, asked, self._likeness(seen, asked), self._ids)
        return telling.Told(name, seen, lines, made)

    def _unreadable(self, read: dict[str, Captioned], spoken: Sequence[str]) -> telling.Told:
        words = sorted({word for caption in spoken for word in caption.split()})
        photos = next(iter(read.values())).pictures
        count, seed = self.options.unreadable, self.options.seed
        made = unreadable.make(self.options.work / "unreadable", count, photos, words, seed)
        return self._told("unreadable", made, ())

    def _ids(self, text: str) -> list[int]:
        found: list[int] = self.tokenizer.encode(text).ids
        return found

    def _likeness(self, seen: np.ndarray, asked: Sequence[str]) -> np.ndarray:
        """The encoder's cosine of each picture and `a photo of a WORD`: (pictures, words)."""
        texts = self.encoder.texts([f"a photo of a {word}" for word in asked])
        found: np.ndarray = self.encoder.projected(seen[:, -1].astype(np.float32)) @ texts.T
        return found

    def _new(self, sets: Sequence[telling.Told]) -> Captioner:
        """A captioner whose projector and words begin as the encoder's head and texts, the rest random."""
        model = Captioner(Shape(self.tokenizer.get_vocab_size()), dropout=0.1)
        some = [told.seen[:: max(1, len(told) // SAMPLE), :-1].reshape(-1, FEATURES) for told in sets]
        cells = torch.from_numpy(np.concatenate([each[::9] for each in some]).astype(np.float32))
        model.mean.copy_(cells.mean(0))
        model.spread.copy_(cells.std(0) + 0.05)
        words, turn = vocabulary.known(self.tokenizer, self.encoder, model.shape.width)
        weight = turn @ torch.from_numpy(self.encoder.head[0]) * model.spread
        _set(model.projector.weight, weight, 1 / FEATURES**0.5)
        _set(model.table.weight, words, 0.05)
        return model


@torch.no_grad()
def _set(parameter: Any, value: Tensor, spread: float) -> None:
    parameter.copy_(value * (spread / value.std()))
