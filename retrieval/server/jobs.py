"""Indexing at work in the background: one at a time, with progress, and it can be stopped.

Knows the library and threads; does not know HTTP.
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
from ..types.records import Problem, Step
from ..types.results import Report

KEPT = 20  # jobs that are remembered
BEAT = 0.5  # seconds between two reports of progress


class State(StrEnum):
    """How far a job is."""

    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"  # what was done is kept
    FAILED = "failed"


@dataclass(frozen=True)
class Job:
    """One run of indexing, as it is now."""

    id: int
    folders: tuple[str, ...]
    state: State = State.RUNNING
    task: str = ""  # scan, pictures, texts
    done: int = 0
    total: int | None = None
    seconds: float = 0.0
    rate: float = 0.0  # pictures a second
    left: float | None = None  # seconds, as far as one can say
    message: str = ""  # why it failed
    report: Report | None = None
    problems: tuple[Problem, ...] = ()


class _Stopped(KeyboardInterrupt):
    """Asked to stop: the indexer takes it as Ctrl-C, and keeps what is done."""


@dataclass
class Jobs:
    """The jobs of one library."""

    library: Library
    _jobs: dict[int, Job] = field(default_factory=dict)
    _stopping: set[int] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _thread: threading.Thread | None = None
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def all(self) -> list[Job]:
        """The jobs that are remembered, the newest first."""
        with self._lock:
            return [self._jobs[number] for number in sorted(self._jobs, reverse=True)]

    def get(self, number: int) -> Job:
        """One job.

        Raises:
            NotFound: there is none of this number.
        """
        with self._lock:
            if number not in self._jobs:
                raise NotFound(f"there is no job {number}")
            return self._jobs[number]

    def start(self, folders: Sequence[Path], shown: Sequence[str], *, retry: bool = False) -> Job:
        """Begin to index folders; `shown` is how they are called.

        Raises:
            UsageError: another job is at work.
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
        """Ask a job to stop; what it has done is kept."""
        job = self.get(number)
        with self._lock:
            if job.state is State.RUNNING:
                self._stopping.add(number)
        return job

    def stop_all(self) -> None:
        """Ask what is at work to stop."""
        for job in self.all():
            self.stop(job.id)

    def close(self) -> None:
        """Stop what is at work, and wait for it."""
        self.stop_all()
        if self._thread is not None:
            self._thread.join(30)

    def _run(self, number: int, folders: Sequence[Path], retry: bool) -> None:
        started, last = time.monotonic(), 0.0

        def progress(step: Step) -> None:
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


def _shown(step: Step, seconds: float) -> dict[str, object]:
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
