"""Indexing jobs in a background thread: one at a time, with progress, and stoppable; the library remembers them.

Does not know HTTP.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..errors import NotFound, RetrievalError, UsageError
from ..library.library import Library
from ..types.job import Job, State
from ..types.records import Progress
from ..types.serialize import utc_now

BEAT = 0.5  # seconds between two reports of progress

FolderOf = Callable[[str, str], Path]  # the folder for a root's name and a path below it


class _Stopped(KeyboardInterrupt):
    """Raised in a job's thread to stop it; the indexer treats it like Ctrl-C and keeps what is done."""


@dataclass
class Jobs:
    """The indexing jobs of one library."""

    library: Library
    folder_of: FolderOf
    _running: Job | None = None
    _stopping: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _thread: threading.Thread | None = None

    def all(self) -> list[Job]:
        """Return the jobs that are remembered, newest first; those whose process has ended are cut off."""
        with self.library.storage.read() as catalog:
            stored = catalog.jobs.all()
        with self._lock:
            running = self._running
        # While this server runs one, no other can; else another server may, which holds the lock of tasks then.
        lost = [job.id for job in stored if job.state is State.RUNNING and (running is None or job.id != running.id)]
        if lost and running is None and self.library.storage.locks.holder():
            lost = lost[1:]
        return [
            running if running is not None and job.id == running.id
            else replace(job, state=State.CUT_OFF) if job.id in lost
            else job
            for job in stored
        ]  # fmt: skip

    def get(self, number: int) -> Job:
        """Return the job of this number.

        Raises:
            NotFound: there is none.
        """
        with self._lock:
            if self._running is not None and self._running.id == number:
                return self._running
        found = next((job for job in self.all() if job.id == number), None)
        if found is None:
            raise NotFound(f"there is no job {number}")
        return found

    def start(self, root: str, folder: str = "", *, retry: bool = False) -> Job:
        """Start a job that indexes a folder below a root.

        Raises:
            UsageError: there is no such root or folder, or another job is running.
            LibraryReadOnly: the library cannot be written.
        """
        place = self.folder_of(root, folder)
        with self._lock:
            if self._running is not None:
                raise UsageError(f"job {self._running.id} is running; wait for it, or stop it")
            with self.library.storage.small_write() as catalog:
                job = catalog.jobs.add(Job(0, root, folder, retry, started_at=utc_now()))
            self._running, self._stopping = job, False
        self._thread = threading.Thread(target=self._run, args=(place, retry), daemon=True, name="indexing")
        self._thread.start()
        return job

    def resume(self, number: int) -> Job:
        """Start a job anew that was stopped, failed or was cut off; what it has done is not done again.

        Raises:
            NotFound: there is no job of this number.
            UsageError: it was done, others followed it, or a job is running.
        """
        job = self.get(number)
        if job.state in (State.DONE, State.RUNNING):
            raise UsageError(f"job {number} is {job.state}; start a new one")
        if number != self.all()[0].id:
            raise UsageError(f"job {number} was followed by others; resume the latest one, or start a new one")
        return self.start(job.root, job.folder, retry=job.retry)

    def stop(self, number: int) -> Job:
        """Ask a job to stop, keeping what it has done; return the job as it was.

        Raises:
            NotFound: there is no job of this number.
        """
        job = self.get(number)
        with self._lock:
            self._stopping = self._stopping or (self._running is not None and self._running.id == number)
        return job

    def stop_all(self) -> None:
        """Ask the running job to stop."""
        self._stopping = True

    def close(self) -> None:
        """Ask the running job to stop, and wait for it for at most 30 seconds."""
        self.stop_all()
        if self._thread is not None:
            self._thread.join(30)

    def _run(self, place: Path, retry: bool) -> None:
        clock = _Clock()

        def progress(step: Progress) -> None:
            if self._stopping:
                raise _Stopped
            self._put(**clock.told(step))

        try:
            report = self.library.index([place], retry=retry, progress=progress)
        except _Stopped:
            self._end(state=State.STOPPED, seconds=clock.seconds)
        except RetrievalError as exc:
            self._end(state=State.FAILED, message=str(exc), seconds=clock.seconds)
        except BaseException:
            self._end(state=State.FAILED, message="an unexpected error; the server's log has it", seconds=clock.seconds)
            raise
        else:
            state = State.STOPPED if report.interrupted else State.DONE
            told = replace(report, problems=())
            self._end(state=state, report=told, problems=report.problems, seconds=report.seconds, left=None)

    def _put(self, **changed: object) -> None:
        with self._lock:
            assert self._running is not None  # until `_end`
            self._running = replace(self._running, **changed)  # type: ignore[arg-type]  # fields of Job

    def _end(self, **changed: object) -> None:
        self._put(**changed)
        with self._lock:
            assert self._running is not None
            try:
                with self.library.storage.small_write() as catalog:
                    catalog.jobs.put(self._running)
            finally:
                self._running = None


class _Clock:
    """The time since a job and its present task began, for its rate."""

    def __init__(self) -> None:
        self._began = self._task_began = time.monotonic()
        self._task = ""

    @property
    def seconds(self) -> float:
        """The seconds since the job began."""
        return time.monotonic() - self._began

    def told(self, step: Progress) -> dict[str, object]:
        """Return a step of the job as fields of `Job`."""
        if step.task != self._task:
            self._task, self._task_began = step.task, time.monotonic()
        passed = time.monotonic() - self._task_began
        rate = step.done / passed if step.task == "pictures" and passed > 0 else 0.0
        left = (step.total - step.done) / rate if rate and step.total is not None else None
        return {
            "task": step.task, "done": step.done, "total": step.total, "seconds": self.seconds, "rate": rate,
            "left": left,
        }  # fmt: skip
