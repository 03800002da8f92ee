"""What the containers of films say: place, clock, rating, keywords, camera; and XMP inside MP4 and QuickTime."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import av
import pytest

from retrieval import Library
from retrieval.pictures.video_metadata import XMP_UUID, read_video_metadata
from retrieval.types.records import Facts

from .test_metadata import bag, packet
from .test_video import film


def tagged(path: Path, **tags: str) -> Path:
    """Write a film of one second with these tags of its container."""
    film(path.with_name("source.mp4"), ["red"], 1.0)
    options = {"movflags": "use_metadata_tags"}
    with av.open(str(path.with_name("source.mp4"))) as source, av.open(str(path), "w", options=options) as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        target.metadata.update(tags)
        for each in source.demux(source.streams.video[0]):
            if each.dts is not None:
                each.stream = stream
                target.mux(each)
    path.with_name("source.mp4").unlink()
    return path


def facts(path: Path) -> Facts:
    return read_video_metadata(path).facts(path.name)


@pytest.fixture(params=["Europe/Berlin"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The zone of the user."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


def test_a_films_place_camera_and_texts_are_read(tmp_path: Path) -> None:
    found = facts(
        tagged(
            tmp_path / "a.mov",
            **{
                "com.apple.quicktime.location.ISO6709": "+48.1371+011.5754+520/",
                "com.apple.quicktime.make": "Apple",
                "com.apple.quicktime.model": "iPhone 15",
                "com.apple.quicktime.keywords": "Fest, Hund",
                "com.apple.quicktime.rating.user": "5.0",
                "title": "Titel",
                "description": "am See",
                "comment": "ein Wort",
            },
        )
    )
    assert (found.latitude, found.longitude) == (48.1371, 11.5754)
    assert (found.camera, found.keywords, found.rating) == ("Apple iPhone 15", ("Fest", "Hund"), 5)
    assert found.texts == ("Titel", "am See", "ein Wort")


@pytest.mark.usefixtures("zone")
@pytest.mark.parametrize(
    ("name", "tags", "clock"),
    [
        ("a.mp4", {"creation_time": "2023-06-30T22:30:00Z"}, datetime(2023, 7, 1, 0, 30)),
        (
            "b.mp4",
            {"creation_time": "2023-06-30T22:30:00Z", "location": "+40.7128-074.0060/"},
            datetime(2023, 6, 30, 18, 30),
        ),
        (
            "c.mov",
            {"creation_time": "2023-06-30T22:30:00Z", "com.apple.quicktime.creationdate": "2023-07-01T07:30:00+0900"},
            datetime(2023, 7, 1, 7, 30),
        ),
        ("VID_20230630_223000.mp4", {"creation_time": "2023-06-30T22:30:00Z"}, datetime(2023, 6, 30, 22, 30)),
        ("VID_20230701_073002.mp4", {"creation_time": "2023-06-30T22:30:00Z"}, datetime(2023, 7, 1, 7, 30, 2)),
        ("VID_20230701_081500.mp4", {}, datetime(2023, 7, 1, 8, 15)),
        ("d.mp4", {"creation_time": "1970-01-01T00:00:00Z"}, None),
    ],
    ids=["user's zone", "zone of the place", "own zone", "clock as UTC", "name's zone", "name alone", "no clock"],
)
def test_a_films_clock_is_the_cameras_own(
    tmp_path: Path, name: str, tags: dict[str, str], clock: datetime | None
) -> None:
    taken = facts(tagged(tmp_path / name, **tags)).taken_at
    assert (taken and taken.replace(tzinfo=None)) == clock


def box(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(data), kind) + data


@pytest.mark.parametrize("end", ["mp4", "mov"])
@pytest.mark.parametrize(
    "block",
    [
        box(b"uuid", XMP_UUID + packet(bag("dc:subject", "zebra"), 'xmp:Rating="4"')),
        box(b"moov", box(b"udta", box(b"XMP_", packet(bag("dc:subject", "zebra"), 'xmp:Rating="4"')))),
    ],
    ids=["uuid", "udta"],
)
def test_xmp_inside_a_film_is_read(tmp_path: Path, end: str, block: bytes) -> None:
    path = tagged(tmp_path / f"a.{end}")
    path.write_bytes(path.read_bytes() + block)
    found = facts(path)
    assert (found.rating, found.keywords) == (4, ("zebra",))


@pytest.mark.parametrize(
    "block",
    [box(b"uuid", XMP_UUID + b"<broken"), struct.pack(">I4s", 2, b"uuid"), struct.pack(">I4s", 1, b"uuid"), b"\0\0\0"],
    ids=["no xml", "too short", "cut", "no box"],
)
def test_a_broken_box_costs_only_itself(tmp_path: Path, block: bytes) -> None:
    path = tagged(tmp_path / "a.mp4", title="Titel")
    path.write_bytes(path.read_bytes() + block)
    assert facts(path).title == "Titel"


def test_films_are_found_by_their_facts(library: Library, tmp_path: Path) -> None:
    photos = tmp_path / "films"
    photos.mkdir()
    tagged(photos / "a.mp4", location="+48.1371+011.5754/", creation_time="2023-06-30T12:30:00Z")
    library.index([photos])
    for query in ("near:Munich", "has:gps", "on:2023-06-30", "city:munich"):
        assert [hit.path for hit in library.search(query).hits] == [photos / "a.mp4"], query
