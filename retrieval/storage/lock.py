"""The write lock of a library: one process writes at a time, and says what it is doing. Readers need no lock."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ..errors import LibraryLocked
from .manifest import disk_error

LOCK, HOLDER = "writer.lock", "writer.json"


@dataclass(frozen=True)
class WriteLock:
    """The write lock of the library in a folder."""

    path: Path

    @contextmanager
    def hold(self, task: str) -> Iterator[None]:
        """Hold the lock; `task` tells other processes what is going on.

        Raises:
            LibraryLocked: another process holds the lock; the message names it.
            LibraryReadOnly: the folder cannot be written to.
            StorageFull: the disk is full.
        """
        from filelock import FileLock, Timeout  # imported here: reading needs no lock

        lock = FileLock(self.path / LOCK)
        try:
            lock.acquire(timeout=0)
        except Timeout as exc:
            raise LibraryLocked(
                f"{self.holder() or 'another process'} is writing to {self.path}; wait until it is done"
            ) from exc
        except OSError as exc:
            raise disk_error(exc, self.path) from exc
        try:
            self._sign(task)
            yield
        finally:
            (self.path / HOLDER).unlink(missing_ok=True)
            lock.release()

    def holder(self) -> str:
        """Return who holds the lock, in words; an empty string if no one does."""
        try:
            note = json.loads((self.path / HOLDER).read_text(encoding="utf-8"))
            return f"`{note['task']}` (process {note['pid']} on {note['host']}, since {note['since']})"
        except (OSError, ValueError, KeyError):
            return ""

    def _sign(self, task: str) -> None:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        note = {"task": task, "pid": os.getpid(), "host": socket.gethostname(), "since": now}
        try:
            (self.path / HOLDER).write_text(json.dumps(note), encoding="utf-8")
        except OSError as exc:
            raise disk_error(exc, self.path) from exc
