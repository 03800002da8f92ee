"""Timing of the steps of an answer, reported to the listener of the current context."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

log = logging.getLogger(__name__)
LISTENER: ContextVar[Callable[[str, float], None] | None] = ContextVar("steps", default=None)


@contextmanager
def span(name: str) -> Iterator[None]:
    """Time the enclosed block; when it ends, also by an error, report its seconds to the listener and the debug log."""
    listener = LISTENER.get()
    logged = log.isEnabledFor(logging.DEBUG)
    if listener is None and not logged:
        yield
        return
    started = time.perf_counter()
    try:
        yield
    finally:
        seconds = time.perf_counter() - started
        if logged:
            log.debug("%s: %.1f ms", name, 1000 * seconds)
        if listener is not None:
            listener(name, seconds)
