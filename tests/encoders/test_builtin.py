"""The built-in encoder: small, loaded without torch, and as good as its card says."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import skimage
from PIL import Image

from retrieval import ModelError, ModelUnavailable, Settings, evaluate_model, pictures
from retrieval.encoders import LoadOptions, onnx_towers
from retrieval.encoders.builtin_backend import BuiltinBackend
from retrieval.encoders.builtin_encoder import BUILTIN, WEIGHTS, BuiltinEncoder
from retrieval.encoders.lazy import LazyOpenClip
from retrieval.vlm import IMAGE_SIZE

from ..conftest import DATA

pytestmark = pytest.mark.slow


def test_it_is_small() -> None:
    assert sum(file.stat().st_size for file in BUILTIN.iterdir() if file.is_file()) <= 36_000_000


def test_its_card_says_data_terms_numbers_and_limits() -> None:
    card = (BUILTIN / "MODEL_CARD.md").read_text(encoding="utf-8")
    for heading in ("## Data", "## Terms", "## Numbers", "## Limits"):
        assert heading in card


def test_its_fingerprint_is_that_of_its_weights() -> None:
    """It stands in the configuration: a search does not read 34 MB to know it."""
    said = json.loads((BUILTIN / "config.json").read_text(encoding="utf-8"))["fingerprint"]
    assert said == hashlib.blake2b((BUILTIN / WEIGHTS).read_bytes(), digest_size=8).hexdigest()


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "t2i_1", "t2i_10", "i2t_10"), [("flickr8k", 35, 76, 80), ("coco", 0, 76, 0)], ids=["flickr8k", "coco"]
)
def test_it_reaches_its_numbers(name: str, t2i_1: float, t2i_10: float, i2t_10: float) -> None:
    found = evaluate_model(DATA / name / "dev.csv", DATA / name / "dev", Settings(model="builtin"))
    assert found.images == 1000
    assert found.text_to_image.recall[1] >= t2i_1
    assert found.text_to_image.recall[10] >= t2i_10
    assert found.image_to_text.recall[10] >= i2t_10


@pytest.fixture(scope="module")
def encoder() -> BuiltinEncoder:
    return BuiltinEncoder.load()


@pytest.fixture(scope="module")
def dev(encoder: BuiltinEncoder) -> np.ndarray:
    """Embeddings of Flickr8k's held-back photos."""
    paths = sorted((DATA / "flickr8k" / "dev").glob("*.jpg"))
    return encoder.images([encoder.prepare(Image.open(path).convert("RGB")) for path in paths])


@pytest.mark.data
@pytest.mark.parametrize(
    ("rare", "common", "least"),
    [
        ("automobile", "car", 6),
        ("kitten", "cat", 6),
        ("espresso", "coffee", 3),  # hardly a photo there shows either
        ("infant", "baby", 6),
        ("television", "tv", 6),
    ],
)
def test_a_rare_word_finds_what_the_common_one_finds(
    encoder: BuiltinEncoder, dev: np.ndarray, rare: str, common: str, least: int
) -> None:
    """So many of the first ten are the same."""
    first = np.argsort(-(encoder.texts([rare, common]) @ dev.T), axis=1)[:, :10]
    assert len(set(first[0]) & set(first[1])) >= least


SAMPLES = {
    "a cat": "chelsea.png",
    "a cup of coffee": "coffee.png",
    "a rocket": "rocket.jpg",
    "a woman astronaut": "astronaut.png",
    "espresso": "coffee.png",
    "a horse": "horse.png",
    "a motorcycle": "motorcycle_left.png,motorcycle_right.png",
    "a page of text": "page.png,text.png",
    "a checkerboard": "chessboard_GRAY.png,chessboard_RGB.png",
    "coins": "coins.png",
    "the moon": "moon.png",
    "a brick wall": "brick.png",
    "gravel": "gravel.png",
    "a clock": "clock_motion.png",
    "an x-ray": "phantom.png",
    "grass": "grass.png",
    "a human retina": "retina.jpg",
    "stars in the night sky": "hubble_deep_field.jpg",
    "galaxies": "hubble_deep_field.jpg",
    "cells under a microscope": "cell.png,ihc.png",
    "a man with a camera": "camera.png",
    "a photographer": "camera.png",
    "a tripod": "camera.png",
    "an astronaut": "astronaut.png",
    "a smiling woman": "astronaut.png",
    "a kitten": "chelsea.png",
    "a pet": "chelsea.png",
    "a spoon": "coffee.png",
    "a logo": "logo.png",
    "a color chart": "color.png",
    "a motorbike in a garage": "motorcycle_left.png,motorcycle_right.png",
    "a rocket launch": "rocket.jpg",
    "pebbles": "gravel.png",
    "a brain scan": "phantom.png",
    "blood vessels of an eye": "retina.jpg,microaneurysms.png",
    "printed text": "page.png,text.png",
    "a silhouette": "horse.png",
    "a spacecraft": "rocket.jpg",
}


@pytest.fixture(scope="module")
def samples(encoder: BuiltinEncoder) -> tuple[list[str], np.ndarray]:
    """The names of scikit-image's sample pictures, and their embeddings: names find nothing here."""
    paths = sorted(
        path for path in (Path(skimage.__file__).parent / "data").iterdir() if path.suffix in {".png", ".jpg", ".gif"}
    )
    rows = encoder.images([encoder.prepare(pictures.load(path).image) for path in paths])
    return [path.name for path in paths], rows


