"""Server-sent events of a call that runs in a thread of its own."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextvars import copy_context
from typing import Any

from fastapi import Request
from fastapi.sse import ServerSentEvent

from ..errors import RetrievalError
from ..types.serialize import to_jsonable
from .dependencies import handle_fault, handle_package_error
from .logs import log


class _Gone(KeyboardInterrupt):
    """Raised in the call's thread when the client has disconnected."""


def streamed(work: Callable[[Callable[[str, Any], None]], None], request: Request) -> Iterator[ServerSentEvent]:
    """Run `work` in a thread; yield what it emits as events, then `end`. A failure is sent as an event `error`."""
    events: queue.SimpleQueue[ServerSentEvent | None] = queue.SimpleQueue()
    gone = threading.Event()

    def emit(name: str, value: Any) -> None:
        if gone.is_set():
            raise _Gone
        events.put(ServerSentEvent(event=name, data=to_jsonable(value)))

    def run() -> None:
        try:
            work(emit)
        except RetrievalError as exc:
            answer = handle_package_error(request, exc)
            events.put(ServerSentEvent(event="error", raw_data=bytes(answer.body).decode()))
        except _Gone:
            pass
        except Exception:
            log.exception("a stream failed")
            told = handle_fault(request, RuntimeError())
            events.put(ServerSentEvent(event="error", raw_data=bytes(told.body).decode()))
        finally:
            events.put(None)

    threading.Thread(target=copy_context().run, args=(run,), daemon=True, name="stream").start()
    try:
        while True:
            try:
                event = events.get(timeout=1)
            except queue.Empty:  # an event is due, so that a disconnect is noticed
                yield ServerSentEvent(comment="still at work")
                continue
            if event is None:
                break
            yield event
        yield ServerSentEvent(event="end", data=None)
    finally:
        gone.set()
