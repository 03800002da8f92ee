"""The built-in captioner: small, loaded without torch, calibrated, and as good as its card says."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import skimage
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from retrieval import ModelError, UsageError, pictures
from retrieval.sources.caption_files import read_captions
from retrieval.types.records import Caption
from retrieval.vlm import IMAGE_SIZE, onnx_decoder
from retrieval.vlm.builtin_captioner import BLURRED, OTHER, REFUSED, BuiltinCaptioner
from retrieval.vlm.model_name import BUILTIN
from retrieval.vlm.onnx_decoder import BeamSearch

from ..conftest import DATA, ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def captioner() -> BuiltinCaptioner:
    return BuiltinCaptioner.load()


def photo(name: str) -> Image.Image:
    return pictures.load(Path(skimage.__file__).parent / "data" / name, IMAGE_SIZE).image


def test_the_captioner_is_small_and_has_a_card() -> None:
    assert sum(file.stat().st_size for file in BUILTIN.iterdir() if file.is_file()) <= 20_000_000
    card = (BUILTIN / "MODEL_CARD.md").read_text(encoding="utf-8")
    for heading in ("## Data", "## Terms", "## Numbers", "## Limits"):
        assert heading in card


def test_it_says_what_a_photo_shows_one_by_one_as_in_a_batch(captioner: BuiltinCaptioner) -> None:
    images = [photo("chelsea.png"), photo("motorcycle_left.png"), photo("camera.png")]
    said = captioner.caption(images)
    assert "cat" in said[0]
    assert "motorcycle" in said[1]
    assert "man" in said[2]
    assert "camera" in said[2]
    assert said == [captioner.caption([image])[0] for image in images]


def test_it_judges_what_is_there_above_what_is_not(captioner: BuiltinCaptioner) -> None:
    looks = captioner.vision_features([photo("chelsea.png"), photo("rocket.jpg"), photo("coffee.png")])
    for query, right in (("a cat", 0), ("a cup of coffee on a table", 2)):
        verdicts = [judgement.yes for judgement in captioner.judge_features(query, looks)]
        assert verdicts.index(max(verdicts)) == right


def test_it_answers_yes_or_no_and_refuses_what_it_cannot(captioner: BuiltinCaptioner) -> None:
    cat = photo("chelsea.png")
    assert [captioner.answer([cat], question) for question in ("is there a cat?", "is there a car?")] == ["yes", "no"]
    with pytest.raises(UsageError, match="yes-or-no"):
        captioner.answer([cat], "what is this?")
    with pytest.raises(UsageError, match="one picture at a time, not 2"):
        captioner.answer([cat, cat], "is there a cat?")
    for refused in (
        lambda: captioner.chat([]), lambda: captioner.ground(cat, "a cat"), lambda: captioner.segment(cat, "a cat"),
    ):  # fmt: skip
        with pytest.raises(UsageError, match=r"cannot do .*; it can: answer, caption"):
            refused()


def test_kept_features_are_judged_as_their_pictures_are(captioner: BuiltinCaptioner) -> None:
    images = [photo("chelsea.png"), photo("coffee.png")]
    looks = captioner.vision_features(images)
    assert [(str(look.dtype), look.shape) for look in looks] == [("float16", (39, 256))] * 2
    for kept, seen in (
        (captioner.judge_features("a cat", looks), captioner.judge("a cat", images)),
        (captioner.verify_features("is there a cat?", looks), captioner.verify("is there a cat?", images)),
    ):
        assert np.allclose([each.yes for each in kept], [each.yes for each in seen], atol=1e-3)
        assert np.allclose([each.mass for each in kept], [each.mass for each in seen], atol=1e-3)
        assert kept[0].yes > kept[1].yes


def test_the_prior_of_a_text_is_that_without_a_picture(captioner: BuiltinCaptioner) -> None:
    """A sentence that says little is no better than one that says much and is right."""
    looks = captioner.vision_features([photo("motorcycle_left.png")])
    right, empty, wrong = (
        captioner.judge_features(text, looks)[0].yes
        for text in ("a motorcycle is parked in a garage", "a picture", "a girl is swimming in the sea")
    )
    assert right > empty > wrong


def test_it_says_that_it_cannot_describe_pages_screens_drawings_and_blur(captioner: BuiltinCaptioner) -> None:
    page, cat = photo("page.png"), photo("chelsea.png")
    screen = pictures.load(ROOT / "docs" / "page.webp", IMAGE_SIZE).image
    blurred = cat.filter(ImageFilter.GaussianBlur(cat.width / 12))
    said = captioner.caption([page, screen, blurred])
    assert all(text.startswith(REFUSED) for text in said), said
    assert said[0] == REFUSED + OTHER
    assert said[2] == REFUSED + BLURRED


@pytest.mark.data
def test_it_refuses_receipts_and_describes_photos(captioner: BuiltinCaptioner) -> None:
    def said(folder: str) -> list[str]:
        paths = sorted((DATA / folder).glob("*.jpg"))
        return captioner.caption([pictures.load(path, IMAGE_SIZE).image for path in paths])

    receipts, photos = said("receipts"), said("photos")
    assert sum(text.startswith(REFUSED) for text in receipts) >= 0.9 * len(receipts) > 0
    assert sum(text.startswith(REFUSED) for text in photos) <= 1


def test_it_needs_no_torch() -> None:
    program = """
