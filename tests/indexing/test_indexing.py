"""The write path: what is read, what is not, what is counted, and what survives a kill."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from retrieval import Library, Report, Settings
from retrieval.encoders.colours import ColourEncoder
from retrieval.errors import SourceError
from retrieval.indexing import Indexer, Options
from retrieval.sources.rules import Rules
from retrieval.types.records import Pixels, Progress, Vectors

from ..conftest import COLOURS, Paint


def counts(report: Report) -> dict[str, int]:
    names = (
        "added",
        "changed",
        "moved",
        "duplicates",
        "removed",
        "absent",
        "returned",
        "reread",
        "unchanged",
        "encoded",
    )
    return {name: getattr(report, name) for name in names if getattr(report, name)}


def names(library: Library) -> list[str]:
    return [item.path.name for item in library]


def test_a_second_run_encodes_nothing(library: Library, photos: Path) -> None:
    assert counts(library.index([photos])) == {"added": 4, "encoded": 4}
    assert counts(library.index([photos])) == {"unchanged": 4}


def test_a_new_file_alone_is_encoded(library: Library, photos: Path, paint: Paint) -> None:
    library.index([photos])
    paint("cyan.png")
    assert counts(library.index([photos])) == {"added": 1, "unchanged": 4, "encoded": 1}


def test_a_changed_file_is_encoded_anew(library: Library, photos: Path, paint: Paint) -> None:
    library.index([photos])
    paint("red.jpg", "black", (65, 48))
    assert counts(library.index([photos])) == {"changed": 1, "unchanged": 3, "encoded": 1}
    assert library.search("black", k=1).hits[0].path == photos / "red.jpg"


def test_a_moved_file_costs_no_encoding(library: Library, photos: Path) -> None:
    library.index([photos])
    (photos / "old").mkdir()
    (photos / "red.jpg").rename(photos / "old" / "scarlet.jpg")
    assert counts(library.index([photos])) == {"moved": 1, "unchanged": 3}
    assert library.search("red", k=1).hits[0].path == photos / "old" / "scarlet.jpg"


def test_a_copy_costs_no_encoding_and_is_one_hit_with_two_paths(library: Library, photos: Path) -> None:
    library.index([photos])
    shutil.copy(photos / "red.jpg", photos / "z.jpg")
    assert counts(library.index([photos])) == {"added": 1, "duplicates": 1, "unchanged": 4}
    hit = library.search("red", k=5).hits[0]
    assert (hit.path, hit.copies) == (photos / "red.jpg", (photos / "z.jpg",))


def test_copies_that_come_together_are_encoded_once(library: Library, photos: Path) -> None:
    for name in "abc":
        shutil.copy(photos / "red.jpg", photos / f"{name}.jpg")
    assert counts(library.index([photos])) == {"added": 7, "duplicates": 3, "encoded": 4}


def test_a_deleted_file_leaves_the_answers(library: Library, photos: Path) -> None:
    library.index([photos])
    (photos / "red.jpg").unlink()
    assert counts(library.index([photos])) == {"absent": 1, "unchanged": 3}
    assert "red.jpg" not in names(library)
    assert library.status().pictures == 3


def test_a_folder_that_is_suddenly_empty_is_reported(library: Library, photos: Path) -> None:
    """Most often a drive that is not mounted."""
    library.index([photos])
    for path in photos.iterdir():
        path.unlink()
    report = library.index([photos])
    assert counts(report) == {"absent": 4}
    assert "retrieval remove" in report.problems[0].message


def test_other_folders_stay_when_one_is_indexed(library: Library, paint: Paint) -> None:
    first, second = paint("a/red.jpg").parent, paint("b/blue.jpg").parent
    library.index([first])
    library.index([second])
    assert names(library) == ["red.jpg", "blue.jpg"]


def test_bad_files_are_rows_in_the_report_and_the_others_come(library: Library, photos: Path) -> None:
    (photos / "empty.jpg").touch()
    (photos / "text.png").write_text("no picture")
    (photos / "cut.jpg").write_bytes((photos / "red.jpg").read_bytes()[:200])
    report = library.index([photos])
    assert report.added == 4
    assert {problem.path.name: problem.reason for problem in report.problems} == {
        "empty.jpg": "empty",
        "text.png": "not-a-picture",
        "cut.jpg": "truncated",
    }
    assert len(library.problems()) == 3


def test_a_bad_file_is_tried_again_when_it_changes_or_when_told(library: Library, photos: Path, paint: Paint) -> None:
    (photos / "bad.jpg").write_text("no picture")
    library.index([photos])
    again = library.index([photos])
    assert (again.failed_before, again.problems) == (1, ())
    assert len(library.index([photos], retry=True).problems) == 1
    paint("bad.jpg", "cyan")
    mended = library.index([photos])
    assert (mended.changed, library.problems()) == (1, [])


def test_a_file_that_vanishes_during_the_run_is_reported(photos: Path, library: Library) -> None:
    class Hungry(ColourEncoder):
        def prepare(self, image: object) -> Pixels:
            (photos / "yellow.bmp").unlink(missing_ok=True)
            return super().prepare(image)  # type: ignore[arg-type]  # PIL's image

    report = Indexer(library.storage, Hungry(), Options(threads=1)).run([photos])
    assert {problem.path.name: problem.reason for problem in report.problems} == {"yellow.bmp": "vanished"}


def test_a_dry_run_says_what_would_happen_and_does_nothing(library: Library, photos: Path, paint: Paint) -> None:
    library.index([photos])
    paint("cyan.png")
    (photos / "red.jpg").unlink()
    plan = library.plan([photos])
    assert ([f.path.name for f in plan.added], [p.name for p in plan.gone], plan.unchanged) == (
        ["cyan.png"],
        ["red.jpg"],
        3,
    )
    assert library.status().items == 4


def test_rules_reach_the_folders(library: Library, photos: Path) -> None:
    library.index([photos], rules=Rules(include=("*.jpg",)))
    assert names(library) == ["red.jpg"]


def test_a_missing_folder_is_an_error(library: Library, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="nowhere"):
        library.index([tmp_path / "nowhere"])


def test_captions_are_linked_embedded_and_found(library: Library, photos: Path, tmp_path: Path) -> None:
    table = tmp_path / "captions.csv"
    table.write_text("image,caption\nred.jpg,a red barn\nred.jpg,red paint\nblue.webp,blue sky\ngone.jpg,nothing\n")
    report = library.index([photos], [(table, photos)])
    assert (report.captions, report.texts) == (3, 3)
    assert [problem.reason for problem in report.problems] == ["missing-picture"]
    assert [hit.text for hit in library.captions.find(photos / "blue.webp", k=1).hits] == ["blue sky"]
    again = library.index([photos], [(table, photos)])
    assert (again.captions, again.texts, library.status().captions) == (3, 0, 3)


def test_words_beside_and_inside_a_picture_become_texts(library: Library, paint: Paint) -> None:
    import piexif

    exif = piexif.dump({"0th": {piexif.ImageIFD.ImageDescription: b"a red description"}})
    path = paint("red.jpg", exif=exif)
    path.with_suffix(".txt").write_text("a red note")
    library.index([path.parent])
    assert {hit.text for hit in library.captions.find(path).hits} == {"a red description", "a red note"}
    path.with_suffix(".txt").write_text("a blue note, longer")
    assert library.index([path.parent]).encoded == 0
    assert {hit.text for hit in library.captions.find(path).hits} == {"a red description", "a blue note, longer"}


def test_the_words_of_a_moved_file_move_with_it(library: Library, paint: Paint) -> None:
    path = paint("red.jpg")
    path.with_suffix(".txt").write_text("a red note")
    library.index([path.parent])
    for end in (".jpg", ".txt"):
        path.with_suffix(end).rename(path.with_name(f"moved{end}"))
    assert counts(library.index([path.parent])) == {"moved": 1}
    assert library.status().captions == 1


def test_a_caption_file_can_be_forgotten(library: Library, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("image,caption\nred.jpg,a red barn\n")
    library.index([photos], [(tmp_path / "c.csv", photos)])
    library.remove([tmp_path / "c.csv"])
    assert (library.status().captions, library.status().texts, library.status().items) == (0, 0, 4)


def test_a_folder_that_can_be_listed_again_is_no_problem_any_more(
    library: Library, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.scandir

    def refuse(folder: Path) -> object:
        if Path(folder).name == "locked":
            raise PermissionError(13, "Permission denied")
        return real(folder)

    (photos / "locked").mkdir()
    shutil.copy(photos / "red.jpg", photos / "locked" / "x.jpg")
    library.index([photos])
    monkeypatch.setattr(os, "scandir", refuse)
    assert library.index([photos]).removed == 0, "what lies in a locked folder is not gone"
    assert [problem.reason for problem in library.problems()] == ["unreadable"]
    monkeypatch.undo()
    library.index([photos])
    assert library.problems() == []


def test_another_model_serves_only_when_it_is_whole(
    library: Library, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.index([photos])
    other = ColourEncoder()
    other.space = type(other.space)("colours", 3, "2")
    indexer = Indexer(library.storage, other, Options())
    monkeypatch.setattr(other, "images", _stop)
    assert indexer.run([photos]).interrupted
    assert library.storage.active_space()[1] == ColourEncoder.space
    assert library.search("red", k=1).hits[0].path == photos / "red.jpg"
    monkeypatch.undo()
    assert indexer.run([]).encoded == 4
    assert library.storage.active_space()[1] == other.space


def _stop(batch: Sequence[Pixels]) -> Vectors:
    raise KeyboardInterrupt


def test_ctrl_c_keeps_what_was_done_and_the_next_run_goes_on(library: Library, paint: Paint) -> None:
    paths = [paint(f"{number}.png", f"rgb({number},0,0)") for number in range(20)]
    folder = paths[0].parent
    done: list[int] = []

    def stop(step: Progress) -> None:
        if step.task == "pictures" and step.done:
            done.append(step.done)
            raise KeyboardInterrupt

    report = Indexer(library.storage, ColourEncoder(), Options(batch_size=5), stop).run([folder])
    assert (report.interrupted, report.added, done) == (True, 5, [5])
    assert counts(library.index([folder])) == {"added": 15, "unchanged": 5, "encoded": 15}


SLOW = """
import signal, sys, time
from pathlib import Path
from retrieval import Library, Settings
from retrieval.encoders.colours import ColourEncoder
from retrieval.indexing import Indexer, Options

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it

