"""What all commands have in common: their JSON, exit codes, options and tables (docs/commands.md)."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from retrieval.cli import COMMANDS, cli

from ..conftest import Run

ENDLESS = {"watch", "serve", "mcp", "chat"}  # they run until they are ended, or talk
USUAL: dict[str, list[str]] = {  # a call of each command with --json that succeeds on the library of the fixture
    "index": ["photos"],
    "search": ["red"],
    "why": ["red", "1"],
    "why-not": ["red", "photos/blue.webp"],
    "open": ["1"],
    "captions": ["photos/red.jpg"],
    "caption": ["photos/red.jpg"],
    "ocr": ["photos/red.jpg"],
    "classify": ["photos", "--labels", "red,blue"],
    "ask": ["photos/red.jpg", "is it red?"],
    "ground": ["photos/red.jpg", "red"],
    "save": ["best", "red"],
    "teach": ["@warm", "--yes", "photos/red.jpg", "--no", "photos/blue.webp"],
    "export": ["out"],
    "import": ["out"],
    "duplicates": ["--all"],
    "status": [],
    "remove": ["photos/lime.png", "--dry-run"],
    "relocate": ["photos", "elsewhere"],
    "models": [],
    "vlms": [],
    "token": ["list"],
    "eval": [],
    "check": [],
}
CODES = {"duplicates": 1, "eval": 2}  # there are none; there are too few captions by people


@pytest.fixture
def everything(run: Run, photos: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A library on the colour encoder and its vision-language model; nothing is opened on any screen."""
    monkeypatch.setenv("RETRIEVAL_VLM", "colours")
    monkeypatch.setattr("shutil.which", lambda _name: "true")
    run("index", photos)
    run("search", "red")
    return run


def all_commands() -> Iterator[tuple[str, click.Command]]:
    """Every command and subcommand, by its whole name."""
    for name in COMMANDS:
        command = cli.get_command(None, name)  # type: ignore[arg-type]  # it needs no context
        assert command is not None
        yield name, command
        if isinstance(command, click.Group):
            yield from ((f"{name} {sub}", each) for sub, each in command.commands.items())


def options(command: click.Command) -> set[str]:
    return {spelling for param in command.params if isinstance(param, click.Option) for spelling in param.opts}


def test_every_command_is_tried() -> None:
    assert set(USUAL) | ENDLESS == set(COMMANDS)


@pytest.mark.parametrize("name", [name for name in USUAL if name not in ("ocr", "import", "relocate")])
def test_json_is_one_object_with_the_usual_keys(everything: Run, name: str) -> None:
    found = json.loads(everything(*name.split(), *USUAL[name], "--json", code=CODES.get(name, 0)).stdout)
    assert isinstance(found, dict)
    keys = set(_keys(found))
    assert not keys & {"file", "filename", "image_path", "picture", "hits_path"}, "a file is `path` everywhere"
    assert not keys & {"id", "item_id"}, "a picture's number is `item` everywhere"


