"""Odd files: optional parts never cost the whole, two ways to read a file agree, and nothing hangs a run."""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import piexif
import pytest
from PIL import Image

from retrieval import Library
from retrieval.pictures import open_picture
from retrieval.sources.rules import Rules
from retrieval.types.records import Facts

from .. import dng
from ..conftest import COLOURS, Paint
from ..pictures.test_metadata import packet
from ..pictures.test_video import film

DATED = piexif.dump(
    {
        "0th": {piexif.ImageIFD.Model: b"Box", piexif.ImageIFD.Orientation: 6},
        "Exif": {
            piexif.ExifIFD.DateTimeOriginal: b"2019:05:06 10:11:12",
            piexif.ExifIFD.ISOSpeedRatings: 800,
            piexif.ExifIFD.FNumber: (28, 10),
        },
    }
)


def facts_by_name(library: Library) -> dict[str, Facts]:
    return {item.path.name: item.facts for item in library}


def problems(library: Library) -> dict[str, str]:
    return {problem.path.name: str(problem.reason) for problem in library.problems()}


# --- optional parts ------------------------------------------------------------------------------------------------


def test_a_broken_sidecar_never_costs_the_picture_and_is_reported_until_it_is_mended(
    library: Library, paint: Paint
) -> None:
    photos = paint("red.jpg").parent
    paint("blue.jpg")
    (photos / "red.xmp").write_bytes(b"<?xml version='1.0' encoding='utf8mb4'?><a/>")
    os.mkfifo(photos / "blue.txt")
    report = library.index([photos])
    assert report.added == 2
    assert problems(library) == {"red.xmp": "bad-metadata", "blue.txt": "bad-metadata"}
    assert library.index([photos]).unchanged == 2
    assert len(library.problems()) == 2, "a run that reads nothing keeps them"
    (photos / "red.xmp").write_bytes(packet("", 'xmp:Rating="5"'))
    (photos / "blue.txt").unlink()
    report = library.index([photos])
    assert (report.changed, report.encoded) == (2, 0)
    assert problems(library) == {}
    assert facts_by_name(library)["red.jpg"].rating == 5