class Slow(ColourEncoder):
    quick = int(sys.argv[3])  # so many batches; with those that follow, the run would last for long

    def images(self, batch):
        self.quick -= 1
        time.sleep(0.02 if self.quick >= 0 else 0.5)
        return super().images(batch)

def tell(step):
    if step.task == "pictures" and step.done:
        print(step.done, flush=True)

with Library.create(sys.argv[1], Settings(model="colours")) as library:
    Indexer(library.storage, Slow(), Options(batch_size=2), tell).run([Path(sys.argv[2])])
"""


@pytest.mark.slow
@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGINT], ids=["SIGKILL", "SIGINT"])
def test_a_killed_run_loses_nothing_that_was_committed(tmp_path: Path, paint: Paint, kill: signal.Signals) -> None:
    """Killed after one batch, after two and after three, the library opens each time and the runs add up."""
    paths = [paint(f"{number}.png", f"rgb({number},9,0)") for number in range(60)]
    folder = paths[0].parent
    place, before = tmp_path / "killed", 0
    for batches in (1, 2, 3):
        command = [sys.executable, "-c", SLOW, str(place), str(folder), str(batches)]
        run = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert run.stdout is not None
        assert [run.stdout.readline() for _ in range(batches)] == [f"{2 * (n + 1)}\n" for n in range(batches)]
        run.send_signal(kill)
        run.communicate(timeout=60)
        with Library.open(place, COLOURS) as library:
            now = library.status().items
        assert before + 2 * batches <= now < 60
        before = now
    with Library.open(place, COLOURS) as library:
        report = library.index([folder])
        assert report.added == 60 - before
        assert len(library.search("red", k=100).hits) == 60


def test_memory_is_bounded_by_the_window(library: Library, paint: Paint) -> None:
    """However many files wait, only a window of them is decoded ahead of the model."""
    paths = [paint(f"{number}.png", f"rgb({number},0,9)") for number in range(40)]
    folder = paths[0].parent
    decoded, encoded, ahead = [0], [0], [0]

    class Watched(ColourEncoder):
        def prepare(self, image: object) -> Pixels:
            decoded[0] += 1
            ahead[0] = max(ahead[0], decoded[0] - encoded[0])
            return super().prepare(image)  # type: ignore[arg-type]  # PIL's image

        def images(self, batch: Sequence[Pixels]) -> Vectors:
            time.sleep(0.01)
            encoded[0] += len(batch)
            return super().images(batch)

    Indexer(library.storage, Watched(), Options(batch_size=4, threads=2)).run([folder])
    assert encoded[0] == 40
    assert ahead[0] <= 2 * 4 + 2 + 2 * 4, "the window, a batch that is encoded, and one that is stored"


def test_names_that_are_not_utf8_are_indexed(library: Library, photos: Path) -> None:
    strange = photos / os.fsdecode(b"caf\xe9.jpg")
    (photos / "red.jpg").rename(strange)
    library.index([photos])
    assert library.search("red", k=1).hits[0].path == strange


@pytest.mark.parametrize("make", [lambda folder: folder, lambda folder: folder / "red.jpg"], ids=["folder", "file"])
def test_remove_forgets_and_leaves_the_files(library: Library, photos: Path, make: Callable[[Path], Path]) -> None:
    library.index([photos])
    removed = library.remove([make(photos)])
    assert removed == (4 if make(photos) == photos else 1)
    assert library.status().items == 4 - removed
    assert (photos / "red.jpg").exists()


def test_settings_reach_the_run(tmp_path: Path, photos: Path) -> None:
    settings = Settings(model="colours", max_megapixels=0.001)
    with Library.create(tmp_path / "small", settings) as library:
        assert {problem.reason for problem in library.index([photos]).problems} == {"too-large"}


def test_a_folder_given_by_way_of_its_parent_is_the_same_folder(
    library: Library, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    (tmp_path / "captions.csv").write_text("image,caption\nred.jpg,warm\n../photos/lime.png,fresh\n")
    report = library.index(["../photos"], [("../captions.csv", "../photos")])
    assert (report.added, report.captions, report.problems) == (4, 2, ())
    (photos / "red.jpg").unlink()
    assert library.index([photos]).absent == 1
    assert library.index(["../photos"]).unchanged == 3
    assert library.status().roots == (photos,)
    assert library.remove(["../photos/lime.png"]) == 1
