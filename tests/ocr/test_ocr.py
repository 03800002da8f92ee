"""Text in pictures, read by the real engine: found by its words, with its place, once for each picture."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

from retrieval import Library, ModelUnavailable
from retrieval.library import backends
from retrieval.ocr import TextReader
from retrieval.types.records import Band, Box

from ..conftest import DATA, Run

pytestmark = pytest.mark.slow


def written(path: Path, *lines: str) -> Path:
    """A white page with black lines of text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    page = Image.new("RGB", (700, 400), "white")
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(44)
    for place, line in enumerate(lines):
        pen.text((40, 40 + 90 * place), line, "black", font)
    page.save(path)
    return path


@pytest.fixture(scope="module")
def reader() -> TextReader:
    return backends.text_reader()


@pytest.fixture
def pages(library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reader: TextReader) -> Library:
    monkeypatch.setattr(backends, "text_reader", lambda: reader)
    written(tmp_path / "photos" / "a.png", "Plumber Jones", "Total RM12.90")
    written(tmp_path / "photos" / "b.png", "Baker Smith", "Total 7.50")
    Image.new("RGB", (80, 60), "red").save(tmp_path / "photos" / "red.png")
    library.index([tmp_path / "photos"])
    return library


def names(library: Library, query: str) -> list[str]:
    return [hit.path.name for hit in library.search(query, k=3).hits if hit.path]


def test_lines_are_read_with_their_places(reader: TextReader, tmp_path: Path) -> None:
    first, second = reader.read(Image.open(written(tmp_path / "a.png", "Plumber Jones", "Total 12.90")))
    assert (first.label, second.label) == ("Plumber Jones", "Total 12.90")
    assert first.top < first.bottom < second.top < second.bottom <= 1
    assert first.left == pytest.approx(40 / 700, abs=0.02)
    assert reader.read(Image.new("RGB", (300, 200), "white")) == []


def test_what_a_picture_shows_in_words_is_found(pages: Library) -> None:
    assert pages.read_texts().with_text == 2
    for query, name in (("plumber", "a.png"), ("baker smith", "b.png"), ("12.90", "a.png"), ("RM 12.90", "a.png")):
        hit = pages.search(query, k=1).hits[0]
        assert (hit.path.name if hit.path else "", hit.band) == (name, Band.STRONG)
        assert "words" in hit.sources
    assert [box.label for box in pages.search("plumber", k=1).hits[0].boxes] == ["Plumber Jones"]


def test_text_is_a_filter_of_its_own(pages: Library) -> None:
    assert "text that was read (`retrieval ocr`)" in pages.search("text:total").notes[0]
    pages.read_texts()
    assert sorted(names(pages, "text:total")) == ["a.png", "b.png"]
    assert names(pages, 'text:"total 7.50"') == ["b.png"]
    assert names(pages, "has:text -text:plumber") == ["b.png"]
    assert names(pages, "-has:text") == ["red.png"]


def test_each_picture_is_read_once_and_what_cannot_be_read_is_told(pages: Library, tmp_path: Path) -> None:
    first = pages.read_texts([tmp_path / "photos" / "a.png"])
    assert (first.read, first.settled) == (1, 0)
    (tmp_path / "photos" / "b.png").write_bytes(b"broken")
    second = pages.read_texts()
    assert (second.read, second.settled, [problem.path.name for problem in second.problems]) == (1, 1, ["b.png"])


class Slow:
    """Stops after the first picture, as if Ctrl-C were pressed."""

    name = "slow"

    def __init__(self) -> None:
        self.pictures: Iterator[int] = iter(range(1))

    def read(self, _image: Image.Image) -> list[Box]:
        if next(self.pictures, None) is None:
            raise KeyboardInterrupt
        return [Box("words", 0, 0, 1, 1, 1.0)]


def test_ctrl_c_keeps_what_was_read(pages: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "text_reader", Slow)
    found = pages.read_texts()
    assert (found.read, found.interrupted) == (1, True)
    assert pages.read_texts().settled == 1
    assert len(names(pages, "has:text")) == 2


def test_without_its_packages_the_next_step_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rapidocr", None)
    with pytest.raises(ModelUnavailable, match=r"pip install 'retrieval\[ocr\]'"):
        backends.text_reader()


def test_the_command_line_reads(run: Run, tmp_path: Path) -> None:
    written(tmp_path / "photos" / "a.png", "Plumber Jones")
    indexed = json.loads(run("index", "photos", "--ocr", "--json").stdout)
    assert (indexed["added"], indexed["ocr"]["with_text"]) == (1, 1)
    assert run("ocr", "--all").stdout.startswith("0 pictures read in")
    assert "a.png" in run("search", "text:plumber").stdout
    assert "name folders" in run("ocr", code=2).stderr


@pytest.mark.data
def test_a_receipt_is_found_by_its_merchant_and_its_total(
    library: Library, monkeypatch: pytest.MonkeyPatch, reader: TextReader
) -> None:
    """Three of the twenty; benchmarks/receipts.py measures all."""
    monkeypatch.setattr(backends, "text_reader", lambda: reader)
    receipts = DATA / "receipts"
    fields = json.loads((receipts / "fields.json").read_text(encoding="utf-8"))
    some = ["012.jpg", "299.jpg", "069.jpg"]
    library.index([receipts])
    library.read_texts([receipts / name for name in some])
    for name in some:
        for field in ("company", "total"):
            assert names(library, f'"{fields[name][field]}"')[0] == name
