"""How long each step of an answer takes, told to whoever listens in this context. Knows clocks, and nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

LISTENER: ContextVar[Callable[[str, float], None] | None] = ContextVar("steps", default=None)


@contextmanager
def step(name: str) -> Iterator[None]:
    """One step; its seconds are told at its end, also where it fails."""
    listener = LISTENER.get()
    if listener is None:
        yield
        return
    started = time.perf_counter()
    try:
        yield
    finally:
        listener(name, time.perf_counter() - started)
