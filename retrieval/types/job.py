"""Indexing jobs, as a server runs them and a library remembers them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .records import Problem
from .results import Report


class State(StrEnum):
    """The state of a job."""

    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"  # what was done is kept
    FAILED = "failed"
    CUT_OFF = "cut off"  # its process ended in the middle of it; what was done is kept


@dataclass(frozen=True)
class Job:
    """A snapshot of one indexing job."""

    id: int
    root: str  # a name that GET /v1/roots gives
    folder: str = ""  # below the root
    retry: bool = False
    state: State = State.RUNNING
    started_at: str = ""  # UTC, ISO 8601
    task: str = ""  # scan, pictures, texts
    done: int = 0
    total: int | None = None
    seconds: float = 0.0
    rate: float = 0.0  # pictures per second
    left: float | None = None  # estimated seconds to the end; None: unknown
    message: str = ""  # why it failed
    report: Report | None = None
    problems: tuple[Problem, ...] = ()
