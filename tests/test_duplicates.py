"""What is nearly the same: the rule, folding, groups, and what is done about them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import piexif
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from retrieval import Library
from retrieval.albums.duplicates import Duplicates
from retrieval.errors import UsageError
from retrieval.explanations import Standing
from retrieval.pictures.thumbnails import fingerprint
from retrieval.search.alike import Likeness, Pair, near, stacks

from .conftest import Paint, Run

ALL = tuple(Likeness)


def scene(seed: int, size: tuple[int, int] = (320, 240)) -> Image.Image:
    """A picture with much in it, another one for each seed."""
    noise = np.random.default_rng(seed).integers(0, 255, (12, 16, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)


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


@given(st.lists(st.integers(0, 2**64 - 1), max_size=30), st.integers(0, 8), st.randoms(use_true_random=False))
@settings(deadline=None)
def test_no_near_pair_is_missed(numbers: list[int], most: int, random: object) -> None:
    bent = [number ^ (1 << place) ^ (1 << (63 - place)) for place, number in enumerate(numbers)]  # two bits away
    bits = numbers + bent
    brute = {(i, j) for j in range(len(bits)) for i in range(j) if (bits[i] ^ bits[j]).bit_count() <= most}
    assert set(near(np.array(bits, np.uint64), most)) == brute


def test_plain_pictures_are_not_taken_for_one(library: Library, paint: Paint) -> None:
    library.index([paint("red.png", size=(300, 200)), paint("darkred.png", size=(300, 200))])
    assert len(library.search("red").hits) == 2


def test_what_stands_under_a_hit_is_like_that_hit_itself() -> None:
    chain = [Pair(1, 2, Likeness.SAME), Pair(2, 3, Likeness.BURST)]
    assert stacks([1, 2, 3], chain) == {1: [(2, Likeness.SAME)], 3: []}
    assert stacks([3, 2, 1], chain) == {3: [(2, Likeness.BURST)], 1: []}


@pytest.fixture
def copies(library: Library, tmp_path: Path) -> Path:
    """A photo, its copy, a smaller one, two of a burst, and another photo."""
    photos = tmp_path / "photos"
    (photos / "sub").mkdir(parents=True)
    scene(1).save(photos / "a.png")
    shutil.copy(photos / "a.png", photos / "sub" / "copy.png")
    scene(1).resize((160, 120)).save(photos / "small.jpg", quality=60)
    for number in range(2):
        at = (datetime(2024, 5, 1, 12) + timedelta(seconds=4 * number)).strftime("%Y:%m:%d %H:%M:%S")
        exif = piexif.dump({"Exif": {piexif.ExifIFD.DateTimeOriginal: at}})
        scene(1).rotate(25 * number + 45).save(photos / f"burst{number}.jpg", exif=exif)
    Image.new("RGB", (300, 200), "red").save(photos / "red.png")
    library.index([photos])
    return photos


def names(found: Duplicates, *kinds: Likeness) -> list[list[tuple[str, str]]]:
    return [
        [(each.path.name, str(each.how or "")) for each in (group.keep, *group.others)] for group in found.groups(kinds)
    ]


def test_groups_say_how_their_pictures_are_alike(library: Library, copies: Path) -> None:
    found = Duplicates(library.holdings)
    assert names(found, Likeness.COPY) == [[("a.png", ""), ("copy.png", "copy")]]
    assert names(found, Likeness.SAME) == [[("a.png", ""), ("small.jpg", "same")]]
    assert [[name for name, _ in group] for group in names(found, Likeness.BURST)] == [["burst0.jpg", "burst1.jpg"]]
    both = found.groups([Likeness.COPY, Likeness.SAME], [copies / "sub"])
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
    (copies / "sub" / "copy.png").write_bytes(b"something else")
    assert "its bytes have changed" in run("duplicates", "--hard-link", "--apply").stdout
    assert (copies / "sub" / "copy.png").read_bytes() == b"something else"


def test_moved_pictures_leave_the_library_and_are_noted(run: Run, copies: Path, tmp_path: Path) -> None:
    (copies / "small.xmp").write_text("<x/>")
    spare = tmp_path / "spare"
    spare.mkdir()
    (spare / "small.jpg").write_text("taken")
    run("duplicates", "--kind", "same", "--move-to", spare)
    assert (copies / "small.jpg").exists()  # a dry run
    run("duplicates", "--kind", "same", "--move-to", spare, "--apply")
    assert sorted(path.name for path in spare.iterdir()) == ["moved.csv", "small (2).jpg", "small.jpg", "small.xmp"]
    assert (spare / "moved.csv").read_text().splitlines()[1] == f"{copies / 'small.jpg'},{spare / 'small (2).jpg'}"
    with Library.open(tmp_path / "library") as library:
        assert copies / "small.jpg" not in [item.path for item in library]


def test_nothing_is_moved_into_an_indexed_folder(library: Library, copies: Path) -> None:
    found = Duplicates(library.holdings)
    with pytest.raises(UsageError, match="is indexed"):
        list(found.move(found.groups(ALL), copies / "sub" / "spare", apply=True))


@pytest.mark.parametrize(
    "flags", [("--apply",), ("--hard-link", "--move-to", "x"), ("--hard-link", "--kind", "same")], ids=str
)
def test_what_makes_no_sense_is_refused(run: Run, library: Library, copies: Path, flags: tuple[str, ...]) -> None:
    run("duplicates", *flags, code=2)


def test_an_older_library_gets_its_fingerprints(library: Library, copies: Path) -> None:
    from sqlalchemy import text

    with library.holdings.writing() as catalog:
        catalog.connection.execute(text("DELETE FROM fingerprints"))
    assert names(Duplicates(library.holdings), Likeness.SAME) == [[("a.png", ""), ("small.jpg", "same")]]


def test_a_folder_without_duplicates_says_so(run: Run, paint: Paint) -> None:
    run("index", paint("red.png").parent)
    assert "no duplicates" in run("duplicates", code=1).stderr
