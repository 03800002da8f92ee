"""Indexing jobs in a background thread: one at a time, with progress, and stoppable.

Does not know HTTP.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from ..errors import NotFound, RetrievalError, UsageError
from ..library.library import Library
from ..types.records import Problem, Progress
from ..types.results import Report

KEPT = 20  # jobs that are remembered
BEAT = 0.5  # seconds between two reports of progress


class State(StrEnum):
    """The state of a job."""

    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"  # what was done is kept
    FAILED = "failed"


@dataclass(frozen=True)
class Job:
    """A snapshot of one indexing job."""

    id: int
    folders: tuple[str, ...]
    state: State = State.RUNNING
    task: str = ""  # scan, pictures, texts
    done: int = 0
    total: int | None = None
    seconds: float = 0.0
    rate: float = 0.0  # pictures per second
    left: float | None = None  # estimated seconds to the end; None: unknown
    message: str = ""  # why it failed
    report: Report | None = None
    problems: tuple[Problem, ...] = ()


class _Stopped(KeyboardInterrupt):
    """Raised in a job's thread to stop it; the indexer treats it like Ctrl-C and keeps what is done."""


@dataclass
class Jobs:
    """The indexing jobs of one library."""

    library: Library
    _jobs: dict[int, Job] = field(default_factory=dict)
    _stopping: set[int] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _thread: threading.Thread | None = None
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def all(self) -> list[Job]:
        """Return the jobs that are remembered, newest first."""
        with self._lock:
            return [self._jobs[number] for number in sorted(self._jobs, reverse=True)]

    def get(self, number: int) -> Job:
        """Return the job of this number.

        Raises:
            NotFound: there is none.
        """
        with self._lock:
            if number not in self._jobs:
                raise NotFound(f"there is no job {number}")
            return self._jobs[number]

    def start(self, folders: Sequence[Path], shown: Sequence[str], *, retry: bool = False) -> Job:
        """Start a job that indexes these folders; `shown` gives the names to display for them.

        Raises:
            UsageError: another job is running.
        """
        with self._lock:
            running = next((job for job in self._jobs.values() if job.state is State.RUNNING), None)
            if running is not None:
                raise UsageError(f"job {running.id} is at work; wait for it, or stop it")
            job = Job(next(self._numbers), tuple(shown))
            self._jobs[job.id] = job
            for old in sorted(self._jobs)[:-KEPT]:
                del self._jobs[old]
        self._thread = threading.Thread(target=self._run, args=(job.id, folders, retry), daemon=True, name="indexing")
        self._thread.start()
        return job

    def stop(self, number: int) -> Job:
        """Ask a job to stop, keeping what it has done; return the job as it was.

        Raises:
            NotFound: there is no job of this number.
        """
        job = self.get(number)
        with self._lock:
            if job.state is State.RUNNING:
                self._stopping.add(number)
        return job

    def stop_all(self) -> None:
        """Ask the running job to stop."""
        for job in self.all():
            self.stop(job.id)

    def close(self) -> None:
        """Ask the running job to stop, and wait for it for at most 30 seconds."""
        self.stop_all()
        if self._thread is not None:
            self._thread.join(30)

    def _run(self, number: int, folders: Sequence[Path], retry: bool) -> None:
        started, last = time.monotonic(), 0.0

        def progress(step: Progress) -> None:
            nonlocal last
            if number in self._stopping:
                raise _Stopped
            now = time.monotonic()
            if now - last >= BEAT or step.done == step.total:
                last = now
                self._put(number, **_shown(step, now - started))

        try:
            report = self.library.index(folders, retry=retry, progress=progress)
        except _Stopped:
            self._put(number, state=State.STOPPED, seconds=time.monotonic() - started)
        except RetrievalError as exc:
            self._put(number, state=State.FAILED, message=str(exc), seconds=time.monotonic() - started)
        except BaseException:
            what = "the server's log says more"
            self._put(number, state=State.FAILED, message=what, seconds=time.monotonic() - started)
            raise
        else:
            state = State.STOPPED if report.interrupted else State.DONE
            told = replace(report, problems=())
            self._put(number, state=state, report=told, problems=report.problems, seconds=report.seconds, left=None)

    def _put(self, number: int, **changed: object) -> None:
        with self._lock:
            self._jobs[number] = replace(self._jobs[number], **changed)  # type: ignore[arg-type]  # fields of Job


def _shown(step: Progress, seconds: float) -> dict[str, object]:
    rate = step.done / seconds if step.task == "pictures" and seconds else 0.0
    left = (step.total - step.done) / rate if rate and step.total is not None else None
    return {
        "task": step.task,
        "done": step.done,
        "total": step.total,
        "seconds": seconds,
        "rate": rate,
        "left": left,
    }
