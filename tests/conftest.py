"""What tests share: pictures made on the spot, libraries on the colour encoder, and where the real data lies."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from retrieval import Library, Settings

ROOT = Path(__file__).parent.parent
DATA = Path(os.environ.get("RETRIEVAL_TEST_DATA", ROOT.parent / "shared" / "data"))

needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"the data sets for training and tests are not at {DATA}")


@pytest.fixture(autouse=True)
def _own_world(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads the user's settings, nor any library of theirs, nor the network."""
    home = tmp_path_factory.mktemp("home")
    for name in [name for name in os.environ if name.startswith("RETRIEVAL_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("RETRIEVAL_CONFIG", str(home / "config.toml"))
    monkeypatch.setenv("XDG_DATA_HOME", str(home))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


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
