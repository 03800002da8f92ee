"""Folders that are watched: real files, real events, a real library."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from retrieval import Library
from retrieval.errors import SourceError
from retrieval.indexing.watcher import Watcher

from ..conftest import COLOURS, Run, soon

# watchdog tells itself that a new folder in a new folder is watched twice over; it is watched once
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:Callback with id:RuntimeWarning")]


class Watched:
    """A folder that is watched on a thread, and the library that follows it."""

    def __init__(self, library: Library, folder: Path, poll: float | None) -> None:
        self.library, self.folder = library, folder
        self.told: list[str] = []
        self.reports: list[object] = []
        self.stop = threading.Event()
        watcher = Watcher([folder], self.update, self.told.append, library.path, poll, quiet=0.2)
        self.thread = threading.Thread(target=watcher.run, args=(self.stop,))

    def update(self, places: object) -> None:
        self.reports.append(self.library.index(places))  # type: ignore[arg-type]  # places

    def names(self) -> list[str]:
        return sorted(item.path.name for item in self.library)

    def end(self) -> None:
        self.stop.set()
        self.thread.join(60)
        assert not self.thread.is_alive()

    def has(self, *names: str) -> bool:
        return soon(lambda: self.names() == sorted(names))


@pytest.fixture(params=[None, 0.2], ids=["events", "polling"])
def watched(library: Library, photos: Path, request: pytest.FixtureRequest) -> Iterator[Watched]:
    found = Watched(library, photos, request.param)
    found.thread.start()
    assert found.has("blue.webp", "lime.png", "red.jpg", "yellow.bmp")
    yield found
    found.end()


BEFORE = ("blue.webp", "lime.png", "red.jpg", "yellow.bmp")


def test_a_new_photo_is_found_by_itself(watched: Watched) -> None:
    Image.new("RGB", (20, 20), "black").save(watched.folder / "black.png")
    assert watched.has("black.png", *BEFORE)
    assert watched.library.search("black", k=1).hits[0].path == watched.folder / "black.png"


def test_a_burst_in_a_new_folder_is_fewer_runs_than_photos(watched: Watched) -> None:
    before = len(watched.reports)
    folder = watched.folder / "new" / "deep"
    folder.mkdir(parents=True)
    for number in range(40):
        Image.new("RGB", (20, 20), (number, 0, 0)).save(folder / f"{number:02}.png")
    assert watched.has(*(f"{number:02}.png" for number in range(40)), *BEFORE)
    assert len(watched.reports) - before < 40


def test_a_file_that_is_copied_in_parts_is_there_in_the_end(watched: Watched, tmp_path: Path) -> None:
    Image.effect_noise((200, 200), 90).convert("RGB").save(tmp_path / "whole.png")
    data = (tmp_path / "whole.png").read_bytes()
    with (watched.folder / "part.png").open("wb") as stream:
        for start in range(0, len(data), len(data) // 3):
            stream.write(data[start : start + len(data) // 3])
            stream.flush()
            time.sleep(0.4)  # longer than what counts as rest: it is tried too early, and again
    assert watched.has("part.png", *BEFORE)
    assert soon(lambda: watched.library.problems() == [])


def test_what_is_renamed_is_not_encoded_again(watched: Watched) -> None:
    (watched.folder / "red.jpg").rename(watched.folder / "scarlet.jpg")
    assert watched.has("blue.webp", "lime.png", "scarlet.jpg", "yellow.bmp")
    assert soon(lambda: len(watched.reports) > 1)
    assert sum(getattr(report, "encoded", 0) for report in watched.reports) == 4


def test_what_is_deleted_leaves(watched: Watched) -> None:
    (watched.folder / "red.jpg").unlink()
    assert watched.has("blue.webp", "lime.png", "yellow.bmp")


def test_a_folder_that_goes_away_keeps_its_pictures_until_it_is_back(watched: Watched) -> None:
    away = watched.folder.with_name("away")
    watched.folder.rename(away)
    assert soon(lambda: any("is not there" in line for line in watched.told))
    assert watched.names() == list(BEFORE)
    Image.new("RGB", (20, 20), "black").save(away / "black.png")
    away.rename(watched.folder)
    assert watched.has("black.png", *BEFORE)
    Image.new("RGB", (20, 20), "grey").save(watched.folder / "grey.png")  # it is watched again
    assert watched.has("black.png", "grey.png", *BEFORE)


def test_a_library_in_the_watched_folder_wakes_no_one(photos: Path) -> None:
    with Library.create(photos / "library", COLOURS) as library:
        watched = Watched(library, photos, None)
        watched.thread.start()
        assert watched.has(*BEFORE)
        time.sleep(1.5)  # whom the library's own files had woken would be at work by now
        watched.end()
        assert len(watched.reports) == 1


def test_a_link_to_a_folder_is_watched_too(library: Library, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(photos)
    watched = Watched(library, tmp_path / "link", None)
    watched.thread.start()
    assert watched.has(*BEFORE)
    Image.new("RGB", (9, 9), "grey").save(photos / "grey.png")
    assert watched.has("grey.png", *BEFORE)
    watched.end()


def test_what_the_rules_leave_out_stays_out(library: Library, photos: Path) -> None:
    inside = photos / "@eaDir" / "sub"
    inside.mkdir(parents=True)
    watched = Watched(library, photos, None)
    watched.thread.start()
    assert watched.has(*BEFORE)
    Image.new("RGB", (9, 9)).save(inside / "thumb.png")
    Image.new("RGB", (9, 9), "grey").save(photos / "grey.png")
    assert watched.has("grey.png", *BEFORE)
    watched.end()
    assert library.status().roots == (photos,)


def test_a_folder_that_cannot_be_watched_says_what_to_do(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "inotify watch limit reached")

    monkeypatch.setattr("watchdog.observers.api.BaseObserver.schedule", full)
    watcher = Watcher([photos], lambda _: None, lambda _: None, photos / "library")
    with pytest.raises(SourceError, match="--poll"):
        watcher.run(threading.Event())


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_the_command_ends_when_it_is_told(photos: Path, tmp_path: Path, sent: signal.Signals) -> None:
    environment = os.environ | {"RETRIEVAL_MODEL": "colours", "RETRIEVAL_INDEX": str(tmp_path / "library")}
    # what starts the tests may have told its children to ignore Ctrl-C
    listens = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    ready = f"{listens}; from retrieval.cli import main; main()"
    command = [sys.executable, "-c", ready, "watch", str(photos), "--json"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        assert '"added": 4' in process.stdout.readline()
        process.send_signal(sent)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, "what was done is kept" in err) == (0, True), err


def test_what_is_no_folder_is_refused(run: Run, photos: Path) -> None:
    run("watch", code=2)
    run("watch", photos / "red.jpg", code=5)
    shutil.rmtree(photos)
    run("watch", photos, code=5)
