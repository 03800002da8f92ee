"""The built-in model: small, loaded as any other, and as good as its card says."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from retrieval import Library, Settings, evaluate_model
from retrieval.encoders.names import BUILTIN

from .conftest import DATA, needs_data


def test_it_is_small() -> None:
    assert sum(file.stat().st_size for file in BUILTIN.iterdir() if file.is_file()) <= 12_000_000


def test_its_card_says_data_terms_numbers_and_limits() -> None:
    card = (BUILTIN / "MODEL_CARD.md").read_text(encoding="utf-8")
    for heading in ("## Data", "## Terms", "## Numbers", "## Limits"):
        assert heading in card


@needs_data
@pytest.mark.parametrize(
    ("name", "t2i_1", "t2i_10", "i2t_10"), [("flickr8k", 24, 66, 74), ("coco", 0, 55, 0)], ids=["flickr8k", "coco"]
)
def test_it_reaches_its_numbers(name: str, t2i_1: float, t2i_10: float, i2t_10: float) -> None:
    found = evaluate_model(DATA / name / "dev.csv", DATA / name / "dev", Settings(model="builtin"))
    assert found.images == 1000
    assert found.text_to_image.recall[1] >= t2i_1
    assert found.text_to_image.recall[10] >= t2i_10
    assert found.image_to_text.recall[10] >= i2t_10


SAMPLES = {
    "a cat": "chelsea.png",
    "a cup of coffee": "coffee.png",
    "a rocket": "rocket.jpg",
    "a woman astronaut": "astronaut.png",
}


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Library:
    import skimage

    folder = tmp_path_factory.mktemp("samples") / "data"
    shutil.copytree(Path(skimage.__file__).parent / "data", folder)
    library = Library.create(tmp_path_factory.mktemp("library") / "samples", Settings(model="builtin"))
    library.index([folder])
    return library


@pytest.mark.parametrize("query", SAMPLES)
def test_sample_photos_are_found_by_words(samples: Library, query: str) -> None:
    """Among all of scikit-image's sample pictures, in the first three."""
    assert SAMPLES[query] in {hit.path.name for hit in samples.search(query, k=3).hits if hit.path}


@needs_data
def test_a_reduced_jpeg_gives_the_same_embedding(tmp_path: Path) -> None:
    """Decoding at reduced scale keeps the embedding: cosine of at least 0.999 to the full decode."""
    from PIL import Image

    from retrieval.encoders.openclip import OpenClip
    from retrieval.pictures import decode

    encoder = OpenClip.load("builtin", "cpu", "float32")
    for path in sorted((DATA / "photos").iterdir())[:12]:
        large = tmp_path / path.name
        Image.open(path).resize((4000, 3000), Image.Resampling.LANCZOS).save(large, quality=92)
        data = large.read_bytes()
        rows = encoder.images([encoder.prepare(decode(data, "a.jpg", least).image) for least in (0, encoder.least)])
        assert rows[0] @ rows[1] >= 0.999
