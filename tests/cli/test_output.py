"""Output that cannot be written, names that cannot be shown, and what a run says at its end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from retrieval.cli.output import rate

from ..conftest import Paint, Run

SEARCH = [sys.executable, "-m", "retrieval", "search", "type:photo"]


@pytest.mark.parametrize(
    ("redirect", "said"), [(">/dev/full", "No space left on device"), (">&-", "it is closed")], ids=["full", "closed"]
)
@pytest.mark.parametrize("form", ["", "--json", "--paths"])
def test_output_that_cannot_be_written_is_one_line_and_an_exit_code(
    filled: Run, redirect: str, said: str, form: str
) -> None:
    done = subprocess.run(
        ["sh", "-c", f'"$@" {form} {redirect}', "sh", *SEARCH], capture_output=True, text=True, check=False
    )
    assert done.returncode == 6
    assert done.stderr.splitlines()[-1].startswith("retrieval: cannot write the output")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_name_that_the_terminal_cannot_show_is_spelled_out(run: Run, paint: Paint) -> None:
    run("index", paint("🐕.jpg", "red").parent)
    environment = os.environ | {"PYTHONIOENCODING": "cp1252"}
    done = subprocess.run(SEARCH, capture_output=True, text=True, check=True, env=environment)
    assert "\\U0001f415.jpg" in done.stdout


def test_k_has_an_upper_end(filled: Run) -> None:
    assert "k must be at most 1,000,000" in filled("search", "red", "-k", "9" * 20, code=2).stderr


def test_a_run_says_what_it_passed_over_and_what_is_not_there(filled: Run, photos: Path) -> None:
    for name in ("a.eps", "b.eps", "c"):
        (photos / name).write_bytes(b"x")
    (photos / "red.jpg").unlink()
    done = filled("index", photos, "--exclude", "thumps")
    assert "1 not there any more, 3 unchanged" in done.stdout
    assert "passed over 2 .eps, 1 without ending" in done.stderr
    assert "note: --exclude 'thumps' fits nothing" in done.stderr
    assert "2 .eps, 1 without ending" in filled("status").stdout
    assert "1 files, kept until they are back" in filled("status").stdout
    assert json.loads(filled("status", "--json").stdout)["absent"] == 1
    assert "1 forgotten" in filled("index", photos, "--forget-missing").stdout


def test_a_damaged_picture_is_used_and_said_apart_from_what_could_not_be_used(run: Run, paint: Paint) -> None:
    path = paint("red.jpg", size=(300, 300))
    path.write_bytes(path.read_bytes()[:-2])
    path.with_name("none.jpg").write_text("no picture")
    done = run("index", path.parent)
    assert "1 could not be used (1 not-a-picture)" in done.stderr
    assert "1 are used, but not whole (1 damaged)" in done.stderr


def test_a_known_folder_that_is_gone_is_no_error_and_another_one_is(filled: Run, photos: Path, tmp_path: Path) -> None:
    photos.rename(tmp_path / "away")
    done = filled("index", photos)
    assert "4 not there any more" in done.stdout
    assert "does not exist" in filled("index", tmp_path / "nowhere", code=5).stderr


def test_a_folder_is_relocated(filled: Run, photos: Path, tmp_path: Path) -> None:
    photos.rename(tmp_path / "away")
    assert f"4 files of {photos} are at {tmp_path / 'away'} now" in filled("relocate", photos, tmp_path / "away").stdout
    assert "4 unchanged" in filled("index", tmp_path / "away").stdout


@pytest.mark.parametrize(
    ("count", "seconds", "said"),
    [(8, 0.001, ""), (1, 5, ""), (2, 8, "4.0 s each"), (30, 10, "3.0/s"), (5000, 2, "2,500/s"), (0, 9, "")],
)
def test_rates_are_told_once_they_mean_something(count: int, seconds: float, said: str) -> None:
    assert rate(count, seconds) == said


def test_a_cache_that_cannot_be_written_is_said_once_and_pages_work(
    filled: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "temporary").mkdir()
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path / "file"), "TMPDIR": str(tmp_path / "temporary")}
    command = [sys.executable, "-m", "retrieval", "search", "type:photo", "-k", "2", "--page"]
    for page in ("1", "2"):
        done = subprocess.run([*command, page], capture_output=True, text=True, check=True, env=environment)
        assert len(done.stdout.splitlines()) == 3
        assert done.stderr.count("cannot be written") == 1
    assert list((tmp_path / "temporary").glob("retrieval-*/pages/*.json"))
