"""The command line: what it prints, where, and its exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click import Group, Option
from click.testing import CliRunner, Result
from PIL import Image

from retrieval.cli import COMMANDS, cli

from ..conftest import Run


def as_json(result: Result) -> dict[str, object]:
    found: dict[str, object] = json.loads(result.stdout)
    return found


def test_index_says_what_it_did_and_where(run: Run, photos: Path, tmp_path: Path) -> None:
    result = run("index", photos)
    assert result.stdout.startswith("4 new; 4 pictures encoded")
    assert f"library: {tmp_path / 'library'}" in result.stderr


def test_index_reports_bad_files_and_still_succeeds(run: Run, photos: Path) -> None:
    (photos / "bad.jpg").write_text("no picture")
    assert "1 could not be used (1 not-a-picture)" in run("index", photos).stderr
    assert f"{photos / 'bad.jpg'}\tnot-a-picture" in run("status", "--problems").stdout
    assert [row["reason"] for row in json.loads(run("status", "--problems", "--json").stdout)["problems"]] == [
        "not-a-picture"
    ]


def test_index_json_is_the_report(run: Run, photos: Path) -> None:
    found = as_json(run("index", photos, "--json"))
    assert (found["added"], found["encoded"], found["interrupted"]) == (4, 4, False)


def test_dry_run_changes_nothing(run: Run, photos: Path) -> None:
    assert "4  new" in run("index", photos, "--dry-run").stdout
    run("status", code=3)  # not even a library was made
    run("index", photos)
    (photos / "red.jpg").unlink()
    assert "1  not there any more" in run("index", photos, "--dry-run").stdout
    assert as_json(run("status", "--json"))["items"] == 4


def test_paths_come_from_standard_input(run: Run, photos: Path) -> None:
    listed = b"\0".join(os.fsencode(photos / name) for name in ("red.jpg", "blue.webp", "gone.jpg"))
    result = run("index", "--stdin", input=listed)
    assert "2 new" in result.stdout
    assert "gone.jpg" in result.stderr


def test_search_prints_scores_and_paths(filled: Run, photos: Path) -> None:
    header, first, *_ = (line.split("\t") for line in filled("search", "red").stdout.splitlines())
    row = dict(zip(header, first, strict=True))
    assert float(row["score"]) == pytest.approx(1, abs=0.01)
    assert (row["rank"], row["sure"], row["picture"]) == ("1", "strong, by its name", str(photos / "red.jpg"))


def test_paths_only_are_for_the_next_program(filled: Run, photos: Path) -> None:
    assert filled("search", "red", "-k", 1, "--paths").stdout == f"{photos / 'red.jpg'}\n"
    assert filled("search", "red", "-k", 1, "-0").stdout_bytes == os.fsencode(photos / "red.jpg") + b"\0"


def test_a_strange_name_survives_to_the_pipe(run: Run, photos: Path) -> None:
    name = b"caf\xe9\n.jpg"
    (photos / "red.jpg").rename(photos / os.fsdecode(name))
    run("index", photos)
    assert run("search", "red", "-k", 1, "-0").stdout_bytes.endswith(name + b"\0")
    assert "caf\\\\xe9" in run("search", "red", "-k", 1, "--json").stdout


SURE = ("match", "nothing", "facets", "suggestions")


def test_json_has_the_documented_shape(filled: Run) -> None:
    found = as_json(filled("search", "red", "-k", 1, "--json"))
    assert set(found) == {
        "query",
        "hits",
        "searched",
        "model",
        "seconds",
        "notes",
        "generated",
        "cursor",
        "total",
        "bands",
        *SURE,
    }
    hits = found["hits"]
    assert isinstance(hits, list)
    assert set(hits[0]) == {
        "rank",
        "score",
        "kind",
        "content",
        "path",
        "copies",
        "text",
        "item",
        "verdict",
        "second",
        "confidence",
        "band",
        "by",
        "sources",
        "width",
        "height",
        "boxes",
        "beneath",
        "beneath_items",
        "taken_at",
        "digest",
    }


def test_search_by_picture_and_by_item(filled: Run, photos: Path) -> None:
    assert filled("search", "--image", photos / "blue.webp", "-k", 1, "-p").stdout == f"{photos / 'blue.webp'}\n"
    assert len(filled("search", "--item", 1, "-p").stdout.splitlines()) == 3


def test_captions_are_found_for_a_picture(filled: Run, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("image,caption\nred.jpg,a red barn\nblue.webp,a blue door\n")
    assert "2 captions" in filled("index", photos, "--captions", "c.csv", "--images", photos).stdout
    assert filled("captions", photos / "red.jpg", "-k", 1).stdout.split("\t")[-2] == "a red barn"


def test_captions_without_any_text_are_the_models(filled: Run, photos: Path) -> None:
    found = filled("captions", photos / "red.jpg", "--vlm", "colours")
    assert found.stdout == "generated: a red picture\n"
    assert "the library has no texts yet" in found.stderr
    as_object = as_json(filled("captions", photos / "red.jpg", "--vlm", "colours", "--json"))
    assert (as_object["generated"], as_object["hits"]) == ("a red picture", [])


def test_counts_are_of_all_pictures_where_no_filter_passes(filled: Run) -> None:
    assert "0 of 4 pictures, " in filled("search", "camera:nikon", code=1).stderr
    assert "1 of 1 picture that passes, 4 in all, " in filled("search", "red path:red.jpg").stderr


def test_a_folder_alone_is_a_question(filled: Run, photos: Path) -> None:
    (photos / "Hund").mkdir()
    (photos / "lime.png").rename(photos / "Hund" / "lime.png")
    filled("index", photos)
    assert filled("search", "--within", "Hund", "-p").stdout == f"{photos / 'Hund' / 'lime.png'}\n"


def test_suggestions_are_said_and_can_be_typed(filled: Run, photos: Path) -> None:
    (photos / "2019-07 Italy").mkdir()
    (photos / "lime.png").rename(photos / "2019-07 Italy" / "lime.png")
    filled("index", photos)
    assert "perhaps: 'path:\"2019-07 Italy\"' (1 picture)" in filled("search", "2019-07", code=1).stderr


def test_a_contact_sheet_is_a_page_with_the_hits_in_it(filled: Run, tmp_path: Path) -> None:
    filled("search", "red", "--sheet", "sheet.html")
    page = (tmp_path / "sheet.html").read_text()
    assert page.count("<figure>") == page.count("data:image/webp;base64,") == 4
    assert "http" not in page
    assert page.count('<a href="file:///') == 2 * 4, "picture and name lead to the file"


def test_a_contact_sheet_is_a_picture_of_the_hits(filled: Run, tmp_path: Path) -> None:
    filled("search", "red", "--sheet", "sheet.png")
    with Image.open(tmp_path / "sheet.png") as sheet:
        pixels = np.asarray(sheet.convert("RGB")).astype(int)
    red = (pixels[..., 0] > 200) & (pixels[..., 1] < 60) & (pixels[..., 2] < 60)
    assert red.sum() > 2000


def test_a_sheet_escapes_what_it_shows(filled: Run, tmp_path: Path) -> None:
    filled("search", "<script>red</script>", "--sheet", "s.html")
    assert "<script>" not in (tmp_path / "s.html").read_text()


def test_status_counts_files_and_different_pictures(filled: Run) -> None:
    assert "4 files, 4 different pictures" in filled("status").stdout


def test_remove_says_how_many_files_have_left_the_library(filled: Run, photos: Path) -> None:
    assert filled("remove", photos / "red.jpg").stdout == "1 file removed from the library\n"
    assert as_json(filled("status", "--json"))["items"] == 3


def test_check_finds_nothing_wrong_after_a_removal(filled: Run, photos: Path) -> None:
    filled("remove", photos / "red.jpg")
    assert filled("check").stdout == "all is well\n"


@pytest.mark.slow
def test_remove_forgets_a_model_that_no_longer_answers(filled: Run, photos: Path, tmp_path: Path) -> None:
    assert "no unused embeddings of .colours." in filled("remove", "--model", "colours", code=2).stderr.replace(
        "'", "."
    )
    filled("index", photos, "--model", "builtin", "-q")
    assert filled("remove", "--model", "colours").stdout == "4 embeddings of colours removed from the library\n"
    assert not list((tmp_path / "library" / "vectors").glob("1-*"))
    assert filled("check").stdout == "all is well\n"
    filled("index", photos, "--model", "colours", "-q")
    assert "red.jpg" in filled("search", "red", "-k", 1).stdout


def test_remove_wants_something_to_forget(filled: Run) -> None:
    assert "name the files" in filled("remove", code=2).stderr


def test_an_unknown_model_makes_no_library(run: Run, photos: Path, tmp_path: Path) -> None:
    run("index", photos, "--model", "ViT-B-32/nothing", code=4)
    assert not (tmp_path / "library").exists()


def test_check_exits_with_one_until_repaired(filled: Run, tmp_path: Path) -> None:
    next((tmp_path / "library" / "vectors").glob("1-picture-*")).unlink()
    assert "wrong: the vector file" in filled("check", code=1).stdout
    assert "mended:" in filled("check", "--repair").stdout
    assert filled("check").stdout == "all is well\n"


def test_eval_prints_what_scripts_read(run: Run, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("image,caption\nred.jpg,red\nblue.webp,blue\n")
    found = as_json(run("eval", "c.csv", "--images", photos, "--json"))
    assert found == {
        "text_to_image": {"R@1": 100.0, "R@5": 100.0, "R@10": 100.0, "MRR": 100.0},
        "image_to_text": {"R@1": 100.0, "R@5": 100.0, "R@10": 100.0, "MRR": 100.0},
        "images": 2,
        "captions": 2,
        "model": "colours",
    }
    assert "text -> image" in run("eval", "c.csv", "--images", photos).stdout


def test_models_are_listed(run: Run) -> None:
    assert run("models").stdout.splitlines()[1].startswith("builtin\t")
    assert json.loads(run("models", "--json").stdout)["models"][0]["installed"] is True


# --- what is refused ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["search", ""], 2, "query is empty"),
        (["search", "red", "-k", "0"], 2, "at least 1"),
        (["search", "red", "-k", "x"], 2, "not a valid integer"),
        (["search"], 2, "say what to look for"),
        (["search", "red foo:bar"], 2, "  red foo:bar\n      ^^^^^^^"),
        (["search", "red", "--nonsense"], 2, "No such option"),
        (["nonsense"], 2, "to search: retrieval search nonsense"),
        (["serach", "dog"], 2, "perhaps `retrieval search`"),
        (["index", "--index", "other"], 2, "name at least one folder"),
        (["index", "nowhere"], 5, "nowhere does not exist"),
        (["index", "--captions", "nowhere.csv"], 5, "cannot read the captions"),
        (["search", "--image", "nowhere.jpg"], 5, "no such file"),
        (["search", "red", "--index", "nowhere"], 3, "retrieval index FOLDER --index nowhere"),
        (["search", "red", "--sheet", "a.pdf"], 2, "a .html or .png file"),
        (["remove", "nowhere"], 5, "nothing was removed"),
        (["check", "--index", "nowhere"], 3, "no library"),
        (["index", "photos", "--model", "nonsense", "--index", "other"], 4, "is not a model"),
        (["index", "photos", "--model", "ViT-B-32/openai", "--index", "other"], 4, "models pull"),
        (["models", "pull", "ViT-B-32/openai"], 4, "network"),
        (["eval", "nowhere.csv", "--images", "photos"], 5, "cannot read the captions"),
        (["eval", "nowhere.csv"], 2, "give both or none"),
        (["eval"], 2, "has 0 captions by people and needs 20"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_bad_input_is_one_line_with_the_next_step(filled: Run, arguments: list[str], code: int, says: str) -> None:
    result = filled(*arguments, code=code)
    assert says in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("query", ["x" * 10_000, "🐕", "一只狗", "--", "-red"])
def test_strange_words_are_a_query_too(filled: Run, query: str) -> None:
    assert len(filled("search", "-p", "--", query).stdout.splitlines()) == 4


def test_no_hit_is_exit_code_one(filled: Run) -> None:
    assert "passes the filter" in filled("search", "red", "--within", "nothing/*", code=1).stderr


def test_a_reader_that_goes_away_is_no_error(filled: Run, tmp_path: Path) -> None:
    command = f"{sys.executable} -m retrieval search red --index {tmp_path / 'library'} | head -c 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert len(done.stdout) == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_and_option_has_help_with_examples(command: str) -> None:
    found = cli.get_command(None, command)  # type: ignore[arg-type]  # it needs no context
    assert found is not None
    assert "Examples:" in (found.help or "")
    parts = [found, *(found.commands.values() if isinstance(found, Group) else ())]
    options = [option for part in parts for option in part.params if isinstance(option, Option)]
    assert options
    assert all(option.help for option in options)
    assert CliRunner().invoke(found, ["--help"]).exit_code == 0


def test_pictures_and_words_are_one_query(filled: Run, photos: Path) -> None:
    both = json.loads(filled("search", "--image", photos / "red.jpg", "--image", photos / "lime.png", "--json").stdout)
    assert {Path(hit["path"]).name for hit in both["hits"][:3]} == {"red.jpg", "lime.png", "yellow.bmp"}
    sides = filled("search", "blue OR red type:png", "--image", photos / "lime.png", "--json").stdout
    assert json.loads(sides)["query"] == f"(blue OR red type:png) similar:{photos / 'lime.png'}"
