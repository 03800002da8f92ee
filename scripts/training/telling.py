"""Training the captioner on cached picture tokens: captions, texts without a picture, and yes-or-no questions.

Knows batches, the loss and the moving average; does not know files.
"""

from __future__ import annotations

import copy
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TextIO

import numpy as np
import torch
from rich.progress import Progress
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pad_sequence

from . import shared
from .captioner import Captioner
from .grids import SIDE
from .questions import Question

LONGEST = 40  # tokens of a caption that are learned
NOTHING = -100  # a target that is not learned
MIRRORED = torch.cat([torch.arange(SIDE * SIDE).view(SIDE, SIDE).flip(1).flatten(), torch.tensor([SIDE * SIDE])])


@dataclass(frozen=True)
class Told:
    """One data set: picture tokens (pictures, 37, 1280), captions as token rows, and questions."""

    name: str
    seen: np.ndarray
    captions: Sequence[Sequence[list[int]]]
    questions: Sequence[Sequence[Question]] = ()
    mirrors: bool = True  # a mirror image has the same captions

    def __len__(self) -> int:
        return len(self.seen)

    def tokens(self, rows: Sequence[int]) -> Tensor:
        """Return pictures' tokens, a half of them mirrored: (n, 37, 1280) float32."""
        found = torch.from_numpy(self.seen[np.asarray(rows)].astype(np.float32))
        if self.mirrors:
            turned = torch.rand(len(found)) < 0.5
            found[turned] = found[turned][:, MIRRORED]
        return found


@dataclass(frozen=True)
class Plan:
    """One training."""

    epochs: int
    lines: int = 320  # captions a step
    captions: int = 5  # of a picture at a time, at most
    rate: float = 1e-3
    smoothing: float = 0.1
    blind: float = 0.1  # share of captions learned without their picture: the prior of a text
    asked: float = 0.4  # share of pictures that are asked about
    weight: float = 0.5  # of the answers


@dataclass
class Teller:
    """Trains a captioner; `average` is what is measured and kept."""

    model: Captioner
    sets: Sequence[Told]
    repeats: Sequence[int]
    start: int  # the token that begins every text
    end: int
    log: TextIO
    device: torch.device
    average: Captioner = field(init=False)

    def __post_init__(self) -> None:
        self.model.to(self.device)
        self.average = copy.deepcopy(self.model).eval()

    def run(self, plan: Plan, progress: Progress, after: Callable[[int], None]) -> None:
        """Train; `after(epoch)` is called with the moving average up to date."""
        order = [self.batches(plan) for _ in range(plan.epochs)]
        steps = sum(map(len, order))
        optimiser = torch.optim.AdamW(shared.groups(self.model.parameters(), plan.rate, 0.02), betas=(0.9, 0.98))
        rates = shared.schedule(optimiser, steps, min(200, 1 + steps // 10))
        task, started, done = progress.add_task("captions", total=steps), time.monotonic(), 0
        for epoch, batches in enumerate(order):
            totals = np.zeros(2)
            self.model.train()
            for told, rows in batches:
                optimiser.zero_grad(set_to_none=True)
                with torch.autocast(self.device.type, torch.bfloat16):
                    parts = self.losses(told, rows, plan)
                torch.autograd.backward(parts[0] + plan.weight * parts[1])
                torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
                optimiser.step()
                rates.step()
                done += 1
                shared.follow(self.average, self.model, done)
                totals += [each.item() for each in parts]
                progress.advance(task)
            caption, answer = (totals / len(batches)).round(4).tolist()
            seconds = round(time.monotonic() - started)
            shared.say(self.log, epoch=epoch, caption=caption, answer=answer, seconds=seconds)
            after(epoch)

    def batches(self, plan: Plan) -> list[tuple[Told, list[int]]]:
        """All pictures of an epoch, those of a batch from one set."""
        found = []
        for told, times in zip(self.sets, self.repeats, strict=True):
            rows = [*range(len(told))] * times
            random.shuffle(rows)
            each = min(plan.captions, max(map(len, told.captions)))
            count = max(1, plan.lines // each)
            found += [(told, rows[start : start + count]) for start in range(0, len(rows), count)]
        random.shuffle(found)
        return found

    def losses(self, told: Told, rows: list[int], plan: Plan) -> tuple[Tensor, Tensor]:
        """Return the mean cross-entropies a token of captions and of answers."""
        looked = self.model.look(told.tokens(rows).to(self.device))
        looked = torch.cat([looked, self.model.blind[None].to(looked.dtype)])
        texts, owners = list[list[int]](), list[int]()
        for place, row in enumerate(rows):
            some = told.captions[row]
            for caption in random.sample(some, min(plan.captions, len(some))):
                texts.append([*caption[:LONGEST], self.end])
                owners.append(len(rows) if random.random() < plan.blind else place)
        said = self.loss(self.model, looked, owners, texts, smoothing=plan.smoothing)
        asked = [place for place, row in enumerate(rows) if told.questions and told.questions[row]]
        asked = random.sample(asked, round(plan.asked * len(asked)))
        if not asked:
            return said, torch.zeros((), device=self.device)
        questions = [random.choice(told.questions[rows[place]]) for place in asked]
        texts = [[*each.words, each.answer] for each in questions]
        given = [len(each.words) for each in questions]
        return said, self.loss(self.model, looked, asked, texts, given)

    def loss(
        self, model: Captioner, looked: Tensor, owners: Sequence[int], texts: Sequence[list[int]],
        given: Sequence[int] = (), smoothing: float = 0.0,
    ) -> Tensor:  # fmt: skip
        """Return the mean cross-entropy a token of texts on their pictures' `looked`, less the first `given` tokens."""
        tokens = pad_sequence([torch.tensor([self.start, *text[:-1]]) for text in texts], True, self.end)
        goal = pad_sequence([torch.tensor(text) for text in texts], True, NOTHING)
        for row, count in enumerate(given):
            goal[row, :count] = NOTHING
        place = torch.tensor(owners, device=self.device)
        pictures = [(keys[place], values[place]) for keys, values in model.pictures(looked)]
        hidden, _ = model.read(tokens.to(self.device), pictures)
        there = goal != NOTHING
        logits = model.logits(hidden[there.to(self.device)])
        return cross_entropy(logits.float(), goal[there].to(self.device), label_smoothing=smoothing)

    # --- what is measured ----------------------------------------------------------------------------------

    @torch.inference_mode()
    def measure(self, told: Told) -> dict[str, float]:
        """Return the nats a token of a held-back set's captions, with their pictures and without."""
        totals = np.zeros(2)
        for rows in _pieces(len(told), 64):
            looked = self.average.look(torch.from_numpy(told.seen[rows].astype(np.float32)).to(self.device))
            looked = torch.cat([looked, self.average.blind[None]])
            texts = [[*text[:LONGEST], self.end] for row in rows for text in told.captions[row]]
            owners = [place for place, row in enumerate(rows) for _ in told.captions[row]]
            for column, some in enumerate((owners, [len(rows)] * len(owners))):
                totals[column] += len(rows) * self.loss(self.average, looked, some, texts).item()
        shown, blind = (totals / len(told)).round(4).tolist()
        return {f"{told.name} nats": shown, f"{told.name} blind": blind}


def _pieces(count: int, size: int) -> Iterator[list[int]]:
    for start in range(0, count, size):
        yield [*range(start, min(start + size, count))]
