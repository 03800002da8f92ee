"""The captioner's steps in order: the encoder's eye, cached picture tokens, questions, training, the exported model.

Knows files and the order; the steps know how. Reads the caches that the encoder's recipe left, where it left some.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import click
import numpy as np
import torch
from rich.progress import Progress

from . import backbone, captioner, captions, features, questions, shared, telling


@dataclass(frozen=True)
class Options(shared.Common):
    """What `train_builtin.py captioner` was asked for; its help says what each means."""

    encoder: Path
    epochs: int
    batch: int
    captions: int
    layers: int
    rate: float
    question_steps: int
    start: Path | None


def run(options: Options) -> None:
    """Everything, from files to files."""
    options.begin()
    with Progress(*shared.columns()) as progress, (options.work / "captioner.jsonl").open("a", encoding="utf-8") as log:
        _train(options, progress, log)
    click.echo(f"written: {options.out}")


def _train(options: Options, progress: Progress, log: TextIO) -> None:
    encoder, words = captioner.encoder_of(options.encoder)
    tokens = captioner.tokenizer(words)
    repeats = options.repeats
    read = {name: captions.read(*pair) for name, pair in shared.names("train", options.train).items()}
    held_back = {name: captions.read(*pair) for name, pair in shared.names("dev", options.choose).items()}
    asked = questions.nouns([each for data in read.values() for each in data.captions])

    def told(name: str, data: captions.Captioned, seen: np.ndarray, *, ask: bool) -> telling.Told:
        lines = [[tokens(text, add_special_tokens=False).input_ids for text in each] for each in data.captions]
        if not ask:
            return telling.Told(name, seen, lines)
        likeness = _likeness(encoder, words, seen, asked)
        made = questions.make(
            data.captions, asked, likeness, lambda text: tokens(text, add_special_tokens=False).input_ids
        )
        return telling.Told(name, seen, lines, made)

    sets = [
        told(name, data, _tokens(options, name, data, times, encoder, progress), ask=True)
        for (name, data), times in zip(read.items(), repeats, strict=True)
    ]
    dev = [
        told(name, data, _whole(options, name, data, encoder, progress), ask=False) for name, data in held_back.items()
    ]
    model = captioner.build(tokens, encoder, options.layers, options.image_size)
    _standardise(model.model.vision_tower, sets)
    teller = telling.Teller(model, sets, repeats, tokens.bos_token_id, tokens.eos_token_id, log, options.place)

    def after(epoch: int) -> None:
        found: dict[str, float] = {}
        for each in dev:
            found |= teller.measure(each)
        shared.say(log, epoch=epoch, **found)
        captioner.export(teller.average, tokens, options.image_size, options.out)

    done = options.work / "captioner.pt"
    if options.start:
        captioner.restore(model, options.start)
        teller.average.load_state_dict(model.state_dict())
    elif done.exists():
        model.load_state_dict(torch.load(done, weights_only=True))
        teller.average.load_state_dict(model.state_dict())
    else:
        teller.run("captions", options.epochs, options.batch, options.rate, options.captions, progress, after)
        torch.save(model.state_dict(), done)
    if options.question_steps:
        teller.run_questions(options.question_steps, 0.2 * options.rate, progress, after)


def _tokens(
    options: Options, name: str, data: captions.Captioned, times: int, encoder: Any, progress: Progress
) -> np.ndarray:
    """Picture tokens of all views, from the activations that the encoder's training cached."""
    trunk = encoder.visual.trunk
    views = features.Views(data.pictures, 2 * times, seed=options.seed)
    lower = backbone.without_norms(backbone.lower_half(trunk))
    seen = features.cache(views, lower, features.SHAPE, options.work / f"{name}.npy", progress, 128)
    upper = backbone.without_norms(backbone.upper_half(trunk))
    eye = captioner.Eye(None, upper, options.image_size // 16).eval()
    shape = (captioner.PICTURE, captioner.FEATURES)
    path = options.work / f"{name}-tokens-{features.fingerprint(upper)}.npy"
    return features.passed_on(seen, eye, shape, path, progress)


def _whole(options: Options, name: str, data: captions.Captioned, encoder: Any, progress: Progress) -> np.ndarray:
    """Picture tokens as the finished model sees the pictures."""
    trunk = encoder.visual.trunk
    lower, upper = (backbone.without_norms(half(trunk)) for half in (backbone.lower_half, backbone.upper_half))
    eye = captioner.Eye(lower, upper, options.image_size // 16).eval()
    views = features.Views(data.pictures, 1, options.image_size, seed=options.seed)
    shape = (captioner.PICTURE, captioner.FEATURES)
    path = options.work / f"{name}-eye-{features.fingerprint(upper)}.npy"
    return features.cache(views, eye, shape, path, progress, 128)


def _standardise(eye: Any, sets: Sequence[telling.Told]) -> None:
    """Mean and spread of each channel over a sample of all cells."""
    rows = [told.seen[:: max(1, len(told) // 2000), 0].reshape(-1, captioner.FEATURES) for told in sets]
    cells = torch.from_numpy(np.concatenate(rows).astype(np.float32))
    eye.mean.copy_(cells.mean(0))
    eye.spread.copy_(cells.std(0) + 0.05)


@torch.inference_mode()
def _likeness(encoder: Any, words: Any, seen: np.ndarray, asked: Sequence[str]) -> np.ndarray:
    """The encoder's cosine of each picture and `a photo of a WORD`: (pictures, words)."""
    texts = encoder.encode_text(words([f"a photo of a {word}" for word in asked]), normalize=True)
    mean = torch.from_numpy(seen[:, 0, -1].astype(np.float32))
    images = torch.nn.functional.normalize(encoder.visual.head(mean), dim=-1)
    found: np.ndarray = (images @ texts.T).numpy()
    return found
