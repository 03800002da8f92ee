"""Which files of a folder belong together: sidecars in any case, Google Takeout's names, RAW files, live photos."""

from __future__ import annotations

import unicodedata

import pytest

from retrieval.sources.companions import Companions, IndexedPictures


@pytest.mark.parametrize(
    ("picture", "sidecar"),
    [
        ("A.JPG", "A.XMP"),
        ("B.HEIC", "B.HEIC.XMP"),
        ("C.JPG", "c.xmp"),
        ("d.jpg", "d.jpg.Txt"),
        ("IMG_1.jpg", "IMG_1.jpg.json"),
        ("IMG_1.jpg", "IMG_1.jpg.supplemental-metadata.json"),
        ("IMG_1.jpg", "IMG_1.jpg.suppl.json"),
        ("IMG_1.jpg", "IMG_1.jpg.s.json"),
        ("IMG_1.jpg", "IMG_1.json"),
        ("photo (1).jpg", "photo (1).jpg.json"),
        ("photo (1).jpg", "photo (1).jpg.supplemental-metadata.json"),
        ("IMG_1-EDITED.jpg", "IMG_1.jpg.json"),
        ("IMG_1(2).jpg", "IMG_1.jpg(2).json"),
        ("IMG_1(2).jpg", "IMG_1.jpg.supplemental-metadata(2).json"),
        ("IMG_1-edited.jpg", "IMG_1.jpg.json"),
        ("IMG_1-bearbeitet.jpg", "IMG_1.jpg.supplemental-metadata.json"),
        ("IMG_1.MP4", "IMG_1.HEIC.supplemental-metadata.json"),
        (
            "a_title_that_is_longer_than_google_keeps_in_its_n.jpg",
            "a_title_that_is_longer_than_google_keeps_in_it.json",
        ),
        (unicodedata.normalize("NFD", "Zürich.jpg"), unicodedata.normalize("NFC", "Zürich.xmp")),
    ],
)
def test_a_sidecar_is_found_by_the_names_that_programs_give(picture: str, sidecar: str) -> None:
    assert Companions([picture, sidecar, "other.jpg"]).sidecars(picture) == (sidecar,)


@pytest.mark.parametrize(
    ("picture", "other"),
    [
        ("IMG_1(2).jpg", "IMG_1.jpg.json"),
        ("IMG_1.jpg", "IMG_1.jpg(2).json"),
        ("a.jpg", "ab.xmp"),
        ("a.jpg", "a.png.xmp"),
    ],
)
def test_another_pictures_sidecar_is_left_alone(picture: str, other: str) -> None:
    assert Companions([picture, other]).sidecars(picture) == ()


def test_the_full_name_comes_first_and_the_same_case_before_others() -> None:
    names = ["a.xmp", "A.jpg.xmp", "a.jpg.xmp", "a.jpg.json", "a.txt"]
    assert Companions(names).sidecars("a.jpg") == ("a.jpg.xmp", "A.jpg.xmp", "a.xmp", "a.txt", "a.jpg.json")


@pytest.mark.parametrize(
    ("name", "picture"),
    [
        ("a.NEF", "A.jpg"),
        ("clip.mov", ""),
        ("live.MOV", "live.heic"),
        ("live.mp4", "live.heic"),
        ("live.avi", ""),
        ("b.dng", ""),
    ],
)
def test_a_raw_file_or_film_is_part_of_a_picture_of_its_kind(name: str, picture: str) -> None:
    assert IndexedPictures(["A.jpg", "clip.png", "live.heic", name]).part_of(name) == picture
