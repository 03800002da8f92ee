"""Work that may never come back: it is given up, its thread is replaced, and nothing waits for it."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from contextvars import ContextVar

import pytest

from retrieval.runtime.daemon_pool import DaemonPool, Stalled, alive

NAME: ContextVar[str] = ContextVar("name", default="")


def test_results_and_errors_come_back_in_the_callers_context() -> None:
    pool = DaemonPool(2, 5.0, "test")
    NAME.set("mine")
    assert pool.result(pool.submit(NAME.get)) == "mine"
    with pytest.raises(ZeroDivisionError):
        pool.result(pool.submit(lambda: 1 // 0))
    with pytest.raises(TimeoutError):
        pool.result(pool.submit(lambda: _raise(TimeoutError())))
    pool.close()


def _raise(error: Exception) -> None:
    raise error


def test_a_task_that_is_stuck_is_given_up_and_the_next_one_runs() -> None:
    pool, never = DaemonPool(1, 0.2, "test"), threading.Event()
    stuck, following = pool.submit(lambda: never.wait(30)), pool.submit(lambda: "done")
    with pytest.raises(Stalled):
        pool.result(stuck)
    assert pool.result(following) == "done"
    never.set()
    pool.close()


def test_a_task_that_shows_that_it_goes_on_is_waited_for() -> None:
    pool = DaemonPool(1, 0.3, "test")

    def slow() -> str:
        for _ in range(8):
            time.sleep(0.1)
            alive()
        return "done"

    assert pool.result(pool.submit(slow)) == "done"
    pool.close()


def test_a_program_ends_while_a_task_is_stuck() -> None:
    program = (
        "import time; from retrieval.runtime.daemon_pool import DaemonPool\n"
        "pool = DaemonPool(1, 60.0, 'test'); pool.submit(lambda: time.sleep(60)); time.sleep(0.2); print('end')"
    )
    started = time.monotonic()
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=50)
    assert done.stdout == "end\n"
    assert time.monotonic() - started < 30


def test_the_end_of_a_program_lets_work_that_goes_on_end_first() -> None:
    """Native code that is cut off in the middle would abort the process."""
    program = (
        "import time; from retrieval.runtime.daemon_pool import DaemonPool\n"
        "pool = DaemonPool(1, 60.0, 'test'); pool.submit(lambda: (time.sleep(0.5), print('worked', flush=True)))\n"
        "pool.submit(lambda: print('never')); time.sleep(0.2); pool.close(); print('end', flush=True)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=50)
    assert done.stdout == "end\nworked\n"
