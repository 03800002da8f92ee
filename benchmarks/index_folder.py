"""Indexing a folder twice with the built-in model: pictures a second, peak memory, and what the second run encodes.

    python benchmarks/index_folder.py FOLDER [COUNT]

The first COUNT pictures of FOLDER are linked into a folder of their own, so that sizes can be compared.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def run(folder: Path, library: Path) -> tuple[dict[str, float], float, float]:
    """The report of one run, its seconds and its peak memory in MiB (the process and its children)."""
    command = [sys.executable, "-m", "retrieval", "index", str(folder), "--index", str(library), "--json", "-q"]
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    report = json.loads(process.stdout.read())
    _, _, usage = os.wait4(process.pid, 0)
    return report, time.perf_counter() - started, usage.ru_maxrss / 1024


def main() -> None:
    source, count = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 5000
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "photos"
        folder.mkdir()
        for path in sorted(source.iterdir())[:count]:
            (folder / path.name).symlink_to(path.absolute())
        print(f"{'run':>6} {'new':>6} {'unchanged':>10} {'encoded':>8} {'seconds':>8} {'a second':>9} {'peak MiB':>9}")
        for name in ("first", "second"):
            report, seconds, memory = run(folder, Path(place) / "library")
            row = (report["added"], report["unchanged"], report["encoded"])
            print(f"{name:>6} {row[0]:>6} {row[1]:>10} {row[2]:>8} {seconds:8.1f} {count / seconds:9.1f} {memory:9.0f}")


if __name__ == "__main__":
    main()
