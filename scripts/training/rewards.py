"""The captioner's last stage: captions that it draws are worth what people's captions say of them, less inventions.

Self-critical sequence training (Rennie et al. 2017) with the mean of the other draws as the baseline (Luo 2020). The
reward is CIDEr-D (Vedantam et al. 2015) less a price for each noun that no caption of the picture has. Beside it the
model goes on with captions and questions as before, so that it forgets none of the other pictures. Knows rewards and
batches; does not know files.
"""

from __future__ import annotations

import math
import random
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

import numpy as np
import torch
from rich.progress import Progress
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pad_sequence

from . import questions, shared, telling
from .captioner import Captioner

SPREAD = 6.0  # of the difference in length that CIDEr-D forgives
ORDERS = 4  # n-grams of 1 to 4 words

Grams = list[Counter[tuple[int, ...]]]


@dataclass(frozen=True)
class Plan:
    """One training with rewards."""

    epochs: int
    pictures: int = 32  # a step
    draws: int = 5  # captions of a picture
    longest: int = 20  # tokens of a draw
    rate: float = 1e-4
    invented: float = 0.5  # the price of a noun that no caption has
    captions: float = 0.3  # the weight of the ordinary loss beside it


@dataclass
class Cider:
    """CIDEr-D of a caption against the captions of its picture, as token rows: 0 to 10."""

    pictures: int
    seen: Counter[tuple[int, ...]]  # in how many pictures' captions each n-gram stands

    @classmethod
    def of(cls, captions: Sequence[Sequence[list[int]]]) -> Cider:
        """Count the n-grams of all pictures' captions."""
        seen: Counter[tuple[int, ...]] = Counter()
        for each in captions:
            seen.update({gram for caption in each for counts in _grams(caption) for gram in counts})
        return cls(len(captions), seen)

    def __call__(self, caption: list[int], references: Sequence[list[int]]) -> float:
        """Return the mean over references and orders, times ten."""
        total, own = 0.0, self._weighed(_grams(caption))
        for reference in references:
            other = self._weighed(_grams(reference))
            near = math.exp(-((len(caption) - len(reference)) ** 2) / (2 * SPREAD**2))
            for (mine, size), (theirs, length) in zip(own, other, strict=True):
                if size and length:
                    both = ((value, theirs[gram]) for gram, value in mine.items() if gram in theirs)
                    total += near * sum(min(one, two) * two for one, two in both) / (size * length)
        return 10 * total / (ORDERS * len(references))

    def _weighed(self, grams: Grams) -> list[tuple[dict[tuple[int, ...], float], float]]:
        found = []
        for counts in grams:
            rows = {gram: n * math.log(self.pictures / max(1, self.seen[gram])) for gram, n in counts.items()}
            found.append((rows, math.sqrt(sum(value * value for value in rows.values()))))
        return found


def _grams(tokens: Sequence[int]) -> Grams:
    return [
        Counter(tuple(tokens[place : place + n]) for place in range(len(tokens) - n + 1)) for n in range(1, ORDERS + 1)
    ]


def inventions(caption: str, said: Collection[str], nouns: Collection[str]) -> int:
    """Return how many of a caption's nouns none of the words `said` of the picture covers, by their singulars."""
    named = {questions.singular(word) for word in questions.words_of(caption)} & set(nouns)
    known = {questions.singular(word) for word in said}
    persons = bool(known & questions.PERSONS)
    return sum(noun not in known and not (persons and noun in questions.PERSONS) for noun in named)


