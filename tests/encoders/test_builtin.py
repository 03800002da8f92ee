"""The built-in models: small, loaded as any other, and as good as its card says."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import skimage
from PIL import Image

from retrieval import Library, Settings, UsageError, evaluate_model, pictures
from retrieval.encoders.model_name import BUILTIN
from retrieval.sources.caption_files import read_captions
from retrieval.types.records import Caption
from retrieval.vlm import IMAGE_SIZE
from retrieval.vlm.cached_llava import CachedLlava
from retrieval.vlm.model_name import BUILTIN as CAPTIONER

from ..conftest import DATA

pytestmark = pytest.mark.slow


def test_it_is_small() -> None:
    assert sum(file.stat().st_size for file in BUILTIN.iterdir() if file.is_file()) <= 12_000_000


def test_its_card_says_data_terms_numbers_and_limits() -> None:
    card = (BUILTIN / "MODEL_CARD.md").read_text(encoding="utf-8")
    for heading in ("## Data", "## Terms", "## Numbers", "## Limits"):
        assert heading in card


@pytest.mark.data
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
    folder = tmp_path_factory.mktemp("samples") / "data"
    shutil.copytree(Path(skimage.__file__).parent / "data", folder)
    library = Library.create(tmp_path_factory.mktemp("library") / "samples", Settings(model="builtin"))
    library.index([folder])
    return library


@pytest.mark.parametrize("query", SAMPLES)
def test_sample_photos_are_found_by_words(samples: Library, query: str) -> None:
    """Among all of scikit-image's sample pictures, in the first three."""
    assert SAMPLES[query] in {hit.path.name for hit in samples.search(query, k=3).hits if hit.path}


@pytest.mark.data
def test_a_reduced_jpeg_gives_the_same_embedding(tmp_path: Path) -> None:
    """Decoding at reduced scale keeps the embedding: cosine of at least 0.999 to the full decode."""
    from retrieval.encoders.openclip import OpenClip
    from retrieval.pictures import decode

    encoder = OpenClip.load("builtin", "cpu", "float32")
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


# --- the captioner ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def captioner() -> CachedLlava:
    return CachedLlava.load("builtin", "cpu", "float32")


def photo(name: str) -> Image.Image:
    return pictures.load(Path(skimage.__file__).parent / "data" / name, IMAGE_SIZE).image


def test_the_captioner_is_small_and_has_a_card() -> None:
    assert sum(file.stat().st_size for file in CAPTIONER.iterdir() if file.is_file()) <= 20_000_000
    card = (CAPTIONER / "MODEL_CARD.md").read_text(encoding="utf-8")
    for heading in ("## Data", "## Terms", "## Numbers", "## Limits"):
        assert heading in card


def test_it_says_what_a_photo_shows_one_by_one_as_in_a_batch(captioner: CachedLlava) -> None:
    images = [photo("chelsea.png"), photo("motorcycle_left.png"), photo("camera.png")]
    said = captioner.caption(images)
    assert "cat" in said[0]
    assert "motorcycle" in said[1]
    assert "man" in said[2]
    assert "camera" in said[2]
    assert said == [captioner.caption([image])[0] for image in images]


def test_it_judges_what_is_there_above_what_is_not(captioner: CachedLlava) -> None:
    looks = captioner.vision_features([photo("chelsea.png"), photo("rocket.jpg"), photo("coffee.png")])
    for query, right in (("a cat", 0), ("a cup of coffee on a table", 2)):
        verdicts = [judgement.yes for judgement in captioner.judge_features(query, looks)]
        assert verdicts.index(max(verdicts)) == right


def test_it_answers_yes_or_no_and_refuses_what_it_cannot(captioner: CachedLlava) -> None:
    cat = photo("chelsea.png")
    assert [captioner.answer([cat], question) for question in ("is there a cat?", "is there a car?")] == ["yes", "no"]
    with pytest.raises(UsageError, match="yes-or-no"):
        captioner.answer([cat], "what is this?")


@pytest.mark.data
def test_it_captions_as_well_as_its_card_says(captioner: CachedLlava) -> None:
    """BLEU-4 on the first 200 held-back photos; all 1,000 are measured by benchmarks/captions.py."""
    import sacrebleu

    captions: dict[Path, list[str]] = {}
    for row in read_captions(DATA / "flickr8k" / "dev.csv", DATA / "flickr8k" / "dev"):
        if isinstance(row, Caption) and row.picture is not None:
            captions.setdefault(row.picture, []).append(row.text)
    paths = list(captions)[:200]
    said = captioner.caption([pictures.load(path, IMAGE_SIZE).image for path in paths])

    def plain(text: str) -> str:  # as the benchmark does
        return " ".join(re.findall(r"[a-z0-9']+", text.lower()))

    truth = [[plain(captions[path][number]) for path in paths] for number in range(5)]
    found = sacrebleu.corpus_bleu([plain(text) for text in said], truth, tokenize="none", smooth_method="none")
    assert found.score >= 21
