"""Threads for work that may never come back, such as reading from a drive that stopped answering.

The threads are daemons: no one waits for one that is stuck, neither at Ctrl-C nor at the end of the program. Does not
know the work.
"""

from __future__ import annotations

import atexit
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotDone
from contextvars import Context, ContextVar, copy_context
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

T = TypeVar("T")
GRACE = 5.0  # seconds that the end of a program gives to tasks that run: native code must not be cut off in the middle
POLL = 1.0  # seconds between two looks at a task that is waited for


class Stalled(Exception):  # it says what is the case, as the errors of this package do
    """A task has shown no sign of life for as long as was allowed."""


@dataclass(eq=False)
class Task(Generic[T]):
    """Work that was handed to a pool, and when it last showed that it goes on."""

    work: Callable[[], T]
    context: Context
    future: Future[T] = field(default_factory=Future)
    beat: float | None = None  # monotonic time, in seconds; None: not begun

    def run(self) -> None:
        """Do the work on the current thread; its result or error goes to the future."""
        if not self.future.set_running_or_notify_cancel():
            return
        self.beat = time.monotonic()
        _CURRENT.set(self)
        _RUNNING.add(self)
        try:
            self.future.set_result(self.work())
        except BaseException as exc:
            self.future.set_exception(exc)
        finally:
            _RUNNING.discard(self)


_CURRENT: ContextVar[Task[Any] | None] = ContextVar("task", default=None)
_RUNNING: set[Task[Any]] = set()
_ENDING = threading.Event()


@atexit.register
def _end() -> None:
    """Begin no further task, and give those that run a moment to end."""
    _ENDING.set()
    until = time.monotonic() + GRACE
    while _RUNNING and time.monotonic() < until:
        time.sleep(0.02)


def alive() -> None:
    """Say that the current task goes on: called in loops that may take longer than a task is given."""
    task = _CURRENT.get()
    if task is not None:
        task.beat = time.monotonic()


class DaemonPool:
    """Runs tasks on `threads` threads; a thread that is stuck is replaced."""

    def __init__(self, threads: int, seconds: float, name: str) -> None:
        self._seconds, self._name = seconds, name
        self._tasks: queue.SimpleQueue[Task[Any] | None] = queue.SimpleQueue()
        self._open = True
        self._threads = threads
        for _ in range(threads):
            self._start()

    def _start(self) -> None:
        threading.Thread(target=self._loop, name=self._name, daemon=True).start()

    def _loop(self) -> None:
        while (task := self._tasks.get()) is not None and self._open and not _ENDING.is_set():
            task.context.run(task.run)

    def submit(self, work: Callable[[], T]) -> Task[T]:
        """Hand over work, which runs in a copy of the caller's context; tasks begin in this order."""
        task = Task(work, copy_context())
        self._tasks.put(task)
        return task

    def result(self, task: Task[T]) -> T:
        """Wait for a task and return its result, or raise its error; Ctrl-C ends the wait at once.

        Raises:
            Stalled: it showed no sign of life for the seconds of this pool; it is given up.
        """
        while True:
            try:
                return task.future.result(timeout=min(POLL, self._seconds))
            except NotDone:
                if task.future.done():
                    raise  # the work itself raised a TimeoutError
                if task.beat is not None and time.monotonic() - task.beat > self._seconds:
                    self._start()  # in place of the thread that is stuck
                    raise Stalled from None

    def close(self) -> None:
        """Begin no further task; those that run are not waited for."""
        self._open = False
        for _ in range(2 * self._threads):
            self._tasks.put(None)


def in_time(work: Callable[[], T], seconds: float) -> T:
    """Return what a single piece of work returns, or raise its error.

    Raises:
        Stalled: it did not come back within these seconds; it is given up.
    """
    pool = DaemonPool(1, seconds, "single")
    try:
        return pool.result(pool.submit(work))
    finally:
        pool.close()
