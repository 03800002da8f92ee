"""What is shipped for running the server: its commands exist, and it asks for no more rights than it needs."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml
from click import Group, Option

from retrieval import Library
from retrieval.cli import COMMANDS, cli

from ..conftest import COLOURS
from ..serving import serving

ROOT = Path(__file__).parent.parent.parent
FILES = ("Dockerfile", "scripts/deploy/retrieval.service", "docs/deploy.md", "docs/http.md")


def commands(text: str) -> list[list[str]]:
    """Every call of the program in a text."""
    found = re.findall(r"(?:^|[\s/`])retrieval ((?:serve|token|index|mcp)[^\n`]*)", text)
    exec_form = re.findall(r"^CMD (\[.*\])$", text, re.MULTILINE)
    return [shlex.split(line, comments=True) for line in found] + [yaml.safe_load(line) for line in exec_form]


def options(name: str) -> set[str]:
    command = cli.get_command(None, name)  # type: ignore[arg-type]  # it needs no context
    assert command is not None
    parts = [command, *(command.commands.values() if isinstance(command, Group) else ())]
    return {option for part in parts for each in part.params if isinstance(each, Option) for option in each.opts}


@pytest.mark.parametrize("file", FILES)
def test_every_command_that_is_shipped_exists_with_its_options(file: str) -> None:
    found = commands((ROOT / file).read_text(encoding="utf-8"))
    assert found
    for name, *words in found:
        assert name in COMMANDS
        assert {word for word in words if word.startswith("--")} <= options(name), (name, words)


def test_the_container_runs_as_nobody_in_particular_on_a_read_only_root() -> None:
    docker = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert re.search(r"^USER retrieval$", docker, re.MULTILINE)
    assert "HEALTHCHECK" in docker
    service = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]["retrieval"]
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert service["ports"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert service["volumes"][1].endswith(":ro")


def test_what_compose_and_the_image_are_told_is_known_to_them() -> None:
    docker = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    known = set(re.findall(r"^ARG (\w+)", docker, re.MULTILINE))
    variables = set(re.findall(r"RETRIEVAL_SERVE_(\w+)", docker))
    for file in ("compose.yaml", "compose.gpu.yaml"):
        service = yaml.safe_load((ROOT / file).read_text(encoding="utf-8"))["services"]["retrieval"]
        assert set(service["build"]["args"]) <= known
        variables |= {name.removeprefix("RETRIEVAL_SERVE_") for name in service.get("environment", ())}
    spelled = {"--" + name.lower().replace("_", "-") for name in variables}
    assert {"--host", "--root", "--create", "--host-name", "--forwarded-allow-ips"} <= spelled <= options("serve")
    assert "/readyz" in docker
    assert "HF_HUB_OFFLINE" not in docker, "models are pulled into their volume"


def test_the_options_of_serve_may_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "photos").mkdir()
    with Library.create(tmp_path / "library", COLOURS):
        pass
    monkeypatch.setenv("RETRIEVAL_SERVE_HOST_NAME", "nas.local photos.home")
    monkeypatch.setenv("RETRIEVAL_SERVE_ROOT", str(tmp_path / "photos"))
    with serving(tmp_path / "library") as server, server.client() as client:
        assert client.get("/v1/roots", headers={"host": "photos.home"}).json()["roots"] == {
            "photos": str(tmp_path / "photos")
        }


def test_the_health_check_of_the_image_tells_a_server_that_cannot_answer(tmp_path: Path) -> None:
    docker = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    check = json.loads(re.search(r"HEALTHCHECK .*?CMD (\[.*?\])$", docker.replace("\\\n", ""), re.M | re.S)[1])  # type: ignore[index]
    with Library.create(tmp_path / "library", COLOURS):
        pass
    with serving(tmp_path / "library") as server:
        command = [part.replace("8000", str(server.port)) for part in check]
        assert subprocess.run(command, timeout=20).returncode == 0
        server.stop()
        assert subprocess.run(command, timeout=20, stderr=subprocess.DEVNULL).returncode != 0


def test_the_unit_can_write_its_library_alone() -> None:
    unit = (ROOT / "scripts" / "deploy" / "retrieval.service").read_text(encoding="utf-8")
    for line in ("DynamicUser=yes", "ProtectSystem=strict", "NoNewPrivileges=yes", "StateDirectory=retrieval"):
        assert line in unit.splitlines()


def test_nothing_of_the_checkout_but_the_program_goes_into_the_image() -> None:
    assert (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()[0] == "*"
