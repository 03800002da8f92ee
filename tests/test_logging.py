"""The library's log: quiet by default, shown by -v, and never by changing the root logger of the program around it."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from retrieval import Library

from .conftest import Run


def test_the_command_line_is_quiet_by_default(filled: Run) -> None:
    assert "retrieval." not in filled("search", "red").stderr


@pytest.mark.parametrize("arguments", ["-v search red", "search red -v", "search --verbose red"])
def test_v_shows_what_was_done(filled: Run, arguments: str) -> None:
    shown = filled(*arguments.split())
    assert "INFO retrieval.search.searcher: 'red': 4 pictures pass the filters" in shown.stderr
    assert "DEBUG" not in shown.stderr
    assert "retrieval." not in shown.stdout


@pytest.mark.parametrize("arguments", ["-vv search red", "-v search red -vv", "search red -vv"])
def test_vv_shows_the_time_of_each_step_once(filled: Run, arguments: str) -> None:
    lines = filled(*arguments.split()).stderr.splitlines()
    assert sum("DEBUG retrieval.runtime.timing: find: " in line for line in lines) == 1


def test_nothing_of_v_is_left_behind(filled: Run) -> None:
    logger = logging.getLogger("retrieval")
    before = logger.level, logger.handlers[:]
    filled("-vv", "search", "red")
    assert (logger.level, logger.handlers) == before


def test_a_program_reads_the_log_by_its_own_configuration(
    library: Library, photos: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (photos / "broken.jpg").write_bytes(b"nothing")
    with caplog.at_level(logging.INFO, logger="retrieval"):
        library.index([photos])
    assert any("broken.jpg" in record.getMessage() for record in caplog.records)
    assert {record.name.partition(".")[0] for record in caplog.records} == {"retrieval"}


@pytest.mark.slow
def test_the_root_logger_stays_as_it_was_with_open_clip_too(tmp_path: Path) -> None:
    program = f"""
import logging, pathlib
from PIL import Image
from retrieval import Library, Settings
root = logging.getLogger()
before = root.level, root.handlers[:]
Image.new("RGB", (64, 64), "red").save({str(tmp_path / "red.png")!r})
with Library.create({str(tmp_path / "library")!r}, Settings(model="builtin")) as library:
    library.index([{str(tmp_path / "red.png")!r}])
    print(len(library.search("red").hits))
print((root.level, root.handlers) == before)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "True"]
    assert done.stderr == ""
