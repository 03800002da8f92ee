"""The steps in order: drawn pictures, vocabulary, cached features, three stages of training, the chosen model.

Knows files and the order; the steps know how.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO

import click
import numpy as np
import torch
from open_clip.tokenizer import SimpleTokenizer
from rich.progress import Progress
from torch import nn

from . import backbone, captions, drawn, features, loop, model, shared, tokens
from .knowledge import Knowledge


@dataclass(frozen=True)
class Options(shared.Common):
    """What `train_builtin.py encoder` was asked for; its help says what each means."""

    backbone: Path
    labels: Path
    head_epochs: int
    epochs: int
    text_epochs: int
    batch: int
    layers: int
    merges: int
    drawn: int
    start: Path | None


def run(options: Options) -> None:
    """Everything, from files to files."""
    options.begin()
    with Progress(*shared.columns()) as progress, (options.work / "log.jsonl").open("a", encoding="utf-8") as log:
        _train(options, progress, log)
    options.out.mkdir(parents=True, exist_ok=True)
    for name in ("open_clip_config.json", "open_clip_model.safetensors"):
        shutil.copy(options.work / "best" / name, options.out / name)
        (options.out / name).chmod(0o644)
    shutil.copy(options.work / "bpe.txt.gz", options.out / "bpe.txt.gz")
    click.echo(f"written: {options.out}")


def _train(options: Options, progress: Progress, log: TextIO) -> None:
    network = backbone.load(options.backbone)
    names = captions.class_names(options.labels)
    read = {name: captions.read(*pair) for name, pair in shared.names("train", options.train).items()}
    held_back = {name: captions.read(*pair) for name, pair in shared.names("dev", options.choose).items()}
    repeats = dict(zip(read, options.repeats, strict=True))
    spoken = [caption for data in read.values() for each in data.captions for caption in each]
    if options.drawn:
        words = sorted({word for caption in spoken for word in caption.split()})
        read["drawn"] = drawn.draw(options.work / "drawn", options.drawn, words, options.seed)
        spoken += [caption for each in read["drawn"].captions for caption in each]
        repeats["drawn"] = 1
    tokenizer = _vocabulary(options, spoken, names)
    config = model.configuration(len(tokenizer.encoder), options.layers, options.image_size)

    def parts(network: nn.Module, shape: tuple[int, ...], suffix: str, times: int, **view: Any) -> list[loop.Part]:
        """What `network` says of every set: `times` views of a training picture for each time an epoch shows it."""
        found = []
        for name, data in (read | held_back).items():
            count = times * repeats[name] if name in read else 1
            views = features.Views(data.pictures, count, seed=options.seed, **view)
            path = options.work / f"{name}{suffix}.npy"
            seen = features.cache(views, network, shape, path, progress)
            found.append(loop.Part.of(name, data, seen, tokenizer))
        return found

    fixed = parts(network.lower.to(options.place), features.SHAPE, "", times=2)
    plain = _pooled(options.work, fixed[: len(read)], network.upper)
    believed = torch.cat([torch.as_tensor(part.seen[:, 0]).float() for part in plain])
    knowledge = Knowledge.of(believed, network.classifier_weight, network.classifier_bias)
    encoder = model.DualEncoder(config, network, dropout=(0.5, 0.3))
    unknown = tokens.made_up(spoken, tokenizer)
    trainer = loop.Trainer(
        encoder, plain, list(repeats.values()), knowledge, names, tokenizer, unknown, log, options.place
    )
    keep = _Keeper(trainer, fixed[len(read) :], config, options.work)

    if options.start:
        model.restore(encoder, options.start)
        trainer.average.load_state_dict(encoder.state_dict())
    elif not keep.resume("head"):
        trainer.run(loop.Stage("head", options.head_epochs, 512, rate=1e-3, captions=2), progress, keep.at_the_end)
        keep.save("head")
    encoder.bag_of_words = trainer.average.bag_of_words = False
    trainer.parts = fixed[: len(read)]
    if not options.start and not keep.resume("backbone"):
        stage = loop.Stage(
            "backbone", options.epochs, options.batch,
            rate=4e-4, upper_rate=4e-4, soft=0.4, memory=0.2, made_up=0.15, paraphrase=0.15,
        )  # fmt: skip
        trainer.run(stage, progress, keep.each_epoch)
        keep.save("backbone")
    # Last, the text side and the projection on pictures of the size and the cut that the finished model reads.
    whole = nn.Sequential(network.lower, encoder.upper.eval(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    suffix = f"-final-{features.fingerprint(whole)}"
    final = parts(whole, (1280,), suffix, times=1, size=options.image_size, crops=False)
    trainer.parts, keep.dev, keep.best = final[: len(read)], final[len(read) :], 0.0
    stage = loop.Stage(
        "text", options.text_epochs, 1024, rate=3e-4, captions=5, made_up=0.25, paraphrase=0.15, soft=0.4
    )
    trainer.run(stage, progress, keep.each_epoch)
    keep.save("text")


def _vocabulary(options: Options, spoken: Sequence[str], names: Sequence[Sequence[str]]) -> SimpleTokenizer:
    path = options.work / "bpe.txt.gz"
    if options.start:
        shutil.copy(options.start / path.name, path)
    if not path.exists():
        rare = [name for each in names for name in each] * 2 + list(captions.OCCUPATIONS) * 50
        tokens.train([*spoken, *rare], options.merges, path)
    return tokens.load(path, model.CONTEXT)


def _pooled(work: Path, parts: Sequence[loop.Part], upper: nn.Module) -> list[loop.Part]:
    """The same parts with pooled features, for the stage that leaves the backbone alone."""
    found = []
    for part in parts:
        path = work / f"{part.name}-pooled.npy"
        if not path.exists():
            np.save(path, features.pooled(np.asarray(part.seen), upper.eval()).numpy())
        found.append(replace(part, seen=np.load(path)))
    return found


@dataclass
class _Keeper:
    """Measures the moving average on the dev sets, and keeps the best model and each stage's end."""

    trainer: loop.Trainer
    dev: list[loop.Part]
    config: dict[str, object]
    work: Path
    best: float = 0.0

    def each_epoch(self, epoch: int, last: bool) -> None:  # noqa: ARG002  # the other one looks at `last`
        """Measure; export when it is the best so far."""
        found: dict[str, float] = {}
        for part in self.dev:
            found |= loop.recalls(self.trainer.average, part)
        shared.say(self.trainer.log, epoch=epoch, **found)
        total = sum(value for name, value in found.items() if name.startswith(self.dev[0].name))
        if total > self.best:  # the first set decides, the others are told
            self.best = total
            model.export(self.trainer.average, self.config, self.work / "best")
            (self.work / "best.json").write_text(json.dumps(found, indent=1))

    def at_the_end(self, epoch: int, last: bool) -> None:
        """As `each_epoch`, for a stage whose epochs are short: only after the last."""
        if last:
            self.each_epoch(epoch, last)

    def resume(self, stage: str) -> bool:
        """Load a stage that was finished before; whether there was one."""
        path = self.work / f"{stage}.pt"
        if path.exists():
            found = torch.load(path, weights_only=True)["average"]
            self.trainer.model.load_state_dict(found)
            self.trainer.average.load_state_dict(found)
        return path.exists()

    def save(self, stage: str) -> None:
        """Remember that a stage is finished."""
        torch.save({"average": self.trainer.model.state_dict()}, self.work / f"{stage}.pt")
