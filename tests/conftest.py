"""What tests share: pictures made on the spot, libraries on the colour encoder, and where the real data lies."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from retrieval import Library, Settings
from retrieval.cli import main

ROOT = Path(__file__).parent.parent
DATA = Path(os.environ.get("RETRIEVAL_TEST_DATA", ROOT.parent / "shared" / "data"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests that need the data sets where they are absent."""
    if not DATA.is_dir():
        absent = pytest.mark.skip(reason=f"the data sets for training and tests are not at {DATA}")
        for item in items:
            if item.get_closest_marker("data"):
                item.add_marker(absent)


@pytest.fixture(autouse=True)
def _own_world(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads the user's settings, nor any library of theirs, nor the network."""
    home = tmp_path_factory.mktemp("home")
    for name in [name for name in os.environ if name.startswith("RETRIEVAL_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("RETRIEVAL_CONFIG", str(home / "config.toml"))
    monkeypatch.setenv("XDG_DATA_HOME", str(home))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def soon(true: Callable[[], bool], seconds: float = 60) -> bool:
    """Whether it becomes true; the seconds only guard against hanging."""
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.02)
    return true()


Paint = Callable[..., Path]


@pytest.fixture
def paint(tmp_path: Path) -> Paint:
    """Make a picture of one colour: `paint("red.jpg")`, `paint("a/b.png", "blue", (30, 20))`."""

    def paint(name: str, colour: str = "", size: tuple[int, int] = (64, 48), **options: object) -> Path:
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, colour or path.stem).save(path, **options)  # type: ignore[arg-type]  # PIL's many options
        return path

    return paint


@pytest.fixture
def photos(paint: Paint) -> Path:
    """A folder with a red, a lime, a blue and a yellow picture, in four formats."""
    paths = [paint(name) for name in ("red.jpg", "lime.png", "blue.webp", "yellow.bmp")]
    return paths[0].parent


COLOURS = Settings(model="colours", workers=2)


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    """An empty library on the colour encoder."""
    with Library.create(tmp_path / "library", COLOURS) as library:
        yield library


Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Call the command line in a folder of its own, on the colour encoder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RETRIEVAL_MODEL", "colours")
    monkeypatch.setenv("RETRIEVAL_INDEX", str(tmp_path / "library"))

    def run(*arguments: object, code: int = 0, input: bytes | None = None) -> Result:
        runner = CliRunner()
        monkeypatch.setattr(sys, "argv", ["retrieval", *map(str, arguments)])
        with runner.isolation(input=input) as (out, err, _):
            found = 0
            try:
                main()
            except SystemExit as exc:
                found = int(exc.code or 0)
            texts = out.getvalue(), err.getvalue()
        assert found == code, texts
        return Result(runner, texts[0], texts[1], b"", None, found, None)

    return run


@pytest.fixture
def filled(run: Run, photos: Path) -> Run:
    run("index", photos)
    return run
