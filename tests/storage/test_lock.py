"""Writers of one library: tasks exclude each other, small writes queue and slip in between a task's batches."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from retrieval import Library
from retrieval.errors import LibraryLocked
from retrieval.storage import lock
from retrieval.types.records import Progress

from ..conftest import Paint

HOLD = """
import sys
from retrieval import Library, Settings
with Library.open(sys.argv[1], Settings(model="colours")) as library, library.storage.{held}:
    print("held", flush=True)
    sys.stdin.readline()
"""


@contextmanager
def held(place: Path, how: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds a lock of the library."""
    command = [sys.executable, "-c", HOLD.format(held=how), str(place)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None  # it is a pipe
        assert process.stdout.readline() == "held\n"
        yield process
        if process.poll() is None:
            process.communicate("\n", timeout=60)


def test_small_writes_of_many_threads_all_succeed(library: Library, photos: Path) -> None:
    library.index([photos])
    files = sorted(item.path for item in library)

    def write(number: int) -> None:
        library.captions.set(files[number % 4], f"caption {number}")
        library.saved.save(f"name{number}", "red")

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(write, range(20)))
    assert len(library.saved.saved()) == 20


def test_small_writes_slip_into_an_indexing_run_of_this_process(library: Library, paint: Paint) -> None:
    folder = paint("red.jpg").parent
    library.index([folder])
    for number in range(100):
        paint(f"more/{number}.png", f"rgb({number}, 0, {2 * number})")
    written: list[str] = []

    def progress(step: Progress) -> None:
        if step.task == "pictures" and step.done < 100 and not written:
            with ThreadPoolExecutor(1) as other:
                other.submit(library.captions.set, folder / "red.jpg", "a barn").result(20)
                other.submit(library.saved.save, "barns", "barn").result(20)
            written.append("yes")

    assert library.index([folder], progress=progress).added == 100
    assert written
    assert library.search("barn", k=1).hits[0].path == folder / "red.jpg"
    assert library.saved.saved() == {"barns": "barn"}


def test_a_small_write_does_not_wait_for_the_task_of_another_process(library: Library, photos: Path) -> None:
    library.index([photos])
    with held(library.path, "write_lock('a long run')"):
        library.captions.set(photos / "red.jpg", "a barn")
        assert "a long run" in library.status().writer
    assert library.status().writer == ""


def test_a_task_waits_a_moment_for_another_one_and_then_says_who_it_is(
    library: Library, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with held(library.path, "write_lock('a long run')") as other:
        monkeypatch.setattr(lock, "TASK_SECONDS", 0.2)
        with pytest.raises(LibraryLocked, match=rf"a long run.*process {other.pid}"):
            library.index([photos])
        monkeypatch.setattr(lock, "TASK_SECONDS", 30)
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(library.index, [photos])
            with pytest.raises(TimeoutError):
                waiting.result(0.3)
            other.communicate("\n", timeout=60)
            assert waiting.result(60).added == 4


def test_a_turn_that_does_not_come_is_an_error(library: Library, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library.index([photos])
    monkeypatch.setattr(lock, "TURN_SECONDS", 0.2)
    with held(library.path, "locks.turn()"), pytest.raises(LibraryLocked, match="wait until it is done"):
        library.saved.save("red", "red")


def test_a_process_that_was_killed_is_not_named_as_writing(library: Library, photos: Path) -> None:
    library.index([photos])
    with held(library.path, "write_lock('a long run')") as other:
        other.kill()
        other.wait(60)
        assert (library.path / "writer.json").exists()  # as it left it
        assert library.status().writer == ""
