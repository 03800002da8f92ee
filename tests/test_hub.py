"""Fetching a model over real HTTP: done once, resumed when it broke, refused when it is not what was promised."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import open_clip
import pytest
import torch
from safetensors.torch import save_file

from .hub_server import Hub, serve
from .test_encoders import TINY


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    folder = tmp_path / "served"
    folder.mkdir()
    torch.manual_seed(2)
    model = open_clip.model.CLIP(**TINY)
    save_file(
        {name: value.contiguous() for name, value in model.state_dict().items()}, folder / "open_clip_model.safetensors"
    )
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": TINY, "preprocess_cfg": {}}))
    (folder / "README.md").write_text("not needed")
    with serve(Hub(folder)) as hub:
        yield hub


def retrieval(hub: Hub, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own: the hub's client reads its address when it is imported."""
    world = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "RETRIEVAL_"))}
    world |= {"HF_ENDPOINT": hub.address, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1", "NO_PROXY": "127.0.0.1"}
    command = [sys.executable, "-m", "retrieval", *arguments]
    return subprocess.run(command, env=world, capture_output=True, text=True, timeout=120)


def test_a_model_is_fetched_once_and_then_works_without_network(hub: Hub, tmp_path: Path, photos: Path) -> None:
    home = tmp_path / "home"
    done = retrieval(hub, home, "models", "pull", "hf-hub:org/tiny")
    assert done.returncode == 0, done.stderr
    assert len(hub.ranges) == 1
    assert retrieval(hub, home, "models", "pull", "hf-hub:org/tiny").returncode == 0
    assert len(hub.ranges) == 1, "what is here is not fetched again"
    hub.port = 9  # no one answers there
    arguments = ("index", str(photos), "--index", str(tmp_path / "l"), "--model", "hf-hub:org/tiny", "--json")
    assert json.loads(retrieval(hub, home, *arguments).stdout)["encoded"] == 4


def test_a_broken_download_goes_on_where_it_stopped(hub: Hub, tmp_path: Path) -> None:
    hub.break_after = 11_500_000  # the client writes in pieces of 10 MB
    home = tmp_path / "home"
    first = retrieval(hub, home, "models", "pull", "hf-hub:org/tiny")
    second = retrieval(hub, home, "models", "pull", "hf-hub:org/tiny") if first.returncode else first
    assert second.returncode == 0, first.stderr + second.stderr
    starts = [int(asked[6:].split("-")[0]) for asked in hub.ranges if asked]
    assert starts
    assert max(starts) >= 1_000_000
    found = next(home.rglob("open_clip_model.safetensors"))
    assert found.read_bytes() == (hub.folder / found.name).read_bytes()


def test_a_download_that_is_not_whole_is_not_kept(hub: Hub, tmp_path: Path) -> None:
    hub.spoil = True
    done = retrieval(hub, tmp_path / "home", "models", "pull", "hf-hub:org/tiny")
    assert done.returncode == 4
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "home").rglob("open_clip_model.safetensors"))


def test_a_repository_that_is_not_there_is_one_line(hub: Hub, tmp_path: Path) -> None:
    done = retrieval(hub, tmp_path / "home", "models", "pull", "hf-hub:org/nothing")
    assert done.returncode == 4
    assert len(done.stderr.strip().splitlines()) == 1