def test_a_sidecar_that_may_not_be_read_costs_only_itself(
    library: Library, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (photos / "red.txt").write_text("a zebra")
    real = os.open

    def refuse(path: object, *rest: object, **more: object) -> int:  # root may read everything
        if str(path).endswith("red.txt"):
            raise PermissionError(13, "Permission denied")
        return real(path, *rest, **more)  # type: ignore[arg-type]  # as it was given

    monkeypatch.setattr(os, "open", refuse)
    assert library.index([photos]).added == 4
    assert problems(library) == {"red.txt": "bad-metadata"}


@pytest.mark.parametrize("cut", [1, 2, 30, 200])
def test_a_jpeg_without_its_last_bytes_is_found_and_marked(library: Library, tmp_path: Path, cut: int) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    out = io.BytesIO()
    picture = Image.effect_noise((256, 256), 60).convert("RGB")
    picture.paste("red", (0, 0, 256, 200))
    picture.save(out, "JPEG")
    (photos / "red.jpg").write_bytes(out.getvalue()[:-cut])
    report = library.index([photos])
    assert (report.added, problems(library)) == (1, {"red.jpg": "damaged"})
    assert [hit.path for hit in library.search("red has:damage").hits] == [photos / "red.jpg"]
    assert library.index([photos]).unchanged == 1
    shutil.copy(photos / "red.jpg", photos / "copy.jpg")
    assert library.index([photos]).duplicates == 1
    assert all(facts.damaged for facts in facts_by_name(library).values()), "known pixels are as damaged as before"


def test_a_progressive_jpeg_without_its_end_is_found_too(library: Library, tmp_path: Path) -> None:
    out = io.BytesIO()
    Image.new("RGB", (200, 200), "red").save(out, "JPEG", progressive=True)
    (tmp_path / "red.jpg").write_bytes(out.getvalue()[:-2])
    assert library.index([tmp_path / "red.jpg"]).added == 1
    assert problems(library) == {"red.jpg": "damaged"}


def test_a_block_of_a_png_that_is_not_needed_never_costs_it(library: Library, tmp_path: Path) -> None:
    out = io.BytesIO()
    Image.new("RGB", (64, 48), "red").save(out, "PNG", dpi=(72, 72))
    data = out.getvalue()
    at = data.index(b"pHYs")
    (tmp_path / "checksum.png").write_bytes(data[: at + 5] + b"\xff" + data[at + 6 :])
    assert library.index([tmp_path / "checksum.png"]).problems == ()


def test_a_file_that_was_mended_is_tried_again_although_size_and_time_are_the_same(
    library: Library, paint: Paint
) -> None:
    path = paint("red.jpg")
    whole = path.read_bytes()
    path.write_bytes(bytes(len(whole)))
    os.utime(path, ns=(10**18, 10**18))
    assert library.index([path.parent]).added == 0
    path.write_bytes(whole)
    os.utime(path, ns=(10**18, 10**18))
    assert len(library.index([path.parent]).problems) == 0
    assert list(facts_by_name(library)) == ["red.jpg"]


def test_a_file_whose_drive_does_not_answer_is_a_row_and_the_others_come(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    never, real = threading.Event(), os.fstat

    def stuck(descriptor: int) -> os.stat_result:
        if Path(f"/proc/self/fd/{descriptor}").readlink().name == "red.jpg":
            never.wait(30)
        return real(descriptor)

    monkeypatch.setattr(os, "fstat", stuck)
    with Library.create(tmp_path / "library", replace(COLOURS, file_timeout=0.4)) as library:
        report = library.index([photos])
        never.set()
        assert report.added == 3
        assert problems(library) == {"red.jpg": "unreadable"}
    assert "made no progress" in report.problems[0].message


STUCK = """
import os, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
real = os.fstat
def stuck(descriptor):
    if os.readlink(f"/proc/self/fd/{descriptor}").endswith("red.jpg"):
        print("stuck", flush=True)
        time.sleep(600)
    return real(descriptor)
os.fstat = stuck
from retrieval.cli import program
sys.argv = ["retrieval", "index", sys.argv[1], "--index", sys.argv[2], "--model", "colours", "-q"]
program()
"""


def test_ctrl_c_ends_a_run_at_once_although_a_read_never_comes_back(photos: Path, tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", STUCK, str(photos), str(tmp_path / "library")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "stuck\n"
        time.sleep(0.3)
        started = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 130
        assert time.monotonic() - started < 10


# --- two ways to read one file -------------------------------------------------------------------------------------


def write(path: Path, form: str) -> None:
    """Write a picture or film of a format, with the metadata that it can hold."""
    out = io.BytesIO()
    picture = Image.effect_noise((600, 400), 50).convert("RGB")
    if form == "dng":
        picture.resize((1200, 800)).save(out, "JPEG", exif=DATED)
        path.write_bytes(dng.make((200, 40, 40), (1200, 800), out.getvalue(), orientation=6))
    elif form in ("mp4", "mov", "mkv"):
        film(path, ["red", "blue"])
    else:
        open_picture(_png())  # registers the plugins
        options = {} if form in ("bmp", "gif", "tga", "ppm", "jpeg2000") else {"exif": DATED}
        picture.save(out, form.upper(), **options)
        path.write_bytes(out.getvalue())


def _png() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (1, 1)).save(out, "PNG")
    return out.getvalue()


FORMS = {
    "jpg": "jpeg", "png": "png", "webp": "webp", "tif": "tiff", "avif": "avif", "heic": "heif", "jxl": "jxl",
    "jp2": "jpeg2000", "gif": "gif", "bmp": "bmp", "tga": "tga", "ppm": "ppm", "dng": "dng", "mp4": "mp4",
    "mov": "mov", "mkv": "mkv",
}  # fmt: skip


@pytest.mark.parametrize("end", FORMS)
def test_known_bytes_keep_every_fact_when_they_are_read_again(library: Library, tmp_path: Path, end: str) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    first = photos / f"a.{end}"
    write(first, FORMS[end])
    assert library.index([photos]).problems == ()
    before = facts_by_name(library)[first.name]
    assert before.width > 0
    os.utime(first, ns=(10**18, 10**18))
    (photos / "sub").mkdir()
    shutil.copy(first, photos / "sub" / f"copy.{end}")
    report = library.index([photos])
    assert (report.changed, report.added, report.encoded) == (1, 1, 0)
    shutil.move(photos / "sub" / f"copy.{end}", photos / f"moved.{end}")
    assert library.index([photos]).moved == 1
    assert library.index([photos], reread=True).reread == 2
    assert facts_by_name(library) == {first.name: before, f"moved.{end}": before}


def test_metadata_is_read_anew_on_demand_without_encoding(library: Library, photos: Path) -> None:
    library.index([photos])
    report = library.index([photos], reread=True)
    assert (report.reread, report.changed, report.encoded) == (4, 0, 0)


def test_a_change_that_keeps_size_and_time_is_noticed(library: Library, paint: Paint) -> None:
    path = paint("red.jpg", xmp=packet("", 'xmp:Rating="3"'))
    os.utime(path, ns=(10**18, 10**18))
    library.index([path.parent])
    path.write_bytes(path.read_bytes().replace(b'Rating="3"', b'Rating="5"'))
    os.utime(path, ns=(10**18, 10**18))
    library.index([path.parent])
    assert facts_by_name(library)["red.jpg"].rating == 5


# --- files that belong together ------------------------------------------------------------------------------------


def test_a_raw_file_answers_for_itself_as_long_as_its_jpeg_is_broken(library: Library, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "a.dng").write_bytes(dng.make((200, 40, 40), (1200, 800)))
    (photos / "a.jpg").write_bytes(b"\xff\xd8 broken")
    assert library.index([photos]).added == 1
    assert list(facts_by_name(library)) == ["a.dng"]
    assert library.index([photos]).unchanged == 1
    library.captions.set(photos / "a.dng", "a zebra")
    Image.new("RGB", (64, 48), "red").save(photos / "a.jpg")
    library.index([photos])
    assert list(facts_by_name(library)) == ["a.jpg"]
    (photos / "a.jpg").write_bytes(b"\xff\xd8 broken again")
    assert library.index([photos]).moved == 0
    assert [hit.path for hit in library.search("caption:zebra").hits] == [photos / "a.dng"]


def exif_at(moment: datetime) -> bytes:
    found: bytes = piexif.dump({"Exif": {piexif.ExifIFD.DateTimeOriginal: f"{moment:%Y:%m:%d %H:%M:%S}".encode()}})
    return found


def dated_film(path: Path, moment: str, seconds: float) -> None:
    import av

    film(path.with_name("raw.mp4"), ["red"], seconds)
    with av.open(str(path.with_name("raw.mp4"))) as source, av.open(str(path), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        target.metadata["creation_time"] = moment
        for each in source.demux(source.streams.video[0]):
            if each.dts is not None:
                each.stream = stream
                target.mux(each)
    path.with_name("raw.mp4").unlink()


@pytest.mark.parametrize(
    ("still", "film_at", "seconds", "part"),
    [
        ("live.jpg", "2019-05-06T08:11:14Z", 2.0, True),  # UTC, and the still's clock is that of Berlin
        ("live.jpg", "2019-05-06T09:02:00Z", 2.0, False),
        ("live.jpg", "2016-11-10T08:11:14Z", 2.0, False),
        ("live.jpg", "2019-05-06T08:11:14Z", 9.0, False),
        ("live.png", "2019-05-06T08:11:14Z", 2.0, False),
    ],
    ids=["live photo", "another time", "another year", "too long", "another kind"],
)
def test_a_film_belongs_to_a_live_photo_only_by_length_kind_and_time(
    library: Library, paint: Paint, still: str, film_at: str, seconds: float, part: bool
) -> None:
    photos = paint(still, "red", exif=exif_at(datetime(2019, 5, 6, 10, 11, 12))).parent
    dated_film(photos / "live.mov", film_at, seconds)
    assert library.index([photos]).added == (1 if part else 2)
    assert ("live.mov" in facts_by_name(library)) is not part
    report = library.index([photos])
    assert (report.added, report.encoded, report.absent) == (0, 0, 0)
    assert report.unchanged == (1 if part else 2)


# --- what is said --------------------------------------------------------------------------------------------------


def test_what_is_passed_over_is_counted_and_kept_for_the_status(library: Library, photos: Path) -> None:
    for name in ("a.eps", "b.eps", "c.ico"):
        (photos / name).write_bytes(b"x")
    assert library.index([photos]).passed_over == {".eps": 2, ".ico": 1}
    assert library.status().passed_over == {".eps": 2, ".ico": 1}
    (photos / "c.ico").unlink()
    library.index([photos])
    assert library.status().passed_over == {".eps": 2}


def test_a_pattern_that_fits_nothing_is_a_note(library: Library, photos: Path) -> None:
    assert library.index([photos], rules=Rules(exclude=("thumps",))).notes == ("--exclude 'thumps' fits nothing",)


def test_a_picture_named_in_another_unicode_form_gets_its_captions(
    library: Library, paint: Paint, tmp_path: Path
) -> None:
    photos = paint("Zu\u0308rich.jpg", "red").parent
    (tmp_path / "c.csv").write_text("image;caption\nZ\u00fcrich.jpg;a zebra\n", encoding="cp1252")
    report = library.index([photos], [(tmp_path / "c.csv", photos)])
    assert (report.captions, report.problems) == (1, ())
    assert len(report.notes) == 2


def test_an_old_librarys_metadata_is_read_anew_once(library: Library, photos: Path) -> None:
    """Version 16 of the catalog reads more fields: files of an older one have no change time."""
    library.index([photos])
    with library.storage.transaction() as catalog:
        paths = [item.path for item in library]
        catalog.items.mark_present(paths, dict.fromkeys(paths, 0))
    assert library.index([photos]).reread == 4
    assert library.index([photos]).unchanged == 4


Change = Callable[[Path], object]


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "a.txt").unlink(),
        lambda folder: (folder / "a.txt").write_text("a lion in the bath"),
        lambda folder: (folder / "a.txt").rename(folder / "b.txt"),
    ],
    ids=["deleted", "edited", "renamed"],
)
def test_the_older_of_two_sidecars_is_noticed(library: Library, paint: Paint, change: Change) -> None:
    photos = paint("a.jpg", "red").parent
    (photos / "a.txt").write_text("a zebra in the kitchen")
    os.utime(photos / "a.txt", ns=(10**18, 10**18))
    (photos / "a.xmp").write_bytes(packet())
    library.index([photos])
    assert len(library.search("caption:zebra").hits) == 1
    change(photos)
    library.index([photos])
    assert library.search("caption:zebra").hits == ()
