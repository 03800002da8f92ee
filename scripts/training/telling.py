"""Training the captioner on cached picture tokens: captions, texts without a picture, and yes-or-no questions.

Knows batches, the loss and the moving average; does not know files.
"""

from __future__ import annotations

import copy
import itertools
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TextIO

import numpy as np
import torch
from rich.progress import Progress
from torch import Tensor
from torch.nn.functional import cross_entropy

from . import shared
from .captioner import PICTURE
from .questions import Question

LONGEST = 40  # tokens of a caption that are learned
TOLD, ASKED = 128, 96  # captions and questions a step of the last stage


@dataclass(frozen=True)
class Told:
    """One data set: picture tokens (pictures, views, 17, 1280), captions as token rows, and questions."""

    name: str
    seen: np.ndarray
    captions: Sequence[Sequence[list[int]]]
    questions: Sequence[Sequence[Question]] = ()

    def __len__(self) -> int:
        return len(self.seen)


@dataclass(frozen=True)
class Line:
    """One sequence: what is given after the picture, and what is to be said."""

    tokens: Tensor  # (17, 1280) raw
    given: list[int]
    said: list[int]
    blind: bool = False  # without the picture


@dataclass
class Teller:
    """Trains a captioner; `average` is what is measured and kept."""

    model: Any
    sets: Sequence[Told]
    repeats: Sequence[int]
    start: int  # the token that begins every text
    end: int
    log: TextIO
    device: torch.device
    blind: float = 0.1  # share of captions learned without their picture: the prior of a text
    asked: float = 0.15  # share of lines that are questions
    average: Any = field(init=False)

    def __post_init__(self) -> None:
        self.model.to(self.device)
        self.model.model.vision_tower.requires_grad_(False)
        self.average = copy.deepcopy(self.model)

    # --- batches -------------------------------------------------------------------------------------------

    def _lines(self, count: int, captions: int) -> Iterator[list[Line]]:
        """Batches of about `count` lines over all sets, with up to `captions` captions of a picture at a time."""
        places = [
            (k, row)
            for k, (told, times) in enumerate(zip(self.sets, self.repeats, strict=True))
            for row in [*range(len(told))] * times
        ]
        random.shuffle(places)
        batch: list[Line] = []
        for k, row in places:
            batch += self._of(self.sets[k], row, captions)
            if len(batch) >= count:
                yield batch
                batch = []

    def _of(self, told: Told, row: int, captions: int) -> Iterator[Line]:
        view = random.randrange(told.seen.shape[1])
        tokens = torch.from_numpy(told.seen[row, view].astype(np.float32))
        chosen = random.sample(range(len(told.captions[row])), min(captions, len(told.captions[row])))
        for number in chosen:
            yield Line(tokens, [], [*told.captions[row][number][:LONGEST], self.end], random.random() < self.blind)
        if told.questions and told.questions[row] and random.random() < self.asked * len(chosen):
            question = random.choice(told.questions[row])
            yield Line(tokens, question.words, [question.answer, self.end])

    # --- the loss ------------------------------------------------------------------------------------------

    def loss(self, model: Any, lines: Sequence[Line], smoothing: float = 0.0) -> Tensor:
        """Mean cross-entropy a token of what is to be said."""
        words = [torch.tensor([self.start, *line.given, *line.said]) for line in lines]
        padded = torch.nn.utils.rnn.pad_sequence(words, batch_first=True, padding_value=self.end)
        told = torch.nn.utils.rnn.pad_sequence([torch.ones(len(row)) for row in words], batch_first=True)
        target = torch.full_like(padded, -100)
        for row, line in enumerate(lines):
            first = 1 + len(line.given)
            target[row, first : first + len(line.said)] = torch.tensor(line.said)
        shown = torch.tensor([[0.0 if line.blind else 1.0] for line in lines]).expand(-1, PICTURE)
        mask = torch.cat([told[:, :1], shown, told[:, 1:]], dim=1).to(self.device)
        hidden = self._read(model, torch.stack([line.tokens for line in lines]), padded, mask)
        # The first word follows the picture's last token or, without a picture, the start.
        blind = torch.tensor([line.blind for line in lines], device=self.device)[:, None]
        before = torch.where(blind, hidden[:, 0], hidden[:, PICTURE])[:, None]
        kept = torch.cat([before, hidden[:, PICTURE + 1 : -1]], dim=1)
        goal = target[:, 1:].to(self.device)
        there = goal != -100
        logits = model.lm_head(kept[there])
        return cross_entropy(logits.float(), goal[there], label_smoothing=smoothing)

    def _where(self, place: int) -> tuple[Told, int]:
        for told in self.sets:
            if place < len(told):
                return told, place
            place -= len(told)
        raise IndexError(place)

    def _read(self, model: Any, tokens: Tensor, words: Tensor, mask: Tensor) -> Tensor:
        """Hidden states of start, picture, words: (n, 1 + 17 + length, width)."""
        eye, inner = model.model.vision_tower, model.model
        tokens = (tokens.to(self.device) - eye.mean) / eye.spread
        picture = inner.multi_modal_projector(tokens)
        written = inner.get_input_embeddings()(words.to(self.device))
        joined = torch.cat([written[:, :1], picture, written[:, 1:]], dim=1)
        places = (mask.cumsum(1) - 1).clamp(min=0).long()
        read = inner.language_model(
            inputs_embeds=joined, attention_mask=mask.long(), position_ids=places, use_cache=False
        )
        found: Tensor = read.last_hidden_state
        return found

    # --- a stage -------------------------------------------------------------------------------------------

    def run(
        self, name: str, epochs: int, batch: int, rate: float, captions: int, progress: Progress,
        after: Callable[[int], None],
    ) -> None:  # fmt: skip
        """Train for some epochs; `after(epoch)` is called with the moving average up to date."""
        lines = sum(
            times * sum(min(captions, len(each)) for each in told.captions)
            for told, times in zip(self.sets, self.repeats, strict=True)
        )
        steps = max(1, round(lines * (1 + self.asked) / batch * epochs))
        stage = Stage(self, rate, steps, warm_up=100)
        task = progress.add_task(name, total=steps)
        started = time.monotonic()
        for epoch in range(epochs):
            total, count = 0.0, 0
            for some in self._lines(batch, captions):
                loss = self.loss(self.model, some, smoothing=0.05)
                stage.learn(loss)
                total, count = total + loss.item(), count + 1
                progress.update(task, completed=min(stage.done, steps))
            seconds = round(time.monotonic() - started)
            shared.say(self.log, stage=name, epoch=epoch, loss=round(total / count, 4), seconds=seconds)
            after(epoch)
        self.model.load_state_dict(self.average.state_dict())

    def run_questions(self, steps: int, rate: float, progress: Progress, after: Callable[[int], None]) -> None:
        """A last stage: questions with a weight of their own, beside captions, so that answers look at the picture."""
        stage = Stage(self, rate, steps, warm_up=30)
        task = progress.add_task("questions", total=steps)
        totals, started = np.zeros(2), time.monotonic()
        captions = itertools.chain.from_iterable(self._lines(TOLD, 1) for _ in itertools.count())
        for step in range(1, steps + 1):
            told = self.loss(self.model, next(captions), smoothing=0.05)
            answered = self.loss(self.model, self._asked(ASKED))  # by itself: an answer is one token among many
            stage.learn(told + answered)
            totals += [told.item(), answered.item()]
            progress.advance(task)
            if step % 50 == 0 or step == steps:
                told_mean, answered_mean = (totals / ((step - 1) % 50 + 1)).round(4).tolist()
                seconds = round(time.monotonic() - started)
                shared.say(self.log, step=step, caption=told_mean, answer=answered_mean, seconds=seconds)
                totals[:] = 0
        after(0)
        self.model.load_state_dict(self.average.state_dict())

    def _asked(self, count: int) -> list[Line]:
        """Random questions of random pictures."""
        lines: list[Line] = []
        while len(lines) < count:
            told, row = self._where(random.randrange(sum(map(len, self.sets))))
            if told.questions and told.questions[row]:
                question = random.choice(told.questions[row])
                tokens = torch.from_numpy(told.seen[row, random.randrange(told.seen.shape[1])].astype(np.float32))
                lines.append(Line(tokens, question.words, [question.answer, self.end]))
        return lines

    @torch.inference_mode()
    def measure(self, told: Told, limit: int = 1000) -> dict[str, float]:
        """Cross-entropy a token on held-back captions, with and without the picture."""
        model = self.average.eval()
        found: dict[str, list[float]] = {"nll": [], "blind": []}
        for start in range(0, min(limit, len(told)), 50):
            rows = range(start, min(start + 50, len(told)))
            for name, blind in (("nll", False), ("blind", True)):
                lines = [
                    Line(
                        torch.from_numpy(told.seen[row, 0].astype(np.float32)),
                        [],
                        [*caption[:LONGEST], self.end],
                        blind,
                    )
                    for row in rows
                    for caption in told.captions[row]
                ]
                found[name].append(self.loss(model, lines).item())
        return {f"{told.name} {name}": round(float(np.mean(values)), 4) for name, values in found.items()}


class Stage:
    """The optimiser of one stage: each step ends in the moving average."""

    def __init__(self, teller: Teller, rate: float, steps: int, warm_up: int) -> None:
        self.teller = teller
        self.done = 0
        self.chosen = [p for p in teller.model.parameters() if p.requires_grad]
        self.optimiser = torch.optim.AdamW(shared.groups(self.chosen, rate, 0.05), betas=(0.9, 0.98))
        self.schedule = shared.schedule(self.optimiser, steps, warm_up=warm_up)

    def learn(self, loss: Tensor) -> None:
        """One step down the gradient of `loss`."""
        self.teller.model.train()
        self.teller.model.model.vision_tower.eval()
        self.optimiser.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(self.chosen, 1.0)
        self.optimiser.step()
        self.schedule.step()
        self.done += 1
        shared.follow(self.teller.average, self.teller.model, self.done)
