"""Each benchmark of docs/performance.md runs through, small, without judging times; and its page is what it wrote."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import report

from .conftest import DATA, ROOT

NEEDING = {"indexing", "vlm_speed", "gpu"}  # the data for training and tests
NAMES = ("indexing", "cold_search", "warm_search", "vlm_speed", "growth")
TITLES = {"growth": "| searching", "gpu": "| ViT-B/32"}  # where no program stands in the first column


@pytest.mark.slow
@pytest.mark.parametrize("name", [*NAMES, "gpu"])
def test_a_benchmark_runs_through(name: str, tmp_path: Path) -> None:
    if name in NEEDING and not DATA.is_dir():
        pytest.skip(f"the data sets for training and tests are not at {DATA}")
    command = [sys.executable, "-m", f"benchmarks.{name}", "--quick", "--at", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert TITLES.get(name, "| retrieval") in done.stdout
    assert f"benchmarks/{name}.py" in done.stdout


@pytest.mark.parametrize("name", NAMES)
def test_the_page_has_every_table_with_its_machine(name: str) -> None:
    page = report.PAGE.read_text(encoding="utf-8")
    found = re.search(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", page, re.DOTALL)
    assert found is not None
    assert TITLES.get(name, "| retrieval") in found[1]
    assert re.search(rf"cores, \d+ GiB.*`benchmarks/{name}.py`", found[1])


def test_a_table_shows_three_digits_that_count() -> None:
    rows: list[list[object]] = [["a", 1234.5], ["b", 0.0123456], ["c", None], ["d", 12]]
    lines = report.table(("name", "value"), rows).splitlines()
    assert lines[1] == "| ---- | -----: |"
    assert [line.split("|")[2].strip() for line in lines[2:]] == ["1,234", "0.0123", "-", "12"]


def test_a_table_is_put_between_its_marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "page.md"
    page.write_text("above\n<!-- one -->\nold\n<!-- /one -->\nbelow\n")
    monkeypatch.setattr(report, "PAGE", page)
    report.publish("one", "new", write=True)
    text = page.read_text()
    assert text.startswith("above\n<!-- one -->\n\nnew\n\n")
    assert "old" not in text
    assert text.endswith("<!-- /one -->\nbelow\n")


@pytest.mark.slow
def test_broken_files_of_every_format_end_no_run_and_are_named(tmp_path: Path) -> None:
    """2,000 with `benchmarks/mutations.py`; here a few of each."""
    command = [sys.executable, "-m", "benchmarks.mutations", "--files", "200", "--seed", "7"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "200 files (seed 7): 0 in crashed batches, 0 in hung ones, 0 unnamed" in done.stdout
