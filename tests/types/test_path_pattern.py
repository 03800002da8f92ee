"""Patterns of file names: git's rules, and what people write beyond them."""

from __future__ import annotations

import unicodedata

import pytest

from retrieval.errors import UsageError
from retrieval.types.path_pattern import fits


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("Hund", "/p/Hund/a.jpg"),
        ("Hund/", "/p/Hund/b/a.jpg"),
        ("./Hund", "/p/Hund/a.jpg"),
        ("2019 Italy", "/p/2019 Italy/a.jpg"),
        ("[2020] Trip", "/p/[2020] Trip/a.jpg"),
        ("[2020] Trip/**", "/p/[2020] Trip/a.jpg"),
        ("/p/[2020] Trip/a.jpg", "/p/[2020] Trip/a.jpg"),
        ("*.{mp4,mov}", "/p/CLIP.MOV"),
        ("*.Jpg", "/p/a.JPG"),
        ("[ab].jpg", "/p/b.jpg"),
        ("#recycle", "/p/#recycle/a.jpg"),
        ("a b ", "/p/a b /c.jpg"),
        ("a{b", "/p/a{b/c.jpg"),
        ("x/**/a.jpg", "/p/x/y/z/a.jpg"),
        (unicodedata.normalize("NFC", "Zürich"), "/p/" + unicodedata.normalize("NFD", "Zürich") + "/a.jpg"),
        (unicodedata.normalize("NFD", "Zürich"), "/p/" + unicodedata.normalize("NFC", "Zürich") + "/a.jpg"),
    ],
)
def test_a_pattern_fits_what_people_mean(pattern: str, path: str) -> None:
    assert fits(path, pattern)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [("Hun", "/p/Hund/a.jpg"), ("/Hund", "/p/Hund/a.jpg"), ("*.jpg", "/p/a.jpg.png"), ("x/a.jpg", "/p/x/y/a.jpg")],
)
def test_a_pattern_fits_no_more(pattern: str, path: str) -> None:
    assert not fits(path, pattern)


@pytest.mark.parametrize("pattern", ["\\", "*a*b*c*d*e*f*g*", "{1..100000}"])
def test_what_is_no_pattern_is_an_error_that_says_so(pattern: str) -> None:
    with pytest.raises(UsageError):
        fits("/p/a.jpg", pattern)