def _keys(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield key
            yield from _keys(each)
    elif isinstance(value, list):
        for each in value:
            yield from _keys(each)


def test_a_dry_run_counts_under_the_names_of_the_run(everything: Run, paint_more: Path) -> None:
    planned = json.loads(everything("index", paint_more.parent, "--dry-run", "--json").stdout)
    done = json.loads(everything("index", paint_more.parent, "--json").stdout)
    assert (planned["added"], planned["unchanged"]) == (done["added"], done["unchanged"]) == (1, 4)
    assert planned["files"]["added"] == [str(paint_more)]


@pytest.fixture
def paint_more(photos: Path) -> Path:
    from PIL import Image

    path = photos / "white.png"
    Image.new("RGB", (30, 20), "white").save(path)
    return path


@pytest.mark.parametrize(
    ("arguments", "kind", "code"),
    [
        (["search", "dog", "nothing:here"], "QueryError", 2),
        (["search", "--nonsense"], "NoSuchOption", 2),
        (["caption", "nowhere.jpg"], "NotIndexed", 5),
        (["status", "--index", "nowhere"], "LibraryNotFound", 3),
        (["nonsense"], "UsageError", 2),
    ],
)
def test_errors_are_objects_too(everything: Run, arguments: list[str], kind: str, code: int) -> None:
    found = everything(*arguments, "--json", code=code)
    error = json.loads(found.stdout)["error"]
    assert (error["type"], error["exit_code"]) == (kind, code)
    assert error["message"]
    assert found.stderr, "people read it there"


@pytest.mark.parametrize(
    "arguments",
    [
        ["index", "nowhere"],
        ["search", "--image", "nowhere.jpg"],
        ["why-not", "red", "nowhere.jpg"],
        ["captions", "nowhere.jpg"],
        ["caption", "nowhere.jpg"],
        ["caption", "nowhere.jpg", "--set", "x"],
        ["ocr", "nowhere.jpg"],
        ["classify", "nowhere", "--labels", "a,b"],
        ["ask", "nowhere.jpg", "what?"],
        ["ground", "nowhere.jpg", "red"],
        ["teach", "@warm", "--yes", "nowhere.jpg"],
        ["import", "nowhere"],
        ["duplicates", "nowhere"],
        ["remove", "nowhere"],
        ["remove", "nowhere", "--dry-run"],
        ["relocate", "nowhere", "photos"],
    ],
)
def test_a_file_that_is_not_there_is_the_same_trouble_everywhere(everything: Run, arguments: list[str]) -> None:
    found = everything(*arguments, code=5)
    assert "nowhere" in found.stdout + found.stderr


@pytest.mark.parametrize(
    ("arguments", "header"),
    [
        (["search", "red"], ["rank", "score", "sure", "picture", "caption"]),
        (["classify", "--all", "--labels", "red,blue"], ["label", "margin", "path"]),
        (["models"], ["model", "params"]),
        (["vlms"], ["family", "route"]),
        (["token", "list"], ["name", "scope", "folder", "made"]),
        (["status", "--problems"], ["path", "reason", "message"]),
        (["save"], ["name", "query"]),
        (["teach"], ["name", "yes", "no"]),
    ],
)
def test_a_table_in_a_pipe_has_a_header_and_tabs(everything: Run, arguments: list[str], header: list[str]) -> None:
    lines = everything(*arguments).stdout.splitlines()
    assert lines[0].split("\t")[: len(header)] == header
    assert len({line.count("\t") for line in lines}) == 1


def test_options_have_the_same_names_everywhere() -> None:
    for name, command in all_commands():
        has = options(command)
        assert ("-k" in has) == ("--limit" in has), name
        takes_places = any(isinstance(each, click.Argument) and each.name == "places" for each in command.params)
        assert not takes_places or "--all" in has or name == "watch", name
        if " " not in name:
            assert {"-v", "--verbose", "-q", "--quiet"} <= has, name
        shown = {
            opt for each in command.params if isinstance(each, click.Option) and not each.hidden for opt in each.opts
        }
        assert "--forget" not in shown, f"{name}: what is taken out is removed"
    assert {"-V", "--version"} <= options(cli)


def test_earlier_names_still_work_and_say_the_new_ones(everything: Run) -> None:
    everything("save", "best", "red")
    assert "--remove now" in everything("save", "best", "--forget").stderr
    assert everything("save").stdout == "name\tquery\n"


def test_quiet_leaves_the_answer_and_errors_only(everything: Run) -> None:
    found = everything("search", "red", "-q")
    assert found.stderr == ""
    assert found.stdout
    assert everything("-q", "search", "red").stderr == ""
    assert "no such file" in everything("search", "--image", "nowhere.jpg", "-q", code=5).stderr


def test_words_need_no_quotes_and_a_file_beside_them_is_named(everything: Run, photos: Path) -> None:
    assert everything("search", "a", "red", "door").stdout == everything("search", "a red door").stdout
    found = everything("search", photos / "red.jpg")
    assert f"--image {photos / 'red.jpg'}" in found.stderr


def opener(place: Path, does: str) -> str:
    """A program that opens files, as a script."""
    path = place / "opener"
    path.write_text(f"#!/bin/sh\n{does}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.skipif(sys.platform != "linux", reason="the system's own program opens files")
def test_hits_are_opened_by_their_numbers(
    everything: Run, photos: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    opens = opener(tmp_path, f'echo noise; echo "$1" >> {tmp_path}/opened')
    monkeypatch.setattr("shutil.which", lambda _name: opens)
    everything("search", "red")
    everything("open", "1")
    everything("open", "1", "2", "--folder")
    assert (tmp_path / "opened").read_text().splitlines() == [str(photos / "red.jpg"), str(photos), str(photos)]
    assert "has no hit 77; it has hits 1 to 4" in everything("open", "77", code=2).stderr
    opener(tmp_path, "echo no viewer >&2; exit 3")
    assert "no program to open" in everything("open", "2", code=5).stderr
    (photos / "red.jpg").rename(tmp_path / "away.jpg")
    assert "no such file" in everything("open", "1", code=5).stderr
    monkeypatch.setattr("shutil.which", lambda _name: None)
    assert "no program to open" in everything("open", "2", code=5).stderr
    opener(tmp_path, "sleep 30")  # a viewer that stays
    monkeypatch.setattr("shutil.which", lambda _name: opens)
    everything("open", "2")


def test_without_a_last_answer_nothing_is_opened(run: Run) -> None:
    assert "search for something first" in run("open", "1", code=2).stderr


def test_search_lists_its_options_in_sections(run: Run) -> None:
    told = run("search", "--help").stdout
    for title in ("What to look for:", "Which pictures:", "How hits are shown:", "Options:"):
        assert title in told
    command = cli.get_command(None, "search")  # type: ignore[arg-type]  # it needs no context
    assert command is not None
    assert all(opt in told for opt in options(command))
    assert sys.argv[0] == "retrieval"


def test_a_query_that_begins_with_a_minus_is_told_where_to_stand(everything: Run) -> None:
    assert "-- -people beach" in everything("search", "-people beach", code=2).stderr
    assert everything("search", "--", "-people beach").stdout


@pytest.mark.parametrize("sheet", ["out.pdf", "nowhere/out.html"])
def test_a_sheet_that_cannot_be_written_is_said_before_the_search(everything: Run, sheet: str) -> None:
    found = everything("search", "red", "--sheet", sheet, code=2 if sheet == "out.pdf" else 5)
    assert found.stdout == ""


def test_a_page_beyond_the_last_says_how_many_there_are(everything: Run) -> None:
    assert "there are 2 pages of 2" in everything("search", "red", "-k", "2", "--page", "9", code=1).stderr


def test_rows_of_a_caption_file_are_not_promised_among_the_problems(everything: Run, tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("image,caption\nnowhere.jpg,a\n")
    said = everything("index", "--captions", "c.csv").stderr
    assert "1 rows of caption files could not be used (1 missing-picture); picture names" in said
    assert "status --problems" not in said


@pytest.mark.slow
@pytest.mark.parametrize("command", [["status"], ["search", "red"], ["models"]])
def test_a_reader_that_goes_is_no_failure(everything: Run, tmp_path: Path, command: list[str]) -> None:
    everything("status")
    writing = subprocess.Popen(
        [sys.executable, "-m", "retrieval", *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert writing.stdout is not None
    writing.stdout.close()
    assert writing.wait(60) == 0
    assert tmp_path.exists()
