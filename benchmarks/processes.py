"""What a command costs as a whole process: seconds, processor seconds and peak memory."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

BETWEEN = """
import json, resource, subprocess, sys, time
started = time.perf_counter()
code = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL)
seconds, used = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, code]))
"""


@dataclass(frozen=True)
class Cost:
    """What a process took; medians of several."""

    seconds: float
    processor: float
    mebibytes: float


def cost(command: list[str], environment: dict[str, str], folder: Path, times: int) -> Cost:
    """The medians of a command's costs, after one run that does not count."""
    return medians([once(command, environment, folder) for _ in range(times + 1)][1:])


def medians(runs: Sequence[Cost]) -> Cost:
    """The median of each of several runs' costs."""
    return Cost(*map(statistics.median, zip(*map(astuple, runs), strict=True)))


def once(command: list[str], environment: dict[str, str], folder: Path) -> Cost:
    """What one run of a command costs; the program ends if it fails.

    By a small process in between: the peak of a child is never less than what its parent had when it began. Python may
    keep the modules that it compiles, as it does for users.
    """
    environment = {name: value for name, value in environment.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [sys.executable, "-S", "-c", BETWEEN, *command], env=environment, cwd=folder, capture_output=True, check=False
    )
    *found, code = json.loads(done.stdout or "[0, 0, 0, -1]")
    if code not in (0, 1):  # 1: nothing looks like it
        sys.exit(f"{' '.join(command)}: {done.stderr.decode()[-2000:]}")
    return Cost(*found)
