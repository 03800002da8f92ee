"""What both recipes use: common options, the names of sets, schedule, moving average, log and progress."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import click
import numpy as np
import torch
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from torch import nn

Pair = tuple[Path, Path]  # a captions CSV and the folder of its pictures


@dataclass(frozen=True)
class Common:
    """The options of both commands of `train_builtin.py`; its help says what each means."""

    train: tuple[Pair, ...]
    choose: tuple[Pair, ...]
    repeat: tuple[int, ...]
    work: Path
    out: Path
    device: str
    seed: int

    @property
    def repeats(self) -> tuple[int, ...]:
        """One number for each training set."""
        if self.repeat and len(self.repeat) != len(self.train):
            raise click.UsageError(f"{len(self.train)} --train sets need as many --repeat, got {len(self.repeat)}")
        return self.repeat or (1,) * len(self.train)

    @property
    def place(self) -> torch.device:
        """Where the training runs."""
        wanted = ("cuda" if torch.cuda.is_available() else "cpu") if self.device == "auto" else self.device
        return torch.device(wanted)

    def begin(self) -> None:
        """Seed every source of luck and make the folder of the caches."""
        random.seed(self.seed)
        np.random.seed(self.seed)
        torch.manual_seed(self.seed)
        self.work.mkdir(parents=True, exist_ok=True)


def names(kind: str, pairs: Sequence[Pair]) -> dict[str, Pair]:
    """A name for each set, as its caches are called."""
    return {f"{kind}{number}-{pair[0].parent.name}": pair for number, pair in enumerate(pairs)}


def groups(parameters: Iterable[nn.Parameter], rate: float, decay: float) -> list[dict[str, Any]]:
    """Parameters for an optimiser: matrices decay, biases and scales do not."""
    every = list(parameters)
    return [
        {"params": [p for p in every if p.dim() > 1], "lr": rate, "weight_decay": decay},
        {"params": [p for p in every if p.dim() < 2], "lr": rate, "weight_decay": 0.0},
    ]


def schedule(optimiser: torch.optim.Optimizer, steps: int, warm_up: int) -> torch.optim.lr_scheduler.LambdaLR:
    """A linear start over `warm_up` steps, then half a cosine down to a hundredth."""
    return torch.optim.lr_scheduler.LambdaLR(
        optimiser,
        lambda step: min(1.0, (step + 1) / warm_up) * (0.5 * (1 + math.cos(math.pi * min(1, step / steps))) + 0.01),
    )


@torch.no_grad()
def follow(average: nn.Module, model: nn.Module, done: int) -> None:
    """Move the moving average towards the model after `done` steps; the early steps count less and less."""
    keep = min(0.998, done / (done + 10))
    for old, new in zip(average.parameters(), model.parameters(), strict=True):
        if new.requires_grad:
            old.lerp_(new, 1 - keep)


def say(log: TextIO, **line: object) -> None:
    """A line of the log."""
    log.write(json.dumps(line) + "\n")
    log.flush()


def columns() -> tuple[ProgressColumn, ...]:
    """Task, bar, count, time passed and time left."""
    return (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
