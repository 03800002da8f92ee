"""Progress of long tasks on standard error: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from ..types.records import Progress
from . import output

EVERY = 10.0  # seconds between plain lines


class ProgressCallback(Protocol):
    """A callback for progress updates."""

    def __call__(self, step: Progress) -> None:  # noqa: D102  # the class says it
        ...


@contextmanager
def progress(*, quiet: bool = False) -> Iterator[ProgressCallback]:
    """Yield a callback that shows progress while the block runs."""
    if quiet or output.quiet():
        yield lambda step: None  # noqa: ARG005  # shows nothing
    elif sys.stderr.isatty():
        with _bars() as show:
            yield show
    else:
        yield _Lines()


@contextmanager
def _bars() -> Iterator[ProgressCallback]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description:>9}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    tasks: dict[str, tuple[TaskID, float]] = {}
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:

        def show(step: Progress) -> None:
            if step.task not in tasks:
                tasks[step.task] = (bars.add_task(step.task, total=step.total, rate=""), time.monotonic())
            task, started = tasks[step.task]
            speed = output.rate(step.done, time.monotonic() - started)
            bars.update(task, completed=step.done, total=step.total, rate=speed)

        yield show


class _Lines:
    """Prints a line of progress, at most one every ten seconds."""

    def __init__(self) -> None:
        self.last = time.monotonic()
        self.started = {"": self.last}

    def __call__(self, step: Progress) -> None:
        now = time.monotonic()
        self.started.setdefault(step.task, now)
        if now - self.last < EVERY:
            return
        self.last = now
        passed = now - self.started[step.task]
        speed = output.rate(step.done, passed)
        of = f" of {step.total}" if step.total is not None else ""
        print(f"{step.task}: {step.done}{of}{', ' if speed else ''}{speed}", file=sys.stderr, flush=True)
