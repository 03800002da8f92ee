"""Files that are not there: they leave the answers, and come back with all that was known of them."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from retrieval import Library
from retrieval.errors import SourceError, UsageError
from retrieval.library import backends
from retrieval.types.records import Kind

from ..conftest import COLOURS, Paint


def shown(library: Library, query: str = "type:photo") -> list[str]:
    return sorted(hit.path.name for hit in library.search(query, k=50).hits if hit.path)


@pytest.fixture
def drive(tmp_path: Path, photos: Path) -> Path:
    """A folder outside of the photos, to which a link in them leads."""
    away = tmp_path / "usb"
    away.mkdir()
    (photos / "red.jpg").rename(away / "red.jpg")
    (photos / "usb").symlink_to(away)
    return away


def test_a_drive_behind_a_link_comes_back_with_its_captions_and_is_not_encoded_again(
    library: Library, photos: Path, drive: Path
) -> None:
    library.index([photos, photos / "usb"])
    library.captions.set(photos / "usb" / "red.jpg", "aunt with a zebra")
    drive.rename(drive.with_name("away"))
    report = library.index([photos])
    assert (report.absent, report.removed, report.unchanged) == (1, 0, 3)
    assert shown(library) == ["blue.webp", "lime.png", "yellow.bmp"]
    assert library.search("caption:zebra").hits == ()
    assert library.search("zebra", kind=Kind.TEXT).searched == 0, "its caption is in no answer, either"
    drive.with_name("away").rename(drive)
    report = library.index([photos])
    assert (report.returned, report.encoded, report.changed) == (1, 0, 0)
    assert shown(library, "caption:zebra") == ["red.jpg"]
    assert [hit.text for hit in library.search("zebra", kind=Kind.TEXT, threshold="none").hits] == ["aunt with a zebra"]


def test_what_is_absent_is_in_no_answer_of_any_kind(library: Library, photos: Path) -> None:
    library.index([photos])
    red = next(hit for hit in library.search("red").hits if hit.path and hit.path.name == "red.jpg")
    (photos / "red.jpg").unlink()
    library.index([photos])
    assert "red.jpg" not in shown(library, "red")
    assert library.search("red", threshold="none").searched == 3
    assert red.item not in [item.id for item in library]
    assert red.item not in [item.id for item in library.items.newest(50)]
    assert len(library) == library.status().items == 3
    assert library.status().absent == 1
    assert sum(count for _, count in library.facets("type:photo")["folder"]) == 3
    assert library.within(photos).search("red", threshold="none").searched == 3


def test_an_emptied_mount_point_and_a_root_that_is_gone_keep_everything(library: Library, photos: Path) -> None:
    library.index([photos])
    photos.rename(photos.with_name("away"))
    photos.mkdir()
    assert library.index([photos]).absent == 4
    photos.rmdir()
    report = library.index([photos])
    assert [problem.reason for problem in report.problems] == ["vanished"]
    photos.with_name("away").rename(photos)
    assert library.index([photos]).returned == 4
    assert len(shown(library)) == 4


def test_a_folder_that_was_renamed_is_recognised_by_its_pictures(library: Library, photos: Path) -> None:
    library.index([photos])
    place = photos.rename(photos.with_name("renamed"))
    report = library.index([place])
    assert (report.moved, report.added, report.encoded) == (4, 0, 0)
    assert library.status().roots == (place,)
    assert all(hit.path and hit.path.is_file() and not hit.copies for hit in library.search("type:photo").hits)


def test_a_copy_that_is_there_stands_for_one_that_is_not(library: Library, photos: Path, tmp_path: Path) -> None:
    other = tmp_path / "backup"
    library.index([photos])
    shutil.copytree(photos, other)
    library.index([other])
    shutil.rmtree(photos)
    library.index([other])
    assert all(hit.path and hit.path.parent == other for hit in library.search("type:photo").hits)


def test_forgetting_is_asked_for_and_spares_what_people_wrote(library: Library, photos: Path) -> None:
    library.index([photos])
    library.captions.set(photos / "red.jpg", "aunt with a zebra")
    library.saved.teach("sea", yes=[photos / "blue.webp"], no=[photos / "lime.png"])
    for path in list(photos.iterdir()):
        path.rename(photos.with_name(path.name))
    library.index([photos])
    report = library.index([photos], forget_missing=True)
    assert report.removed == 4 - 3
    assert "3 files" in report.notes[0]
    photos.with_name("red.jpg").rename(photos / "red.jpg")
    assert library.index([photos]).returned == 1
    assert shown(library, "caption:zebra") == ["red.jpg"]
    assert library.remove([photos / "blue.webp"]) == 1


def test_files_are_forgotten_after_the_time_of_the_settings(library: Library, photos: Path) -> None:
    library.index([photos])
    (photos / "red.jpg").unlink()
    library.index([photos])
    for days, forgotten in ((30.0, 0), (1e-6, 1)):
        time.sleep(1.1)  # the catalog keeps times to the second
        with Library.open(library.path, replace(COLOURS, forget_after=days)) as other:
            assert other.index([photos]).removed == forgotten


def test_a_picture_that_is_edited_in_place_keeps_its_captions_and_lessons(library: Library, photos: Path) -> None:
    """Rated, turned or saved again: its bytes are others, and it is the same picture."""
    path = photos / "dog.png"
    picture = Image.linear_gradient("L").convert("RGB").rotate(20)
    picture.save(path)
    library.index([photos])
    library.captions.set(path, "a zebra")
    library.saved.teach("stripes", yes=[path], no=[photos / "red.jpg"])
    for edited in (picture.resize((200, 200)), picture.rotate(90), picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)):
        edited.save(path)
        assert library.index([photos]).changed == 1
        assert shown(library, "caption:zebra") == ["dog.png"]
    assert library.saved.taught()["stripes"] == (1, 1)


def test_another_picture_of_the_same_name_takes_no_captions_and_the_first_gets_them_back(
    library: Library, photos: Path, tmp_path: Path
) -> None:
    """Two cards of cameras at one mount point, with the same file names."""
    Image.linear_gradient("L").convert("RGB").save(photos / "IMG_1.png")
    library.index([photos])
    library.captions.set(photos / "IMG_1.png", "a zebra")
    (photos / "IMG_1.png").rename(tmp_path / "first.png")
    Image.radial_gradient("L").convert("RGB").save(photos / "IMG_1.png")
    library.index([photos])
    assert shown(library, "caption:zebra") == []
    (tmp_path / "first.png").rename(photos / "IMG_1.png")
    assert library.index([photos]).encoded == 0
    assert shown(library, "caption:zebra") == ["IMG_1.png"]
    library.remove([photos / "IMG_1.png"])
    library.index([photos])
    assert shown(library, "caption:zebra") == [], "remove forgets what was written, too"


def test_files_that_are_renumbered_while_others_take_their_names_are_all_there(library: Library, paint: Paint) -> None:
    """Larger than a batch: contents whose path was taken must not go before they are found at their new one."""
    photos = paint("0.png", "rgb(0,0,9)").parent
    for number in range(1, 90):
        paint(f"{number}.png", f"rgb({number * 2},0,9)")
    library.index([photos])
    library.captions.set(photos / "5.png", "a zebra")
    for number in range(89, -1, -1):
        (photos / f"{number}.png").rename(photos / f"{number + 40}.png")
    for number in range(40):
        paint(f"{number}.png", f"rgb(0,{number * 2 + 1},200)")
    library.index([photos])
    assert library.status().items == 130
    assert shown(library, "caption:zebra") == ["45.png"]


def test_what_could_not_be_looked_at_is_not_forgotten(
    library: Library, paint: Paint, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = paint("locked/red.jpg").parent.parent
    paint("blue.jpg")
    library.index([photos])
    real = os.scandir

    def refuse(folder: str | Path) -> object:  # root may read everything
        if str(folder).endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return real(folder)

    with monkeypatch.context() as patched:
        patched.setattr(os, "scandir", refuse)
        assert library.index([photos], forget_missing=True).removed == 0
    assert library.index([photos]).returned == 1


def test_a_single_file_that_is_gone_costs_no_other(library: Library, photos: Path) -> None:
    library.index([photos / "red.jpg"])
    (photos / "red.jpg").unlink()
    report = library.index([photos / "red.jpg", photos])
    assert (report.added, report.absent) == (3, 1)


def test_a_folder_is_relocated_by_hand(library: Library, photos: Path, paint: Paint) -> None:
    library.index([photos])
    library.captions.set(photos / "red.jpg", "aunt with a zebra")
    place = photos.rename(photos.with_name("elsewhere"))
    assert library.relocate(photos, place) == 4
    assert library.status().roots == (place,)
    assert shown(library, "caption:zebra") == ["red.jpg"]
    report = library.index([place])
    assert (report.unchanged, report.added, report.absent) == (4, 0, 0)


@pytest.mark.parametrize(("old", "new"), [("photos", "nowhere"), ("nothing", "photos"), ("photos", "photos/sub")])
def test_what_cannot_be_relocated_is_an_error(
    library: Library, photos: Path, tmp_path: Path, old: str, new: str
) -> None:
    library.index([photos])
    (photos / "sub").mkdir()
    with pytest.raises(UsageError if new == "photos/sub" else SourceError):
        library.relocate(tmp_path / old, tmp_path / new)
    assert len(shown(library)) == 4


def test_why_not_says_that_a_file_is_not_there(library: Library, photos: Path) -> None:
    library.index([photos])
    (photos / "red.jpg").unlink()
    library.index([photos])
    assert "what is known of it is kept" in library.why_not("red", photos / "red.jpg").said


def test_a_check_finds_nothing_wrong_with_a_library_with_absent_files(library: Library, photos: Path) -> None:
    library.index([photos])
    (photos / "red.jpg").unlink()
    library.index([photos])
    assert backends.check(library.path, library.settings) == []
