"""The code that trains the built-in models: what can be checked without training them."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from open_clip.tokenizer import SimpleTokenizer
from training import backbone, captions, drawn, model, questions, tokens

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


def test_without_norms_answers_the_same_and_is_written_back_whole() -> None:
    torch.manual_seed(0)
    trunk: Any = timm.create_model("mobilenetv2_100", pretrained=False, num_classes=0).eval()
    for module in trunk.modules():  # as `backbone.load` leaves them: only a bias
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_var = torch.full_like(module.weight.data, 1 - module.eps)
            torch.nn.init.normal_(module.bias, std=0.1)
    lower, upper = (backbone.without_norms(half(trunk)) for half in (backbone.lower_half, backbone.upper_half))
    pixels = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        assert torch.allclose(upper(lower(pixels)), trunk.forward_features(pixels), atol=1e-3)
    with torch.no_grad():
        for parameter in upper.parameters():
            parameter.mul_(1.1)
    backbone.write_back(upper, trunk)
    with torch.inference_mode():
        assert torch.allclose(upper(lower(pixels)), trunk.forward_features(pixels), atol=1e-3)


@pytest.mark.slow
def test_a_finished_encoder_is_where_another_training_starts(tmp_path: Path) -> None:
    config = model.configuration(vocabulary=80, layers=1, image_size=64)
    pixels, words = torch.randn(2, 3, 64, 64), torch.tensor([[78, 5, 6, 79, 0], [78, 7, 79, 0, 0]])

    def fresh(seed: int) -> tuple[torch.nn.Module, model.DualEncoder]:
        torch.manual_seed(seed)
        trunk: Any = timm.create_model("mobilenetv2_100", pretrained=False, num_classes=0).eval()
        for module in trunk.modules():  # as `backbone.load` leaves them: only a bias
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_var = torch.full_like(module.weight.data, 1 - module.eps)
        lower, upper = (backbone.without_norms(half(trunk)) for half in (backbone.lower_half, backbone.upper_half))
        halves = backbone.Backbone(lower, upper, torch.empty(0), torch.empty(0), trunk)
        return lower, model.DualEncoder(config, halves, dropout=(0.0, 0.0)).eval()

    (lower, first), (_, second) = fresh(1), fresh(2)
    model.export(first, config, tmp_path)
    with torch.inference_mode():
        seen = lower(pixels)
        wanted = first.image_embedding(first.image_features(seen)), first.text_embedding(words)
        before = second.image_embedding(second.image_features(seen)), second.text_embedding(words)
        model.restore(second, tmp_path)
        after = second.image_embedding(second.image_features(seen)), second.text_embedding(words)
    for want, old, new in zip(wanted, before, after, strict=True):
        assert not torch.allclose(want, old, atol=1e-2)
        assert torch.allclose(want, new, atol=1e-2)  # it was kept in float16


def test_a_paraphrase_gives_the_first_person_an_occupation() -> None:
    said = captions.paraphrased("a woman and a man smile", random.Random(3))
    assert said.split()[1] in captions.OCCUPATIONS or said.split()[2] in captions.OCCUPATIONS
    assert captions.paraphrased("two dogs run", random.Random(3)) == "two dogs run"


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


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> SimpleTokenizer:
    path = tmp_path_factory.mktemp("words") / "bpe.txt.gz"
    tokens.train(["a dog on the beach", "a red car", "don't stop, ünïcode"] * 5, 60, path)
    return tokens.load(path, 32)


def test_the_captioners_tokenizer_reads_and_writes_as_the_encoders(tokenizer: SimpleTokenizer) -> None:
    from training import captioner

    words = captioner.tokenizer(tokenizer)
    for text in ("a dog on the beach", "don't stop, ünïcode", "xyz 写"):
        numbers = words(text).input_ids
        assert numbers[0] == words.bos_token_id
        assert numbers[1:] == tokenizer.encode(text)
        said = words.decode(numbers, skip_special_tokens=True)
        assert "".join(said.split()) == "".join(text.split())
    assert words.convert_tokens_to_ids("<image>") == len(words) - 1
    (yes,) = words("Yes", add_special_tokens=False).input_ids
    assert words.decode([yes]) == "yes"
    assert yes in words("question: is it a yes answer:").input_ids
    assert yes not in words("a yesterday").input_ids


def test_dropped_words_leave_no_gap_and_the_ends_stay() -> None:
    row = torch.tensor([[90, 1, 2, 3, 4, 91, 0, 0]])
    torch.manual_seed(0)
    found = tokens.drop_words(row, 0.5, 90)
    kept = found[found > 0].tolist()
    assert kept[0] == 90
    assert kept[-1] == 91
    assert 0 < len(kept) < 6
    assert found[0, len(kept) :].sum() == 0
