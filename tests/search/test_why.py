"""Why a picture is a hit, and why not."""

from __future__ import annotations

import json
import sqlite3
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import piexif
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from retrieval import Library
from retrieval.encoders.builtin_encoder import BuiltinEncoder
from retrieval.errors import UsageError
from retrieval.queries import interpret
from retrieval.queries.filters import (
    And,
    Between,
    Captioned,
    Filter,
    Has,
    Near,
    Not,
    NumberField,
    OcrContains,
    OfType,
    Or,
    PathFits,
    Presence,
    Taken,
    TextContains,
    TextField,
)
from retrieval.queries.render import render_expression, render_filter
from retrieval.types import path_pattern
from retrieval.types.explanations import Standing

from ..conftest import Paint, Run

# --- filters and queries, written anew --------------------------------------------------------------------------------

DAYS = st.dates(datetime(1990, 1, 1).date(), datetime(2030, 1, 1).date()).map(
    lambda day: datetime(day.year, day.month, day.day)
)
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12).filter(str.strip)


def is_pattern(text: str) -> bool:
    """Whether a text is a pattern of paths: "\\" alone, for one, is none, and no query has it."""
    try:
        path_pattern.specification([text])
    except UsageError:
        return False
    return True


LEAVES: st.SearchStrategy[Filter] = st.one_of(
    st.builds(lambda day: Taken(since=day), DAYS),
    st.builds(lambda day: Taken(until=day), DAYS),
    st.builds(lambda day: Taken(day, day + timedelta(days=1)), DAYS),
    st.builds(TextContains, st.sampled_from(TextField), TEXTS),
    st.builds(Between, st.sampled_from(NumberField), st.integers(0, 9).map(float), st.none()),
    st.builds(Near, st.floats(-90, 90).map(lambda x: round(x, 4)), st.just(12.5), st.integers(1, 900).map(float)),
    st.builds(PathFits, TEXTS.filter(is_pattern)),
    st.builds(OfType, st.sampled_from(["photo", "raw", "jpeg"])),
    st.builds(Has, st.sampled_from(Presence)),
    st.builds(Captioned, TEXTS),
    st.builds(OcrContains, TEXTS),
)
FILTERS = st.recursive(
    LEAVES,
    lambda inner: (
        inner.map(Not)
        | st.lists(inner, min_size=2, max_size=3).map(tuple).map(And)
        | st.lists(inner, min_size=2, max_size=3).map(tuple).map(Or)
    ),
    max_leaves=5,
)


@pytest.mark.slow
@given(where=FILTERS)
@settings(max_examples=300, deadline=None)
def test_a_filter_that_is_written_is_read_back_as_the_same(where: Filter) -> None:
    text = render_filter(where)
    again = interpret(text).alternatives[0].where
    assert render_filter(again) == text
    if isinstance(where, TextContains | Between | PathFits | Captioned | OcrContains | Taken | Has | OfType):
        assert again == where


@pytest.mark.parametrize(
    "text",
    [
        "a dog on the beach",
        "rating:>3 width:<1000 mp:0.5..12.25 height:>=10",
        'near:"Springfield, Illinois"~20km',
        "near:Lisbon~0.3km near:38.7,-9.1~5mi",
        "-2:rain -snow 0.5:night like:a.jpg unlike:#12",
        '2:"deep snow" -people camera:nikon',
        "red car OR blue boat",
        'similar:pool.jpg "at night" rating:3..',
        "dog -type:video (camera:nikon OR camera:canon)",
        '"last summer"',
    ],
)
def test_a_query_that_is_written_is_read_back_as_the_same(text: str) -> None:
    asked = interpret(text)
    assert interpret(render_expression(asked)).alternatives == asked.alternatives


# --- why --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def filled(library: Library, photos: Path) -> Library:
    library.index([photos])
    return library


def test_the_word_that_matters_has_the_share(filled: Library, photos: Path) -> None:
    why = filled.why("some red thing", photos / "red.jpg")
    assert (why.rank, why.searched, why.path) == (1, 4, photos / "red.jpg")
    shares = {part.part: part.share for part in why.parts}
    assert shares == pytest.approx({"some": 0, "red": 1, "thing": 0}, abs=1e-6)


def test_each_part_has_its_own_line_with_its_sign(filled: Library, photos: Path) -> None:
    why = filled.why("red -blue similar:" + str(photos / "yellow.bmp"), 1)
    assert [part.part for part in why.parts] == ["red", "-blue", str(photos / "yellow.bmp")]
    assert all(part.drop != 0 for part in why.parts)