import sys
from PIL import Image
from retrieval import Settings
from retrieval.library import backends
model = backends.vlm(Settings())
picture = Image.new("RGB", (90, 60), "red")
print(model.caption([picture]), model.judge("a wall", [picture]), model.verify("is there a dog?", [picture]))
heavy = {"torch", "transformers", "open_clip", "scipy"} & set(sys.modules)
sys.exit(" ".join(heavy) or 0)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json", "read.onnx", "look.onnx"])
def test_damaged_files_are_named(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(BUILTIN, folder)
    (folder / name).write_bytes((folder / name).read_bytes()[:90])
    with pytest.raises(ModelError, match=str(folder)):
        BuiltinCaptioner.load(folder).judge("a cat", [Image.new("RGB", (90, 60))])


def test_its_fingerprint_is_that_of_its_weights() -> None:
    said = json.loads((BUILTIN / "config.json").read_text(encoding="utf-8"))["fingerprint"]
    assert said == hashlib.blake2b((BUILTIN / "model.safetensors").read_bytes(), digest_size=8).hexdigest()


# --- beam search ------------------------------------------------------------------------------------------------------


@given(st.integers(0, 10_000), st.integers(1, 4))
@settings(deadline=None, max_examples=30)
def test_wide_beams_find_the_likeliest_text(seed: int, longest: int) -> None:
    """Against every text of a small vocabulary whose words depend on the last one only."""
    chances = np.random.default_rng(seed).normal(size=(4, 4)).astype(np.float32)
    chances -= np.log(np.exp(chances).sum(axis=1, keepdims=True))
    how = BeamSearch(beams=64, longest=longest, penalty=1.0)
    search, last = onnx_decoder._Beams(3, how), [0]
    for _ in range(longest):
        going = search.step(np.stack([chances[word] for word in last]).copy())
        last = [word for _, word in going]
        if not going:
            break
    best = search.found()[0]
    every = [
        (float(sum(chances[a, b] for a, b in zip((0, *text), (*text, 3), strict=True))) / (len(text) + 1), list(text))
        for size in range(longest)
        for text in product(range(3), repeat=size)
    ]
    assert best[0] == pytest.approx(max(every)[0], abs=1e-5)


def test_no_three_words_stand_twice() -> None:
    assert onnx_decoder._repeating([5, 6, 7, 1, 5, 6]) == [7]
    assert onnx_decoder._repeating([5, 6]) == []


@pytest.mark.data
def test_it_captions_as_well_as_its_card_says(captioner: BuiltinCaptioner) -> None:
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
    assert found.score >= 24
