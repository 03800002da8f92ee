"""The documentation can fail: its sessions are run, and no command or option is missing from it."""

from __future__ import annotations

import logging
import re
import shutil
from pathlib import Path

import pytest
from click import Group, Option

from retrieval.cli import COMMANDS, cli
from retrieval.errors import QueryError
from retrieval.queries import interpret
from retrieval.queries.fields import FIELDS

from .conftest import ROOT, Paint

DOCS = ROOT / "docs"
README = ROOT / "README.md"
PAGES = [README, ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("name", sorted(path.name for path in DOCS.glob("*.md") if blocks(path, "python")))
def test_the_python_examples_run(name: str, paint: Paint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each page's examples run in order, in a folder with a few pictures, on the colour encoder."""
    photos = [paint(each) for each in ("red.jpg", "lime.png", "blue.webp")]
    shutil.copytree(photos[0].parent, tmp_path / "work" / "photos")
    (tmp_path / "work" / "captions.csv").write_text("image,caption\nred.jpg,a red door\nblue.webp,the blue sea\n")
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("RETRIEVAL_MODEL", "colours")
    monkeypatch.setattr(logging.getLogger("retrieval"), "level", logging.NOTSET)  # one example sets it
    names: dict[str, object] = {}
    for block in blocks(DOCS / name, "python"):
        exec(compile(block, name, "exec"), names)


def test_every_command_and_option_is_documented() -> None:
    page = (DOCS / "commands.md").read_text(encoding="utf-8")
    for name in COMMANDS:
        command = cli.get_command(None, name)  # type: ignore[arg-type]  # it needs no context
        assert command is not None
        assert f"\n## {name}\n" in page
        section = page.split(f"\n## {name}\n")[1].split("\n## ")[0]
        parts = [command, *(command.commands.values() if isinstance(command, Group) else ())]
        for option in (each for part in parts for each in part.params if isinstance(each, Option)):
            if option.hidden:  # an earlier name
                continue
            place = page if option.name in ("verbose", "quiet") else section  # every command has them
            assert f"`{max(option.opts, key=len)}" in place, f"{name}: {option.opts}"


def test_every_error_code_is_documented() -> None:
    from retrieval.errors import RetrievalError

    page = (DOCS / "commands.md").read_text(encoding="utf-8")
    codes = {kind.exit_code for kind in RetrievalError.__subclasses__()}
    assert codes
    assert [code for code in codes if f"| {code} |" not in page] == []


def test_the_examples_of_the_query_language_are_understood() -> None:
    page = (DOCS / "queries.md").read_text(encoding="utf-8")
    queries = [line for block in blocks(DOCS / "queries.md", "query") for line in block.splitlines()]
    assert len(queries) > 10
    for query in queries:
        assert interpret(query).alternatives
    dated = blocks(DOCS / "queries.md", "query")[1].splitlines()
    assert len(dated) > 3
    assert all(interpret(query).notes for query in dated)
    rows = re.findall(r"^\| `(\w+):` \| `(.+)` \| (.+) \|$", page, re.MULTILINE)
    assert [(name, example, help) for name, example, help in rows] == [
        (name, field.example, field.help) for name, field in FIELDS.items()
    ]


def test_the_error_on_the_page_is_the_one_that_comes() -> None:
    with pytest.raises(QueryError) as caught:
        interpret("a dog camra:nikon")
    assert blocks(DOCS / "queries.md", "text") == [f"{caught.value}\n"]


def test_the_readme_names_the_two_commands_and_only_files_that_exist() -> None:
    text = README.read_text(encoding="utf-8")
    assert "./scripts/demo" in text
    assert "./scripts/test" in text
    links = re.findall(r"\]\((?!http)([^)#]+)\)", text)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
    commands = set(re.findall(r"^retrieval (\w+)", "\n".join(blocks(README, "sh")), re.MULTILINE))
    assert commands
    assert commands <= set(COMMANDS)


def test_no_page_names_a_registry_or_a_machine() -> None:
    for path in PAGES:
        assert not re.search(r"/work/|/tmp/|pypi\.org", path.read_text(encoding="utf-8")), path


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_and_files_that_are_named_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\((?!http|#)([^)#]+)", text) if not (page.parent / link).exists()]
    assert links == []
    if page.name == "CHANGELOG.md" or page.parent.name == "decisions":
        return  # these say what was
    files = set(re.findall(r"`((?:[a-z_0-9]+/)*[a-z_0-9]+\.(?:py|toml|sql))`", text))
    places = [ROOT, ROOT / "retrieval", ROOT / "scripts", ROOT / "docs"]
    known = {path.name for path in (ROOT / "retrieval").rglob("*.py")} | {"config.toml"}
    missing = [file for file in files if not any((place / file).exists() for place in places) and file not in known]
    assert missing == []