def test_the_rankings_say_what_matched(filled: Library, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("image,caption\nred.jpg,the barn doors\nlime.png,grass\n")
    filled.index([], [(tmp_path / "c.csv", photos)])
    why = filled.why("a red door", photos / "red.jpg")
    words = next(source for source in why.sources if source.source == "words")
    assert set(words.matched) == {"caption: the barn doors", "name: red"}  # a door finds doors
    assert sum(source.share for source in why.sources) == pytest.approx(1)


def test_filters_say_what_they_found(filled: Library) -> None:
    why = filled.why("red type:jpeg width:64", 1)
    assert [(each.filter, each.value, each.passes) for each in why.filters] == [
        ("type:jpeg", "jpeg", True),
        ("width:64", "64", True),
    ]


def test_the_alternative_that_fits_is_named(filled: Library, photos: Path) -> None:
    assert filled.why("blue OR yellow", photos / "yellow.bmp").understood == "yellow"


def test_what_is_no_hit_is_refused(filled: Library, paint: Paint) -> None:
    with pytest.raises(UsageError, match="why-not"):
        filled.why("red", paint("outside/green.png"))
    with pytest.raises(UsageError, match="why-not"):
        filled.why("red", 5)


def test_heat_is_where_it_is_shown(library: Library, tmp_path: Path) -> None:
    picture = Image.new("RGB", (80, 40), "blue")
    picture.paste("red", (40, 0, 80, 40))
    picture.save(tmp_path / "both.png")
    library.index([tmp_path / "both.png"])
    heat = library.why("red", 1, heat=True).heat
    assert heat is not None
    assert heat[:, 4:].min() > heat[:, :4].max()


def test_heat_without_anything_looked_for_is_refused(filled: Library) -> None:
    with pytest.raises(UsageError, match="filters alone"):
        filled.why("type:jpeg", 1, heat=True)


@pytest.mark.data
def test_the_built_in_model_sees_the_right_half() -> None:
    """Two photos side by side; the caption of one is hottest on its own half, nearly always."""
    from benchmarks.heat import pointing

    assert pointing(BuiltinEncoder.load(), 40) > 0.8


@pytest.mark.slow
def test_a_transformers_parts_look_like_the_whole() -> None:
    """Of a plain picture every part is the same, whatever the tower: one cell stands for all."""
    import open_clip
    import torch

    from retrieval.encoders import patch_features

    model = open_clip.create_model("ViT-B-32", pretrained=None).eval()
    pixels = torch.rand(1, 3, 224, 224)
    assert patch_features.cells(model.visual, pixels, "it").shape == (7, 7, 512)
    small = open_clip.create_model("RN50", pretrained=None).eval()
    with pytest.raises(UsageError, match="RN50"):
        patch_features.cells(small.visual, pixels, "RN50")


# --- why not ----------------------------------------------------------------------------------------------------------


def test_a_picture_that_the_library_lacks_says_why(filled: Library, photos: Path, tmp_path: Path) -> None:
    (photos / "bad.jpg").write_text("no picture")
    filled.index([photos])
    new, hidden = photos / "new.png", photos / ".hidden.png"
    for path in (new, hidden):
        Image.new("RGB", (9, 9)).save(path)
    said = {
        photos / "bad.jpg": (Standing.FAILED, "not-a-picture"),
        new: (Standing.UNKNOWN, "was indexed without it"),
        hidden: (Standing.UNKNOWN, "--hidden"),
        tmp_path / "notes.odt": (Standing.MISSING, "no such file"),
    }
    for path, (standing, reason) in said.items():
        found = filled.why_not("red", path)
        assert (found.standing, reason in found.said) == (standing, True), found


def test_others_are_better(filled: Library, photos: Path) -> None:
    found = filled.why_not("red", photos / "lime.png", k=1)
    assert (found.standing, found.searched) == (Standing.BELOW, 4)
    assert found.last == pytest.approx(1, abs=0.01)
    assert found.rank is not None
    assert found.changes[-1].what == f"show more hits: -k {found.rank}"


def test_the_word_that_stands_in_the_way_is_found(library: Library, paint: Paint) -> None:
    lime = paint("p/1.png", "lime")
    library.index([paint("p/2.png", "yellow"), lime, paint("p/3.png", "red")])
    found = library.why_not("lime and red", lime, k=1)
    assert [(change.query, change.rank) for change in found.changes] == [("lime and", 1), ("", found.rank)]


@pytest.mark.slow
def test_what_is_shown_is_a_hit_and_its_rank_is_that_of_the_search(library: Library, paint: Paint) -> None:
    """Words and pixels are fused otherwise when more hits are asked for; what counts is what the search shows."""
    paths = [paint(f"p{number:02}.png", f"rgb({255 - number},{3 * number},0)") for number in range(60)]
    table = paths[0].parent.parent / "c.csv"
    table.write_text("image,caption\n" + "".join(f"{path.name},a red thing\n" for path in paths[::7]))
    library.index([paths[0].parent], [(table, paths[0].parent)])
    hits = library.search("red thing sky", k=10, threshold="none").hits
    assert len(hits) == 10
    for hit in hits:
        assert hit.path is not None
        found = library.why_not("red thing sky", hit.path, k=10, threshold="none")
        assert (found.standing, found.rank) == (Standing.HIT, hit.rank)
        assert library.why("red thing sky", hit.path).rank == hit.rank


def test_a_folder_and_what_another_file_stands_for_say_so(filled: Library, photos: Path) -> None:
    (photos / "red.dng").write_bytes(b"raw")
    assert filled.why_not("red", photos).said == "it is a folder; name a picture"
    assert "red.jpg beside it" in filled.why_not("red", photos / "red.dng").said


def test_a_hit_is_said_to_be_one(filled: Library, photos: Path) -> None:
    found = filled.why_not("red", photos / "red.jpg")
    assert (found.standing, found.said) == (Standing.HIT, "it is hit 1 of 4")


def dated(path: Path, when: str) -> Path:
    exif = piexif.dump({"Exif": {piexif.ExifIFD.DateTimeOriginal: when}})
    Image.new("RGB", (16, 16), "red").save(path, exif=exif)
    return path


def test_a_filter_is_widened_just_so_far(library: Library, tmp_path: Path) -> None:
    path = dated(tmp_path / "a.jpg", "2022:11:04 10:00:00")
    library.index([path])
    found = library.why_not("red since:2023 width:>=20 camera:nikon", path)
    assert found.standing is Standing.FILTERED
    assert [check.passes for check in found.filters] == [False, False, False]
    assert found.filters[0].value == "taken 2022-11-04 10:00"
    assert [change.query for change in found.changes] == ["red since:2022-11-04 width:>=16", "red"]
    for change in found.changes:
        assert library.search(change.query, threshold="none").hits[change.rank - 1].path == path


def test_a_picture_that_the_new_model_has_not_seen_says_so(filled: Library, photos: Path) -> None:
    with sqlite3.connect(filled.path / "catalog.sqlite") as connection:
        connection.execute("DELETE FROM embeddings")
    assert filled.why_not("red", photos / "red.jpg").standing is Standing.UNENCODED


# --- on the command line ----------------------------------------------------------------------------------------------


def test_why_on_the_command_line(filled: None, run: Run, photos: Path, tmp_path: Path) -> None:
    run("index", photos)
    text = run("why", "a red thing", "1", "--heat", tmp_path / "heat.png").stdout
    assert "red.jpg is hit 1 of 4" in text
    assert "####" in text
    assert Image.open(tmp_path / "heat.png").size == (64, 48)
    found = json.loads(run("why", "red", photos / "red.jpg", "--json", "--vlm", "colours").stdout)
    assert (found["rank"], found["verdict"]["yes"] > 0.9, found["boxes"][0]["label"]) == (1, True, "red")


def test_a_heat_map_never_replaces_a_photo(run: Run, photos: Path) -> None:
    run("index", photos)
    before = (photos / "blue.webp").read_bytes()
    assert "is a picture of the library" in run("why", "red", "1", "--heat", photos / "blue.webp", code=2).stderr
    assert (photos / "blue.webp").read_bytes() == before


def test_why_not_on_the_command_line(run: Run, photos: Path) -> None:
    run("index", photos)
    text = run("why-not", "red type:png", photos / "red.jpg").stdout
    assert "FAILS  type:png  (jpeg)" in text
    assert "would help" in text
    assert json.loads(run("why-not", "red", photos / "no.jpg", "--json", code=5).stdout)["standing"] == "missing"


def test_heat_is_of_the_pictures_own_shape(filled: Library) -> None:
    heat = filled.why("red", 1, heat=True).heat
    assert heat is not None
    assert heat.shape == (8, 8)
    assert heat.dtype == np.float32