@dataclass
class Rewarded:
    """Trains a teller's model by rewards on the sets whose pictures have several captions."""

    teller: telling.Teller
    tokenizer: Any
    plan: Plan
    nouns: Collection[str]  # singular
    _ciders: dict[str, Cider] = field(default_factory=dict)
    _said: dict[str, list[set[str]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for told in self._sets:
            self._ciders[told.name] = Cider.of(told.captions)
            self._said[told.name] = [
                {word for caption in each for word in questions.words_of(self.tokenizer.decode(caption))}
                for each in told.captions
            ]

    @property
    def _sets(self) -> list[telling.Told]:
        return [told for told in self.teller.sets if min(map(len, told.captions)) > 1]

    def run(self, progress: Progress, after: Callable[[int], None]) -> None:
        """Train from the moving average; `after(epoch)` is called with it up to date."""
        teller, plan = self.teller, self.plan
        model = teller.model
        model.load_state_dict(teller.average.state_dict())
        ordinary = telling.Plan(1, lines=64, rate=plan.rate)
        beside = cycle(teller.batches(ordinary))
        optimiser = torch.optim.AdamW(shared.groups(model.parameters(), plan.rate, 0.0), betas=(0.9, 0.98))
        batches = [
            (told, rows) for told in self._sets for _ in range(plan.epochs) for rows in _shuffled(told, plan.pictures)
        ]
        rates = shared.schedule(optimiser, len(batches), 20)
        task, started, totals = progress.add_task("rewards", total=len(batches)), time.monotonic(), []
        for done, (told, rows) in enumerate(batches, 1):
            optimiser.zero_grad(set_to_none=True)
            model.train()
            with torch.autocast(teller.device.type, torch.bfloat16):
                said, answered = teller.losses(*next(beside), ordinary)
                torch.autograd.backward(plan.captions * (said + ordinary.weight * answered))
                model.eval()
                loss, reward = self._loss(model, told, rows)
            torch.autograd.backward(loss)
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            rates.step()
            shared.follow(teller.average, model, done)
            totals.append(reward)
            progress.advance(task)
            if done % 50 == 0 or done == len(batches):
                seconds = round(time.monotonic() - started)
                reward = round(float(np.mean(totals[-50:])), 4)
                shared.say(teller.log, step=done, reward=reward, caption=round(said.item(), 3), seconds=seconds)
        after(plan.epochs)

    def _loss(self, model: Captioner, told: telling.Told, rows: list[int]) -> tuple[Tensor, float]:
        plan, teller = self.plan, self.teller
        looked = model.look(told.tokens(rows).to(teller.device))
        owners = [place for place in range(len(rows)) for _ in range(plan.draws)]
        pictures = [(keys[owners], values[owners]) for keys, values in model.pictures(looked)]
        with torch.no_grad():
            drawn = self._draw(model, pictures)
        worth = torch.tensor(
            [self._reward(told, rows[owner], text) for owner, text in zip(owners, drawn, strict=True)]
        ).view(len(rows), plan.draws)
        others = (worth.sum(1, keepdim=True) - worth) / (plan.draws - 1)
        gain = (worth - others).flatten().to(teller.device)
        ended = [[*text, teller.end] for text in drawn]
        tokens = pad_sequence([torch.tensor([teller.start, *text[:-1]]) for text in ended], True, teller.end)
        goal = pad_sequence([torch.tensor(text) for text in ended], True, telling.NOTHING)
        hidden, _ = model.read(tokens.to(teller.device), pictures)
        there = (goal != telling.NOTHING).to(teller.device)
        each = cross_entropy(model.logits(hidden[there]).float(), goal[there.cpu()].to(teller.device), reduction="none")
        line = there.nonzero()[:, 0]
        return (each * gain[line]).sum() / len(each), float(worth.mean())

    def _reward(self, told: telling.Told, row: int, text: list[int]) -> float:
        worth = self._ciders[told.name]([*text, self.teller.end], self._ended(told, row))
        missing = inventions(self.tokenizer.decode(text), self._said[told.name][row], self.nouns)
        return worth - self.plan.invented * missing

    def _ended(self, told: telling.Told, row: int) -> list[list[int]]:
        return [[*caption, self.teller.end] for caption in told.captions[row]]

    def _draw(self, model: Captioner, pictures: list[tuple[Tensor, Tensor]]) -> list[list[int]]:
        """Return a random text for each row of the pictures' keys and values, less its end."""
        count, place = len(pictures[0][0]), self.teller.device
        tokens = torch.full((count, 1), self.teller.start, device=place)
        past, texts = None, [list[int]() for _ in range(count)]
        going = torch.ones(count, dtype=torch.bool)
        for _ in range(self.plan.longest):
            hidden, past = model.read(tokens, pictures, past)
            chances = model.logits(hidden[:, -1]).float().softmax(-1)
            tokens = torch.multinomial(chances, 1)
            for row, token in enumerate(tokens[:, 0].tolist()):
                going[row] &= token != self.teller.end
                if going[row]:
                    texts[row].append(token)
            if not going.any():
                break
        return texts


def _shuffled(told: telling.Told, count: int) -> list[list[int]]:
    rows = [*range(len(told))]
    random.shuffle(rows)
    return [rows[start : start + count] for start in range(0, len(rows), count)]
