"""Timing of the steps of an answer, reported to the listener of the current context."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

LISTENER: ContextVar[Callable[[str, float], None] | None] = ContextVar("steps", default=None)


@contextmanager
def span(name: str) -> Iterator[None]:
    """Time the enclosed block and report its seconds to the listener when it ends, also after an error."""
    listener = LISTENER.get()
    if listener is None:
        yield
        return
    started = time.perf_counter()
    try:
        yield
    finally:
        listener(name, time.perf_counter() - started)
