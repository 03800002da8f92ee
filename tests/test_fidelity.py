"""All shortcuts together find what the plain way finds: full decode, torch, float32, every pair compared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from retrieval import Library, Settings
from retrieval.encoders import builtin_torch
from retrieval.encoders.builtin_encoder import BuiltinEncoder
from retrieval.sources.caption_files import read_captions
from retrieval.types.records import Caption, Kind, Vectors

from .conftest import DATA

pytestmark = pytest.mark.slow

LARGER = 3  # times the held-back pictures are made, so that JPEGs are decoded at reduced scale
K = 10


@pytest.fixture(scope="module")
def queries(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, str]:
    """Flickr8k's held-back photos, larger, each with its first caption."""
    folder = tmp_path_factory.mktemp("photos")
    first: dict[Path, str] = {}
    for row in read_captions(DATA / "flickr8k" / "dev.csv", DATA / "flickr8k" / "dev"):
        if isinstance(row, Caption) and row.picture is not None:
            first.setdefault(row.picture, row.text)
    for path in first:
        with Image.open(path) as image:
            size = image.width * LARGER, image.height * LARGER
            image.resize(size, Image.Resampling.BICUBIC).save(folder / path.name, quality=90)
    return {folder / path.name: text for path, text in first.items()}


@torch.inference_mode()
def plain(queries: dict[Path, str]) -> tuple[Vectors, Vectors]:
    """Unit rows of pictures and of texts, by torch."""
    model = builtin_torch.load(BuiltinEncoder.load(), "cpu", "float32")
    paths, rows = list(queries), []
    for start in range(0, len(paths), 32):
        images = [Image.open(path).convert("RGB") for path in paths[start : start + 32]]
        rows.append(model.images([model.prepare(image) for image in images]))
    return np.concatenate(rows), model.texts(list(queries.values()))


@pytest.mark.data
def test_every_shortcut_together_finds_what_the_plain_way_finds(queries: dict[Path, str], tmp_path: Path) -> None:
    """Cosines of at least 0.999, and recall@10 within 0.3 points."""
    paths = list(queries)
    pictures, texts = plain(queries)
    best = np.argsort(-(texts @ pictures.T), axis=1)[:, :K]
    expected = np.mean([place in best[place] for place in range(len(paths))])
    settings = Settings(model="builtin")
    with Library.create(tmp_path / "library", settings) as library:
        library.index([paths[0].parent])
    with Library.open(tmp_path / "library", settings) as library:
        found = 0
        for path, text in queries.items():
            answer = library.search(text, k=K, threshold="none", fold=False)
            found += path in {hit.path for hit in answer.hits}
        with library.storage.read() as catalog:
            contents = catalog.items.contents_at(set(paths))
        stored = library.storage.vectors.rows(Kind.PICTURE, [contents[path] for path in paths])
    cosines = (stored * pictures).sum(axis=1)
    assert cosines.min() >= 0.999
    assert expected > 0.6
    assert abs(found / len(paths) - expected) <= 0.003
