"""Leafing through a library: newest first, by month, on a map; and what is said of a picture."""

from __future__ import annotations

from pathlib import Path

import piexif
import pytest

from retrieval import Library
from retrieval.errors import NotFound

from ..conftest import Paint


@pytest.fixture
def dated(library: Library, paint: Paint) -> Library:
    """Four pictures of 2021 to 2023 and one without a date."""
    days = {"red": "2021:05:01 10:00:00", "lime": "2023:06:02 09:00:00", "blue": "2023:06:30 23:00:00"}
    for name, day in {**days, "navy": "2022:01:01 00:00:00"}.items():
        exif: dict[str, dict[int, object]] = {"Exif": {piexif.ExifIFD.DateTimeOriginal: day.encode()}}
        if name == "navy":
            exif["GPS"] = {1: b"N", 2: ((48, 1), (30, 1), (0, 1)), 3: b"E", 4: ((2, 1), (0, 1), (0, 1))}
        paint(f"{name}.jpg", exif=piexif.dump(exif))
    folder = paint("yellow.jpg").parent
    (folder / "navy.txt").write_text("the sea at night")
    library.index([folder])
    return library


def names(items: list) -> list[str]:  # type: ignore[type-arg]
    return [item.path.stem for item in items]


def test_the_newest_come_first_and_undated_ones_last(dated: Library) -> None:
    assert names(dated.items.newest(9)) == ["blue", "lime", "navy", "red", "yellow"]


def test_leafing_goes_on_after_any_file(dated: Library) -> None:
    some = dated.items.newest(2)
    assert names(dated.items.newest(2, some[-1].id)) == ["navy", "red"]
    assert names(dated.items.newest(2, dated.items.newest(5)[-1].id)) == []


def test_leafing_begins_at_a_month(dated: Library) -> None:
    assert names(dated.items.newest(2, until="2022-01")) == ["navy", "red"]
    assert names(dated.items.newest(2, until="2023-06")) == ["blue", "lime"]


def test_months_are_counted(dated: Library) -> None:
    assert dated.items.months() == [("2023-06", 2), ("2022-01", 1), ("2021-05", 1), ("", 1)]


def test_files_with_coordinates_are_on_the_map(dated: Library) -> None:
    (number, latitude, longitude) = dated.items.points()[0]
    assert (dated.items.get(number).path.stem, latitude, longitude) == ("navy", 48.5, 2.0)


def test_what_is_said_of_a_picture_comes_with_its_source_and_by_hand_first(dated: Library) -> None:
    navy = dated.items.newest(1, until="2022-01")[0]
    dated.captions.set(navy.path, "a night by the sea")
    found = dated.items.texts_of(navy.content)
    assert [(each.text, each.source) for each in found] == [
        ("a night by the sea", "edited"),
        ("the sea at night", "sidecar"),
    ]


def test_a_number_that_is_none_is_refused(dated: Library) -> None:
    with pytest.raises(NotFound, match="no item 999"):
        dated.items.get(999)


def test_copies_are_the_other_files_of_the_same_picture(dated: Library, tmp_path: Path) -> None:
    red = dated.items.newest(1, until="2021-05")[0]
    copy = red.path.with_name("copy.jpg")
    copy.write_bytes(red.path.read_bytes())
    dated.index([copy])
    assert [item.path for item in dated.items.copies(red)] == [copy]
