"""What people see on a real terminal: a pseudo-terminal, as wide as one."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from retrieval import Library

from ..conftest import COLOURS, Paint

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")


def on_a_terminal(*arguments: object, folder: Path | None = None, **world: str) -> str:
    """What `retrieval` writes to a terminal, standard error included."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "40", **world}
    command = [sys.executable, "-m", "retrieval", *map(str, arguments)]
    run = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, cwd=folder)
    os.close(theirs)
    said, deadline = b"", time.monotonic() + 60
    while time.monotonic() < deadline:
        if not select.select([ours], [], [], 0.2)[0]:
            if run.poll() is not None:
                break
            continue
        try:
            part = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        said += part
    run.wait(timeout=30)
    os.close(ours)
    return said.decode("utf-8", "replace")


@pytest.fixture
def place(photos: Path, tmp_path: Path) -> Path:
    with Library.create(tmp_path / "library", COLOURS) as library:
        library.index([photos])
    return tmp_path / "library"


def test_hits_are_lines_with_ranks_bands_scores_and_links_to_files(place: Path, photos: Path) -> None:
    drawn = on_a_terminal("search", "red", "--index", place, folder=photos)
    assert f"file://{photos}/red.jpg" in drawn
    said = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b\]8;[^\x1b]*\x1b\\", "", drawn)
    assert re.search(r"1  strong, by its name\s+1\.000\s+red\.jpg", said)
    assert "How to read this" in said
    assert "How to read this" not in on_a_terminal("search", "red", "--index", place, folder=photos), "shown once"


@pytest.mark.parametrize("columns", ["40", "80"])
def test_a_path_is_never_cut_and_stands_below_the_common_folder(tmp_path: Path, paint: Paint, columns: str) -> None:
    folder = "a folder with quite a long name, as people have them/and another one in it"
    paths = [paint(f"{folder}/{n} with a name that is long, too.png", "red", (40 + n, 30)) for n in range(2)]
    with Library.create(tmp_path / "library", COLOURS) as library:
        library.index([paths[0].parent])
    drawn = on_a_terminal("search", "red", "--index", tmp_path / "library", "--no-fold", COLUMNS=columns)
    said = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b\]8;[^\x1b]*\x1b\\", "", drawn)
    assert f"in {paths[0].parent}\r\n" in said
    for path in paths:
        assert f"  {path.name}\r\n" in said


def test_indexing_shows_a_bar(photos: Path, tmp_path: Path) -> None:
    said = on_a_terminal("index", photos, "--index", tmp_path / "new", RETRIEVAL_MODEL="colours")
    assert "pictures" in said
    assert "4 new" in said


@pytest.mark.slow
def test_previews_are_drawn_in_the_protocol_of_the_terminal(place: Path) -> None:
    inline = on_a_terminal("search", "red", "-k", 1, "--preview", "--index", place, TERM_PROGRAM="iTerm.app")
    assert "\x1b]1337;File=inline=1" in inline
    blocks = on_a_terminal("search", "red", "-k", 1, "--preview", "--index", place)
    assert "▀" in blocks or "▄" in blocks or "\x1b_G" in blocks
