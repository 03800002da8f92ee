"""The code that trains the built-in models: what can be checked without training them."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.pre_tokenizers import Whitespace
from training import (
    captioner_recipe,
    captions,
    drawn,
    end_to_end,
    grids,
    last_stage,
    questions,
    recipe,
    rewards,
    starts,
    telling,
    unreadable,
    vocabulary,
)
from training.captioner import Captioner, Shape

from retrieval.encoders import builtin_torch, builtin_weights
from retrieval.encoders.builtin_encoder import BUILTIN as BUILTIN_ENCODER
from retrieval.encoders.builtin_encoder import BuiltinEncoder
from retrieval.encoders.builtin_towers import BuiltinTowers
from retrieval.vlm.builtin_captioner import BuiltinCaptioner, _unpacked

UNCALIBRATED = {"weight": 1.0, "calibration": {kind: [1.0, 0.0] for kind in ("thing", "number", "sentence")}}
WORDS = ["quick", "brown", "fox", "jumps"]


def test_drawn_pictures_are_the_same_each_time_and_say_what_they_show(tmp_path: Path) -> None:
    first = drawn.draw(tmp_path / "a", 21, WORDS, seed=1)
    second = drawn.draw(tmp_path / "b", 21, WORDS, seed=1)
    assert first.captions == second.captions
    assert len(first.pictures) == len(first.captions) == 21
    for one, other in zip(first.pictures, second.pictures, strict=True):
        assert one.read_bytes() == other.read_bytes()
    said = {caption for each in first.captions for caption in each}
    assert {"a document", "an abstract drawing"} <= said
    assert all(len(set(each)) == len(each) > 1 for each in first.captions)


def test_unreadable_pictures_are_the_same_each_time_and_say_why(tmp_path: Path) -> None:
    photos = [tmp_path / f"{number}.png" for number in range(12)]
    for number, path in enumerate(photos):
        Image.linear_gradient("L").rotate(30 * number).convert("RGB").save(path)
    first = unreadable.make(tmp_path / "a", 24, photos, WORDS, seed=1)
    second = unreadable.make(tmp_path / "b", 24, photos, WORDS, seed=1)
    for one, other in zip(first.pictures, second.pictures, strict=True):
        assert one.read_bytes() == other.read_bytes()
    assert first.captions == second.captions
    assert {caption for (caption,) in first.captions} == set(unreadable.SAID)


def test_a_grid_is_pooled_as_adaptive_pooling_does() -> None:
    cells = torch.randn(2, 5, 9, 9)
    wanted = torch.nn.functional.adaptive_avg_pool2d(cells, grids.SIDE).flatten(2)
    found = torch.from_numpy(grids.pooling(9)) @ cells.flatten(2).transpose(1, 2)
    assert torch.allclose(found[:, :-1].transpose(1, 2), wanted, atol=1e-6)
    assert torch.allclose(found[:, -1], cells.mean((2, 3)), atol=1e-6)


def test_a_mirrored_grid_swaps_left_and_right() -> None:
    grid = torch.arange(grids.SIDE**2).view(grids.SIDE, grids.SIDE)
    tokens = torch.cat([grid.flatten(), torch.tensor([-1])])[telling.MIRRORED]
    assert tokens[-1] == -1
    assert torch.equal(tokens[:-1].view(grids.SIDE, grids.SIDE), grid.flip(1))


def test_cider_is_ten_for_the_same_caption_and_nothing_for_another() -> None:
    captions_of = [[[1, 2, 3, 4, 5], [1, 2, 3, 6, 5]], [[7, 8, 9, 10], [7, 8, 11, 10]]]
    cider = rewards.Cider.of(captions_of)
    assert cider([1, 2, 3, 4, 5], [captions_of[0][0]]) == pytest.approx(10)
    assert cider([7, 8, 9, 10], captions_of[0]) == 0
    assert cider([1, 2, 3, 4, 5], captions_of[0]) > cider([1, 2, 3], captions_of[0]) > 0


@pytest.mark.parametrize(
    ("caption", "said", "count"),
    [
        ("a man with a dog", {"people", "dogs"}, 0),
        ("a man with a frisbee", {"man", "dog"}, 1),
        ("two women on a bench", {"dog", "park"}, 2),
        ("he runs quickly", {"dog"}, 0),
    ],
)
def test_an_invention_is_a_noun_that_no_caption_has(caption: str, said: set[str], count: int) -> None:
    assert rewards.inventions(caption, said, {"man", "woman", "dog", "frisbee", "bench"}) == count


def test_an_occupation_is_given_to_the_first_person() -> None:
    said = captions.employed("a woman and a man smile", random.Random(3))
    assert said.split()[1] in captions.OCCUPATIONS or said.split()[2] in captions.OCCUPATIONS
    assert captions.employed("two dogs run", random.Random(3)) == "two dogs run"


def test_a_paraphrase_says_the_same_in_other_words() -> None:
    said = {captions.paraphrased("a car on a road", random.Random(seed)) for seed in range(20)}
    assert {"an automobile on a highway", "a car on a road"} <= said


def test_questions_ask_as_often_for_what_is_there_as_for_what_is_not() -> None:
    shown = ["dog", "cat", "car", "sofa", "beach", "boat", "tree", "horse"]
    described = [[f"a {what}"] for what in shown]
    asked = questions.nouns(described)
    assert set(shown) <= set(asked)
    likeness = np.random.default_rng(0).normal(size=(len(shown), len(asked)))
    likeness[range(len(shown)), [asked.index(what) for what in shown]] = 9

    def encode(text: str) -> list[int]:
        return [1] if text == "yes" else [0] if text == "no" else [len(text)]

    made = questions.make(described, asked, likeness, encode)
    assert [[question.answer for question in each] for each in made] == [[1, 0]] * len(shown)


@pytest.mark.parametrize(
    ("described", "number"),
    [
        (["Two dogs run.", "two brown dogs", "a black dog"], {"dog": 2}),
        (["A black dog chases a white dog.", "two dogs"], {"dog": 2}),
        (["a couple of dogs", "dogs"], {}),
        (["a couple of dogs"], {"dog": 2}),
        (["a dog", "the dog", "a brown dog", "a dog sits"], {}),
        (["a dog", "a dog sits", "one dog"], {"dog": 1}),
        (["three ladies", "three young ladies and a dog"], {"lady": 3}),
    ],
)
def test_a_number_counts_where_the_captions_agree(described: list[str], number: dict[str, int]) -> None:
    assert questions.counted(described, {"dog", "lady"}) == number


def test_the_captioners_words_are_those_of_the_captions() -> None:
    words = vocabulary.learn(["a dog on the beach", "a red car", "don't stop"] * 5)
    assert words.encode("A dog, on the BEACH").tokens == ["a", "dog", "[UNK]", "on", "the", "beach"]
    assert words.decode(words.encode("a red bar").ids) == "a red bar"
    assert words.encode("question: is it? answer: no").tokens[-1] == "no"
    assert len(words.encode("yes").ids) == 1


# --- the encoder's recipe -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """Sixteen captioned pictures, their folder, and names for the classes."""
    folder = tmp_path_factory.mktemp("few")
    colours = ["red", "lime", "blue", "gold", "black", "white", "teal", "pink"]
    rows = ["image,caption"]
    for number in range(16):
        colour = colours[number % 8]
        Image.new("RGB", (60, 40 + number), colour).save(folder / f"{number}.png")
        rows += [f"{number}.png,a {colour} wall on the left", f"{number}.png,a man paints it {colour}"]
    table, labels = folder / "captions.csv", folder / "labels.txt"
    table.write_text("\n".join(rows), encoding="utf-8")
    own = list(captions.ALSO) + [f"thing {number}" for number in range(1000 - len(captions.ALSO))]
    labels.write_text("\n".join(own), encoding="utf-8")
    return table, folder, labels


@pytest.fixture
def random_starts(monkeypatch: pytest.MonkeyPatch) -> Callable[..., starts.Starts]:
    """Both networks with random weights, and WordPiece of a few words, in the place of the published ones."""
    words = "[PAD] [UNK] a man wall it on the left paints red blue photo of picture thing".split()
    spelled = Tokenizer(WordPiece({word: number for number, word in enumerate(words)}, unk_token="[UNK]"))
    spelled.pre_tokenizer = Whitespace()

    def load_starts(drop_path: float = 0.0, dropout: float = 0.0) -> starts.Starts:
        towers = BuiltinTowers(drop_path, dropout)
        return starts.Starts(towers, torch.randn(1000, 1280) / 36, torch.zeros(1000), spelled.to_str().encode())

    monkeypatch.setattr(recipe, "load_starts", load_starts)
    return load_starts


def test_single_things_are_asked_for_where_captions_name_them(random_starts: Callable[[], starts.Starts]) -> None:
    begun = random_starts()
    said = [["a dog runs"], ["a woman with a dog"], ["a red car"]]
    nouns = last_stage.Nouns.of(said, starts.encode(begun.tokenizer), begun.towers)
    words = [frozenset(caption.split()) for each in said for caption in each]
    assert any("car" in noun.words and noun.others for noun in nouns.things), "an automobile is one, too"
    _, target = nouns.shown(words, 50, 5)
    things = {tuple(row) for row in target.tolist()}
    assert {(0.5, 0.5, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)} <= things
    assert all(row[0] == row[2] == 0 for row in target[-5:].tolist()), "no dog and no car has an occupation"


@pytest.mark.slow
def test_the_recipe_trains_averages_and_packs_a_model_that_the_package_runs(
    few: tuple[Path, Path, Path], random_starts: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, folder, labels = few
    small = end_to_end.Plan(batch=8, sizes=((1.0, 64),), teacher_size=64, words=8)
    monkeypatch.setattr(recipe, "ON_CPU", small)
    monkeypatch.setattr(recipe, "DECODED", 64)
    monkeypatch.setattr(last_stage, "Stage", partial(last_stage.Stage, batch=8, classes=20, words=20))
    options = recipe.Options(
        train=((table, folder),), choose=((table, folder),), repeat=(2,),
        work=tmp_path / "work", out=tmp_path / "model",
        image_size=64, device="cpu", seed=0, labels=labels, minutes=0.01, runs=2, epochs=1, drawn=25, start=None,
    )  # fmt: skip
    recipe.run(options)
    encoder = BuiltinEncoder.load(tmp_path / "model")
    picture = encoder.prepare(Image.new("RGB", (90, 60), "red"))
    assert picture.shape == (64, 64, 3)
    torch_rows = builtin_torch.load(encoder, "cpu", "float32")
    assert (encoder.images([picture]) * torch_rows.images([picture])).sum() >= 0.9999
    texts = ["a red wall", "a man"]
    assert (encoder.texts(texts) * torch_rows.texts(texts)).sum(axis=1).min() >= 0.9999
    lines = [json.loads(line) for line in (tmp_path / "work" / "log.jsonl").read_text().splitlines()]
    measured = [line for line in lines if any("t2i R@1" in name for name in line)]
    assert [line.get("epoch", "written") for line in measured] == [-1, 0, "written"]
    # A second training goes on from the mean of the runs, with the cached features.
    cached = {path: path.stat().st_mtime_ns for path in (tmp_path / "work").glob("*-features-*.npy")}
    assert len(cached) == 3
    recipe.run(replace(options, start=tmp_path / "work" / "end-to-end.safetensors", out=tmp_path / "again"))
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "work").glob("*-features-*.npy")} == cached
    assert (tmp_path / "again" / "image.onnx").read_bytes() == (tmp_path / "model" / "image.onnx").read_bytes()


def test_int8_matrices_keep_what_they_multiply() -> None:
    torch.manual_seed(0)
    name, value, row = "text.bert.encoder.layer.0.x.weight", torch.randn(384, 384), torch.randn(384)
    stored = builtin_weights.quantised(name, value)
    assert {key: each.dtype for key, each in stored.items()} == {name: torch.int8, f"{name}.scale": torch.float16}
    again = builtin_weights.restored(stored)[name]
    assert torch.nn.functional.cosine_similarity(again @ row, value @ row, dim=0) > 0.9999


def test_the_mean_of_runs_is_a_mean() -> None:
    mean = recipe._mean([{"a": torch.tensor([1.0, 3.0])}, {"a": torch.tensor([3.0, 5.0])}])
    assert mean["a"].tolist() == [2, 4]


# --- the captioner's recipe -----------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_captioners_recipe_trains_and_writes_a_model_that_the_package_runs(
    few: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    table, folder, _ = few
    captioner_recipe.run(
        captioner_recipe.Options(
            train=((table, folder),), choose=((table, folder),), repeat=(2,), work=tmp_path / "work",
            out=tmp_path / "model", device="cpu", seed=0, encoder=BUILTIN_ENCODER, epochs=2,
            reward_epochs=1, unreadable=26, start=None,
        )
    )  # fmt: skip
    lines = [json.loads(line) for line in (tmp_path / "work" / "captioner.jsonl").read_text().splitlines()]
    logged = {key for line in lines for key in line}
    assert {"caption", "answer", "reward", f"dev0-{folder.name} nats", f"dev0-{folder.name} blind"} <= logged
    settings = tmp_path / "model" / "config.json"
    settings.write_text(json.dumps(json.loads(settings.read_text()) | UNCALIBRATED))
    model = BuiltinCaptioner.load(tmp_path / "model")
    pictures = [Image.open(path).convert("RGB") for path in sorted(folder.glob("*.png"))[:3]]
    assert len(model.caption(pictures)) == 3
    alone, together = (model.judge("a red wall", some)[0].yes for some in (pictures[:1], pictures))
    assert alone == pytest.approx(together, abs=1e-5)
    # The graphs answer as the torch module that was trained.
    teacher = Captioner(Shape(model.tokenizer.get_vocab_size())).eval()
    teacher.load_state_dict(load_file(tmp_path / "work" / "captioner.safetensors"))
    looked, _ = _unpacked(model.vision_features(pictures))
    text = model.tokenizer.encode("a red wall on the left").ids
    (row,) = model.decoder.log_probabilities([text], looked[:1])
    with torch.inference_mode():
        seen = torch.from_numpy(looked[:1])
        tokens = torch.tensor([[model.decoder.start, *text[:-1]]])
        said = teacher.logits(teacher.read(tokens, teacher.pictures(seen))[0]).log_softmax(-1)[0]
    assert row == pytest.approx(said[range(len(text)), text].numpy(), abs=0.02)
