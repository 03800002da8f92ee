"""What is nearly the same: the rule, folding, groups, and what is done about them."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import piexif
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter
from PIL.PngImagePlugin import PngInfo

from retrieval import Library
from retrieval.errors import LibraryLocked, UsageError
from retrieval.pictures.thumbnails import fingerprint
from retrieval.search import near_duplicates
from retrieval.search.near_duplicates import FingerprintIndex, Similarity, group_near_duplicates
from retrieval.transfer.duplicates import DuplicateFinder
from retrieval.types.explanations import Standing

from ..conftest import Paint, Run

ALL = tuple(Similarity)


def scene(seed: int, size: tuple[int, int] = (320, 240)) -> Image.Image:
    """A picture with much in it, another one for each seed."""
    noise = np.random.default_rng(seed).integers(0, 255, (12, 16, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)


@pytest.mark.parametrize(
    ("best", "other"),
    [
        ("dog.png", "copy of dog.png"),
        ("dog.png", "dog (1).png"),
        ("zebra.png", "a - Kopie.png"),
        ("dog.png", "dog~2.png"),
        ("z_older.png", "a_newer.png"),
        ("photocopy.png", "z_newer.png"),
    ],
)
def test_the_original_is_kept_and_the_copy_is_the_other(library: Library, paint: Paint, best: str, other: str) -> None:
    original = paint(best, "grey")
    copied = original.with_name(other)
    shutil.copy(original, copied)
    old, new = (1_600_000_000, 1_700_000_000)
    os.utime(original, (old, old) if "newer" in other else (new, new))
    os.utime(copied, (new, new) if "newer" in other else (old, old))
    library.index([original.parent])
    groups = library.duplicates.groups([Similarity.COPY])
    assert [(group.keep.path, [each.path for each in group.others]) for group in groups] == [(original, [copied])]


@pytest.mark.parametrize(
    "change",
    [
        lambda image: image.resize((80, 60)),
        lambda image: image.convert("L"),
        lambda image: image.filter(ImageFilter.GaussianBlur(1)),
        lambda image: image.crop((2, 2, 318, 238)),
    ],
    ids=["resized", "grey", "blurred", "cropped"],
)
def test_a_fingerprint_stays_when_a_picture_is_changed_a_little(change: Callable[[Image.Image], Image.Image]) -> None:
    image = scene(1)
    assert (fingerprint(change(image)) ^ fingerprint(image)).bit_count() <= 8
    assert (fingerprint(change(image)) ^ fingerprint(scene(2))).bit_count() > 16


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=30))
@settings(deadline=None)
def test_no_near_fingerprint_is_missed(numbers: list[int]) -> None:
    bits = [*numbers, *(number ^ 0x8001_0010_0100_0081 for number in numbers), *(number ^ 0xFF for number in numbers)]
    prints = FingerprintIndex.of(np.array(bits, np.uint64))
    for place, mine in enumerate(bits):
        apart = {other: (mine ^ each).bit_count() for other, each in enumerate(bits) if other != place}
        assert prints.near(place) == {other: count for other, count in apart.items() if count <= 8}


def test_plain_pictures_are_not_taken_for_one(library: Library, paint: Paint) -> None:
    library.index([paint("red.png", size=(300, 200)), paint("darkred.png", size=(300, 200))])
    assert len(library.search("red").hits) == 2


def shot(path: Path, image: Image.Image, at: datetime, camera: str = "X100") -> None:
    exif = {
        "0th": {piexif.ImageIFD.Model: camera},
        "Exif": {piexif.ExifIFD.DateTimeOriginal: f"{at:%Y:%m:%d %H:%M:%S}"},
    }
    image.save(path, exif=piexif.dump(exif))


NOON = datetime(2024, 5, 1, 12)


def test_what_stands_under_another_is_like_it_itself(library: Library, tmp_path: Path) -> None:
    """A burst of 24 seconds is not one stack: its ends are further apart than ten."""
    for number in range(4):
        red = Image.new("RGB", (64, 48), (200 + number, 20, 20))
        shot(tmp_path / f"{number}.jpg", red, NOON + timedelta(seconds=8 * number))
    library.index([tmp_path])
    order = [item.content for item in library]
    found = group_near_duplicates(library.storage, order, frozenset({Similarity.BURST}))
    assert found == {order[0]: [(order[1], Similarity.BURST)], order[2]: [(order[3], Similarity.BURST)]}


def test_pictures_of_no_known_camera_are_no_burst(library: Library, tmp_path: Path) -> None:
    for number in range(2):
        shot(tmp_path / f"{number}.jpg", scene(1).rotate(30 * number), NOON, camera="")
    library.index([tmp_path])
    assert len(library.search("type:photo").hits) == 2


@pytest.mark.slow
def test_a_thousand_that_are_the_same_are_one_stack_and_compared_once(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(1000):
        scene(1, (64, 48)).save(tmp_path / f"{number:04}.png", pnginfo=_note(number))
    library.index([tmp_path])
    order = [item.content for item in library]
    compared: list[int] = []
    confirmed = near_duplicates._confirmed

    def counted(rows: Any, content: int, others: Any) -> Any:
        compared.append(len(others))
        return confirmed(rows, content, others)

    monkeypatch.setattr(near_duplicates, "_confirmed", counted)
    found = group_near_duplicates(library.storage, order, frozenset({Similarity.SAME}))
    assert [len(under) for under in found.values()] == [999]
    assert compared == [999], "of each with each it would be a million"


def _note(number: int) -> PngInfo:
    """What makes the bytes of equal pictures differ."""
    note = PngInfo()
    note.add_text("number", str(number))
    return note


@pytest.fixture
def copies(library: Library, tmp_path: Path) -> Path:
    """A photo, its copy, a smaller one, two of a burst, and another photo."""
    photos = tmp_path / "photos"
    (photos / "sub").mkdir(parents=True)
    scene(1).save(photos / "a.png")
    shutil.copy(photos / "a.png", photos / "sub" / "copy.png")
    scene(1).resize((160, 120)).save(photos / "small.jpg", quality=60)
    for number in range(2):
        shot(photos / f"burst{number}.jpg", scene(1).rotate(25 * number + 45), NOON + timedelta(seconds=4 * number))
    Image.new("RGB", (300, 200), "red").save(photos / "red.png")
    library.index([photos])
    return photos


def names(found: DuplicateFinder, *kinds: Similarity) -> list[list[tuple[str, str]]]:
    return [
        [(each.path.name, str(each.how or "")) for each in (group.keep, *group.others)] for group in found.groups(kinds)
    ]


def test_groups_say_how_their_pictures_are_alike(library: Library, copies: Path) -> None:
    found = DuplicateFinder(library.storage)
    assert names(found, Similarity.COPY) == [[("a.png", ""), ("copy.png", "copy")]]
    assert names(found, Similarity.SAME) == [[("a.png", ""), ("small.jpg", "same")]]
    assert [[name for name, _ in group] for group in names(found, Similarity.BURST)] == [["burst0.jpg", "burst1.jpg"]]
    both = found.groups([Similarity.COPY, Similarity.SAME], [copies / "sub"])
    assert both == []  # the copy alone is in that folder


def test_hits_that_are_nearly_the_same_stand_under_the_best(library: Library, copies: Path) -> None:
    hits = library.search("type:photo", k=9).hits
    assert len(hits) == 3
    beneath = {hit.path.name: [path.name for path in hit.beneath] for hit in hits if hit.path}
    assert beneath["burst1.jpg"] == ["burst0.jpg"]
    assert len(library.search("type:photo", k=9, fold=False).hits) == 5  # a copy of the same bytes is one hit anyway
    assert len(library.search("type:photo", k=2).hits) == 2  # folding leaves no gap


def test_why_not_says_under_which_hit_a_picture_stands(library: Library, copies: Path) -> None:
    hit = next(hit for hit in library.search("red", threshold="none").hits if hit.beneath)
    found = library.why_not("red", hit.beneath[0], threshold="none")
    assert found.standing is Standing.FOLDED
    assert "--no-fold" in found.changes[0].what


def test_copies_become_links_and_nothing_else_changes(run: Run, library: Library, copies: Path) -> None:
    told = json.loads(run("duplicates", "--hard-link", "--json").stdout)
    assert [Path(deed["path"]).name for deed in told["deeds"]] == ["copy.png"]
    copy, kept = copies / "sub" / "copy.png", copies / "a.png"
    assert not copy.samefile(kept)  # a dry run
    before = copy.read_bytes()
    run("duplicates", "--hard-link", "--apply")
    assert copy.samefile(kept)
    assert copy.read_bytes() == before
    run("duplicates", "--kind", "copy", code=1)  # none is left


def test_a_file_that_has_changed_is_not_linked(run: Run, library: Library, copies: Path) -> None:
    found = DuplicateFinder(library.storage)
    groups = found.groups([Similarity.COPY])
    (copies / "sub" / "copy.png").write_bytes(b"something else")
    assert [deed.reason for deed in found.link(groups, apply=True)] == [
        "its bytes have changed since; run `retrieval index`"
    ]
    assert (copies / "sub" / "copy.png").read_bytes() == b"something else"
    run("duplicates", "--hard-link", "--apply", code=1)  # it takes no part any more


def test_moved_pictures_leave_the_library_and_are_noted(run: Run, copies: Path, tmp_path: Path) -> None:
    for ending in ("xmp", "cr2"):
        (copies / f"small.{ending}").write_text("beside it")
    spare = tmp_path / "spare"
    spare.mkdir()
    (spare / "small.jpg").write_text("taken")
    run("duplicates", "--kind", "same", "--move-to", spare)
    assert (copies / "small.jpg").exists()  # a dry run
    run("duplicates", "--kind", "same", "--move-to", spare, "--apply")
    assert sorted(path.name for path in spare.iterdir()) == [
        *("moved.csv", "small (2).jpg", "small.cr2", "small.jpg", "small.xmp")
    ]
    assert (spare / "moved.csv").read_text().splitlines()[1] == f"{copies / 'small.jpg'},{spare / 'small (2).jpg'}"
    with Library.open(tmp_path / "library") as library:
        assert copies / "small.jpg" not in [item.path for item in library]


def test_what_cannot_be_moved_is_neither_doubled_nor_noted(
    library: Library, copies: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(path: Path, to: Path) -> None:
        shutil.copy(path, to)
        raise PermissionError(13, "Permission denied")

    found = DuplicateFinder(library.storage)
    groups = found.groups([Similarity.SAME])
    monkeypatch.setattr("retrieval.transfer.duplicates.shutil.move", half)
    assert [deed.done for deed in found.move(groups, tmp_path / "spare", apply=True)] == [False]
    assert list((tmp_path / "spare").iterdir()) == []
    assert (copies / "small.jpg").exists()


def test_nothing_is_moved_into_an_indexed_folder(library: Library, copies: Path) -> None:
    found = DuplicateFinder(library.storage)
    with pytest.raises(UsageError, match="is indexed"):
        list(found.move(found.groups(ALL), copies / "sub" / "spare", apply=True))


@pytest.mark.parametrize(
    "flags", [("--apply",), ("--hard-link", "--move-to", "x"), ("--hard-link", "--kind", "same")], ids=str
)
def test_what_makes_no_sense_is_refused(run: Run, library: Library, copies: Path, flags: tuple[str, ...]) -> None:
    run("duplicates", *flags, code=2)


def test_an_older_library_gets_its_fingerprints(library: Library, copies: Path) -> None:
    with sqlite3.connect(library.path / "catalog.sqlite") as connection:
        connection.execute("DELETE FROM fingerprints")
    assert names(DuplicateFinder(library.storage), Similarity.SAME) == [[("a.png", ""), ("small.jpg", "same")]]


def test_a_folder_without_duplicates_says_so(run: Run, paint: Paint) -> None:
    run("index", paint("red.png").parent)
    assert "no duplicates" in run("duplicates", code=1).stderr


def test_what_stands_beneath_passes_the_filter_too(library: Library, copies: Path) -> None:
    hit = library.search("path:sub/*").hits[0]
    assert (hit.path, hit.beneath) == (copies / "sub" / "copy.png", ())
    same = {copies / "a.png", copies / "sub" / "copy.png", copies / "small.jpg"}
    stacked = [{hit.path, *hit.copies, *hit.beneath} for hit in library.search("type:photo").hits]
    assert same in stacked


def test_a_link_is_no_copy_and_what_is_gone_is_not_kept(library: Library, copies: Path, tmp_path: Path) -> None:
    (copies / "link.png").symlink_to(copies / "a.png")
    library.index([copies])
    (copies / "a.png").unlink()
    found = DuplicateFinder(library.storage)
    assert names(found, Similarity.SAME, Similarity.COPY) == [[("copy.png", ""), ("small.jpg", "same")]]


def test_the_kept_one_must_still_be_there_when_the_others_move(library: Library, copies: Path, tmp_path: Path) -> None:
    found = DuplicateFinder(library.storage)
    groups = found.groups([Similarity.SAME])
    groups[0].keep.path.unlink()
    deeds = list(found.move(groups, tmp_path / "spare", apply=True))
    assert [deed.done for deed in deeds] == [False]
    assert (copies / "small.jpg").exists()


def test_nothing_moves_while_another_writes(library: Library, copies: Path, tmp_path: Path) -> None:
    found = DuplicateFinder(library.storage)
    groups = found.groups([Similarity.SAME])
    with Library.open(library.path) as other, other.storage.write_lock("a test"), pytest.raises(LibraryLocked):
        list(found.move(groups, tmp_path / "spare", apply=True))
    assert (copies / "small.jpg").exists()
    with Library.open(library.path) as other, other.storage.write_lock("a test"):
        assert found.groups([Similarity.SAME]) == groups  # looking needs no lock