NOT_FOUND = {"the moon", "a brick wall", "a clock", "a silhouette"}  # so far


@pytest.mark.parametrize("query", SAMPLES)
def test_sample_photos_are_found_by_words(
    encoder: BuiltinEncoder, samples: tuple[list[str], np.ndarray], query: str
) -> None:
    """Among all of scikit-image's sample pictures, in the first three."""
    names, rows = samples
    best = np.argsort(-(encoder.texts([query]) @ rows.T)[0])[:3]
    found = bool({names[place] for place in best} & set(SAMPLES[query].split(",")))
    assert found is (query not in NOT_FOUND)


# --- the two engines --------------------------------------------------------------------------------------------------


TEXTS = [
    "a dog",
    "two people on bikes, in front of a shop's window",
    "",
    "\u00c9T\u00c9 \u2013 \u65e5\u672c",
    "a " * 60,
    "a dog \x1b[31mred",
]


def test_both_engines_make_the_same_space(encoder: BuiltinEncoder) -> None:
    from retrieval.encoders import builtin_torch

    torch = builtin_torch.load(encoder, "cpu", "float32")
    assert torch.space == encoder.space
    images = [photo(name) for name in ("chelsea.png", "rocket.jpg", "page.png")]
    prepared = [encoder.prepare(image) for image in images]
    assert (encoder.images(prepared) * torch.images(prepared)).sum(axis=1).min() >= 0.9999
    assert (encoder.texts(TEXTS) * torch.texts(TEXTS)).sum(axis=1).min() >= 0.9999
    parts = encoder.patch_features(images[0])
    assert parts.shape == (9, 9, 384)
    assert (parts * torch.patch_features(images[0])).sum(axis=-1).min() >= 0.9999


def test_the_first_texts_of_a_process_are_as_later_ones(encoder: BuiltinEncoder) -> None:
    """They are embedded by a graph that loads faster, because it was not optimised."""
    new = BuiltinEncoder.load()
    first = new.texts(["a dog"])
    light = new.towers._texts._session
    assert light is not None
    for _ in range(onnx_towers.FEW - 1):
        np.testing.assert_allclose(new.texts(["a dog"]), first, atol=1e-6)
        assert new.towers._texts._session is light
    np.testing.assert_allclose(new.texts(["a dog"]), first, atol=1e-6)
    assert new.towers._texts._session is not light
    np.testing.assert_allclose(encoder.texts(["a dog"]), first, atol=1e-6)


def test_another_precision_is_torchs(tmp_path: Path) -> None:
    asked = BuiltinBackend().load("builtin", LoadOptions("cpu", "bfloat16", tmp_path))
    assert isinstance(asked, LazyOpenClip)
    prepared = [asked.prepare(photo("chelsea.png"))]
    cosine = (asked.images(prepared) * BuiltinEncoder.load().images(prepared)).sum()
    assert 0.999 <= cosine < 0.999999


def test_nothing_of_torch_is_needed(tmp_path: Path, photos: Path) -> None:
    """To index, and to search by words and by a picture."""
    picture = next(photos.rglob("*.jpg"))
    code = (
        "import sys\n"
        "for name in ('torch', 'torchvision', 'open_clip', 'timm', 'transformers'): sys.modules[name] = None\n"
        "from retrieval import Library, Settings\n"
        f"with Library.create({str(tmp_path / 'library')!r}, Settings(model='builtin')) as library:\n"
        f"    library.index([{str(photos)!r}])\n"
        "    print(len(library.search('something red', threshold='none').hits))\n"
        f"    print(len(library.search(image={str(picture)!r}).hits))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert all(int(count) > 2 for count in done.stdout.split())


@pytest.mark.parametrize("name", ["image.onnx", "text.onnx", "tokenizer.json", "config.json", WEIGHTS])
@pytest.mark.parametrize("harm", ["cut", "gone"])
def test_a_damaged_file_is_named(tmp_path: Path, name: str, harm: str) -> None:
    folder = tmp_path / "model"
    shutil.copytree(BUILTIN, folder)
    (folder / name).write_bytes((folder / name).read_bytes()[:90])
    if harm == "gone":
        (folder / name).unlink()
    with pytest.raises(ModelError, match=str(folder)):
        broken = BuiltinEncoder.load(folder)
        broken.texts(["a dog"])
        broken.images([broken.prepare(photo("chelsea.png"))])


def test_without_onnx_runtime_the_next_step_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ModelUnavailable, match="pip install"):
        onnx_towers.load(BUILTIN / onnx_towers.TEXT)


def photo(name: str) -> Image.Image:
    return pictures.load(Path(skimage.__file__).parent / "data" / name, IMAGE_SIZE).image


@pytest.mark.data
def test_a_reduced_jpeg_gives_the_same_embedding(encoder: BuiltinEncoder, tmp_path: Path) -> None:
    """Decoding at reduced scale keeps the embedding: cosine of at least 0.999 to the full decode."""
    from retrieval.pictures import decode

    some = sorted((DATA / "photos").iterdir())[:12]
    assert len(some) == 12
    for path in some:
        large = tmp_path / path.name
        Image.open(path).resize((4000, 3000), Image.Resampling.LANCZOS).save(large, quality=92)
        data = large.read_bytes()
        rows = encoder.images(
            [encoder.prepare(decode(data, "a.jpg", least).image) for least in (0, encoder.image_size)]
        )
        assert rows[0] @ rows[1] >= 0.999
