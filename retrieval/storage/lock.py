"""The locks of those who write to a library; readers need none.

A task that goes over a library, such as indexing, holds the task lock from its beginning to its end, so that only one
runs. A small write, such as a caption, holds the turn lock for a moment; tasks hold that one only while they write
files. So small writes slip in between the batches of a task, of whatever process.
"""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import LibraryLocked
from ..runtime import private_files
from ..types.serialize import utc_now
from .manifest import HOLDER, TASK_LOCK, TURN_LOCK, disk_error

if TYPE_CHECKING:
    from filelock import FileLock

TASK_SECONDS = 3.0  # how long a task waits for another one to end
TURN_SECONDS = 30.0  # how long a small write waits for its turn


@dataclass
class WriteLocks:
    """The locks of the library in a folder; one object for all threads of a process."""

    path: Path
    _turn: threading.RLock = field(default_factory=threading.RLock)  # lets threads of this process queue
    _turn_file: FileLock | None = None

    @contextmanager
    def task(self, name: str) -> Iterator[None]:
        """Hold the task lock; `name` tells other processes what is going on.

        Raises:
            LibraryLocked: another task holds the lock, and still does after `TASK_SECONDS`; the message names it.
            LibraryReadOnly: the folder cannot be written to.
            StorageFull: the disk is full.
        """
        from filelock import FileLock  # imported here: reading needs no lock

        with self._held(FileLock(self.path / TASK_LOCK), TASK_SECONDS):
            try:
                self._sign(name)
                yield
            finally:
                (self.path / HOLDER).unlink(missing_ok=True)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Hold the turn lock; a thread that has it may take it again.

        Raises:
            LibraryLocked: no turn has come in `TURN_SECONDS`.
            LibraryReadOnly: the folder cannot be written to.
            StorageFull: the disk is full.
        """
        from filelock import FileLock

        if not self._turn.acquire(timeout=TURN_SECONDS):
            raise self._locked()
        try:
            if self._turn_file is None:
                self._turn_file = FileLock(self.path / TURN_LOCK, thread_local=False)
            with self._held(self._turn_file, TURN_SECONDS):
                yield
        finally:
            self._turn.release()

    def holder(self) -> str:
        """Return which task holds the lock, in words; an empty string if none does."""
        from filelock import FileLock, Timeout

        try:
            note = json.loads((self.path / HOLDER).read_text(encoding="utf-8"))
            told = f"`{note['task']}` (process {note['pid']} on {note['host']}, since {note['since']})"
        except (OSError, ValueError, KeyError):
            return ""
        try:  # a process that was killed leaves its note behind, but no lock
            with FileLock(self.path / TASK_LOCK).acquire(timeout=0):
                return ""
        except Timeout:
            return told
        except OSError:  # it cannot be asked of a folder that only others may write to
            return told

    @contextmanager
    def _held(self, lock: FileLock, seconds: float) -> Iterator[None]:
        from filelock import Timeout

        try:
            private_files.make_file(Path(lock.lock_file))
            lock.acquire(timeout=seconds)
        except Timeout as exc:
            raise self._locked() from exc
        except OSError as exc:
            raise disk_error(exc, self.path) from exc
        try:
            yield
        finally:
            lock.release()

    def _locked(self) -> LibraryLocked:
        return LibraryLocked(f"{self.holder() or 'another process'} is writing to {self.path}; wait until it is done")

    def _sign(self, name: str) -> None:
        note = {"task": name, "pid": os.getpid(), "host": socket.gethostname(), "since": utc_now()}
        try:
            private_files.write_text(self.path / HOLDER, json.dumps(note))
        except OSError as exc:
            raise disk_error(exc, self.path) from exc
