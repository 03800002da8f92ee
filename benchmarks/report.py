"""What every benchmark prints: a table with the machine below it, also into docs/performance.md when asked to."""

from __future__ import annotations

import argparse
import os
import platform
import re
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
PACKAGES = ("torch", "faiss-cpu", "onnxruntime", "pillow", "numpy")


def parser(description: str | None) -> argparse.ArgumentParser:
    """The options that every benchmark of docs/performance.md has."""
    found = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    found.add_argument("--at", type=_folder, default=str(Path(tempfile.gettempdir()) / "retrieval-benchmarks"))
    found.add_argument("--write", action="store_true", help="into docs/performance.md")
    found.add_argument("--quick", action="store_true", help="small collections, without judging times")
    return found


def _folder(text: str) -> Path:
    Path(text).mkdir(parents=True, exist_ok=True)
    return Path(text)


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table in Markdown; numbers with a fitting number of digits, the first column to the left."""
    lines = [list(columns), *([shown(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]

    def line(cells: Sequence[str]) -> str:
        first, *others = zip(cells, widths, strict=True)
        return " | ".join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)])

    return "\n".join(f"| {line(cells)} |" for cells in (lines[0], rule, *lines[1:]))


def shown(value: object) -> str:
    """A cell: three digits that count of a number, a dash for what there is none of."""
    if value is None:
        return "-"
    if not isinstance(value, float):
        return f"{value:,}" if isinstance(value, int) else str(value)
    if value == 0:
        return "0"
    digits = max(0, 2 - int(f"{abs(value):e}".split("e")[1]))
    return f"{value:,.{min(digits, 5)}f}"


def machine() -> str:
    """The machine and what counts of its software, on one line."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    found = [f"{cpu()}, {os.cpu_count()} cores, {memory:.0f} GiB", f"Python {platform.python_version()}"]
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


def cpu() -> str:
    """The model of the processor, as it names itself."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    model = re.search(r"model name\s*: (.*)", text)
    known = [name for name in ("amx_tile", "avx512_bf16", "avx512_vnni", "avx2") if name in text]
    return f"{model[1] if model else platform.machine()}{f' ({known[0]})' if known else ''}"


def publish(name: str, text: str, *, write: bool) -> None:
    """Print a table; with `write`, also between its marks in docs/performance.md."""
    text = f"{text}\n\n{machine()}; `benchmarks/{name}.py`, {time.strftime('%Y-%m-%d')}."
    print(text)
    if write:
        start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        page = PAGE.read_text(encoding="utf-8")
        before, _, rest = page.partition(start)
        _, _, after = rest.partition(end)
        PAGE.write_text(f"{before}{start}\n\n{text}\n\n{end}{after}", encoding="utf-8")


def median(run: Callable[[], object], times: int) -> float:
    """The median of the seconds that several runs take."""
    return statistics.median(seconds(run) for _ in range(times))


def seconds(run: Callable[[], object]) -> float:
    """The seconds of one run."""
    started = time.perf_counter()
    run()
    return time.perf_counter() - started
