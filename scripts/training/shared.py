"""What both recipes use: the names of sets, and how progress looks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

Pair = tuple[Path, Path]  # a captions CSV and the folder of its pictures


def names(kind: str, pairs: Sequence[Pair]) -> dict[str, Pair]:
    """A name for each set, as its caches are called."""
    return {f"{kind}{number}-{pair[0].parent.name}": pair for number, pair in enumerate(pairs)}


def columns() -> tuple[ProgressColumn, ...]:
    """Task, bar, count, time passed and time left."""
    return (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
