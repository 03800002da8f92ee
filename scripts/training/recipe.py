"""The encoder's steps in order: end to end, the mean of the runs, cached features, the last stage, the packed model.

Knows files and the order; the steps know how.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO

import click
import numpy as np
import torch
from PIL import Image
from rich.progress import Progress
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from retrieval.encoders.builtin_encoder import BuiltinEncoder
from retrieval.encoders.builtin_towers import DIMENSIONS, FEATURES, BuiltinTowers
from retrieval.encoders.fold_batchnorm import fold

from . import captions, drawn, end_to_end, features, last_stage, pack, pixels, shared
from .captions import Captioned
from .knowledge import Knowledge
from .starts import CONTEXT, Encode, Starts, encode, load_starts

DECODED = 224  # side of the pictures that stay in memory
ON_CPU = end_to_end.Plan(batch=192, sizes=((0.5, 128), (1.0, 160)), teacher_size=192, captions=2)
DRAWN_TIMES = 2  # times that an epoch shows each drawn picture
COMMON = 5  # times that a word must stand in captions to be one whose neighbours are kept


@dataclass(frozen=True)
class Options(shared.Common):
    """What `train_builtin.py encoder` was asked for; its help says what each means."""

    image_size: int
    labels: Path
    minutes: float
    runs: int
    epochs: int
    drawn: int
    start: Path | None


def run(options: Options) -> None:
    """Everything, from files to files."""
    options.begin()
    with Progress(*shared.columns()) as progress, (options.work / "log.jsonl").open("a", encoding="utf-8") as log:
        starts = load_starts()
        steps = _Steps(options, starts, encode(starts.tokenizer), captions.class_names(options.labels), progress, log)
        steps.last_stage(steps.towers())
    click.echo(f"written: {options.out}")


def write(towers: BuiltinTowers, tokenizer: bytes, folder: Path, side: int) -> None:
    """Write the finished model into `folder`: weights, graphs, tokenizer and configuration."""
    fingerprint = pack.write(towers, folder, side)
    (folder / "tokenizer.json").write_bytes(tokenizer)
    config = {"dimensions": DIMENSIONS, "image_size": side, "context": CONTEXT, "fingerprint": fingerprint}
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")


@dataclass
class _Steps:
    """The steps, and what all of them read."""

    options: Options
    starts: Starts
    tokens: Encode
    names: Sequence[Sequence[str]]  # of ImageNet's classes
    progress: Progress
    log: TextIO

    def __post_init__(self) -> None:
        options = self.options
        self.read = {name: captions.read(*pair) for name, pair in shared.names("train", options.train).items()}
        self.held_back = {name: captions.read(*pair) for name, pair in shared.names("dev", options.choose).items()}
        self.repeats = dict(zip(self.read, options.repeats, strict=True))

    def towers(self) -> BuiltinTowers:
        """The mean of several runs' weights ("model soups", Wortsman et al. 2022), or the weights of `--start`."""
        options, found = self.options, BuiltinTowers()
        if options.start:
            found.load_state_dict({name: value.float() for name, value in load_file(options.start).items()})
            return found
        plan = end_to_end.Plan() if options.place.type == "cuda" else ON_CPU
        plan, workers = replace(plan, seconds=60 * options.minutes), min(16, os.cpu_count() or 1)
        pictures = {n: pixels.decoded(d.pictures, DECODED, workers, self.progress) for n, d in self.read.items()}
        counts = {name: len(data) * self.repeats[name] for name, data in self.read.items()}
        shares = {name: count / sum(counts.values()) for name, count in counts.items()}
        runs: list[dict[str, Tensor]] = []
        for number in range(options.runs):
            torch.manual_seed(options.seed + number)
            starts = load_starts(drop_path=0.15 + 0.1 * (number % 2), dropout=0.1)
            trainer = end_to_end.Trainer(starts, plan, options.place, self.log, self.tokens, self.names)
            parts = {name: trainer.part(data, pictures[name]) for name, data in self.read.items()}
            trainer.run(parts, shares, self.progress)
            runs.append({name: value.float().cpu() for name, value in trainer.average.state_dict().items()})
            save_file(_mean(runs), options.work / "end-to-end.safetensors")
        found.load_state_dict(_mean(runs))
        return found

    def last_stage(self, towers: BuiltinTowers) -> None:
        """The last stage on cached features of photos and drawings; the model is written and measured."""
        spoken = [caption for data in self.read.values() for each in data.captions for caption in each]
        if self.options.drawn:
            words = sorted({word for caption in spoken for word in caption.split()})
            folder = self.options.work / "drawn"
            self.read["drawn"] = drawn.draw(folder, self.options.drawn, words, self.options.seed)
            self.repeats["drawn"] = DRAWN_TIMES
        seen = self._features(towers)
        parts = [last_stage.Part.of(n, data, seen[n], self.tokens, towers) for n, data in self.read.items()]
        believed = torch.cat([part.features[:, 0].float() for part in parts])
        kept = last_stage.Texts.of(self.tokens(_words(spoken, self.names)), towers)
        trainer = last_stage.Trainer(
            towers, parts, list(self.repeats.values()), Knowledge.of(believed, self.starts.weight, self.starts.bias),
            last_stage.ClassNames.of(self.names, self.tokens, towers),
            last_stage.Nouns.of([each for data in self.read.values() for each in data.captions], self.tokens, towers),
            kept, self.log,
        )  # fmt: skip

        def after(epoch: int) -> None:
            for name, data in self.held_back.items():
                shared.say(self.log, epoch=epoch, **_trained(trainer.average, name, data, seen[name], self.tokens))

        after(-1)
        trainer.run(last_stage.Stage(epochs=self.options.epochs), self.progress, after)
        write(trainer.average, self.starts.tokenizer, self.options.out, self.options.image_size)
        for name, data in self.held_back.items():
            exact = _trained(trainer.average, name, data, seen[name], self.tokens)
            small = _packed(self.options.out, name, data)
            shared.say(self.log, written=str(self.options.out), **small)
            for measure, value in exact.items():
                click.echo(f"{measure:<40} {value:6.2f} in float32, {small[measure]:6.2f} as written")

    def _features(self, towers: BuiltinTowers) -> dict[str, np.ndarray]:
        """The finished image tower's pooled features of all pictures; of sets shown often, of mirror images too."""
        trunk: Any = fold(towers.visual.eval())
        known, found = features.fingerprint(trunk), {}
        for name, data in (self.read | self.held_back).items():
            views = min(2, self.repeats.get(name, 1))
            shown = features.Views(
                data.pictures, views, size=self.options.image_size, crops=False, seed=self.options.seed
            )
            path = self.options.work / f"{name}-features-{known}.npy"
            found[name] = features.cache(shown, _Pooled(trunk), (FEATURES,), path, self.progress)
        return found


class _Pooled(nn.Module):
    """The image tower without its head."""

    def __init__(self, tower: Any) -> None:
        super().__init__()
        self.tower = tower

    def forward(self, pictures: Tensor) -> Tensor:
        pooled: Tensor = self.tower.features(pictures)
        return pooled


def _mean(runs: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.stack([each[name] for each in runs]).mean(0).contiguous() for name in runs[0]}


def _words(spoken: Sequence[str], names: Sequence[Sequence[str]]) -> list[str]:
    """The single words whose neighbours the last stage keeps: of captions, classes and occupations."""
    counts = Counter(word for caption in spoken for word in re.findall("[a-z]{3,}", caption.lower()))
    common = {word for word, count in counts.items() if count >= COMMON}
    return sorted(common | {name.lower() for each in names for name in each} | set(captions.OCCUPATIONS))


@torch.inference_mode()
def _trained(towers: BuiltinTowers, name: str, data: Captioned, seen: np.ndarray, tokens: Encode) -> dict[str, float]:
    """Recall of the towers in training."""
    images = torch.nn.functional.normalize(towers.visual.head(torch.from_numpy(seen[:, 0]).float()), dim=-1)
    spoken = [caption for captions in data.captions for caption in captions]
    texts = torch.cat([towers.encode_text(tokens(spoken[k : k + 256]), True) for k in range(0, len(spoken), 256)])
    return _recalls(name, data, images, texts)


def _packed(folder: Path, name: str, data: Captioned) -> dict[str, float]:
    """Recall of the finished model, from pictures, as the package runs it."""
    encoder = BuiltinEncoder.load(folder)
    pictures = (encoder.prepare(Image.open(path).convert("RGB")) for path in data.pictures)
    images = torch.cat([torch.from_numpy(encoder.images([picture])) for picture in pictures])
    texts = torch.from_numpy(encoder.texts([caption for captions in data.captions for caption in captions]))
    return _recalls(name, data, images, texts)


def _recalls(name: str, data: Captioned, images: Tensor, texts: Tensor) -> dict[str, float]:
    """Recall@1, @5 and @10 in percent, both ways, over all pictures and captions of a held-back set."""
    owner = torch.repeat_interleave(torch.arange(len(data)), torch.tensor([len(each) for each in data.captions]))
    scores = texts @ images.T
    own = owner[:, None] == torch.arange(len(data))[None]
    best = scores.masked_fill(~own, -torch.inf).max(0).values
    ranks = {"t2i": (scores > scores.gather(1, owner[:, None])).sum(1), "i2t": (scores > best[None]).sum(0)}
    return {
        f"{name} {way} R@{k}": round(100 * (rank < k).float().mean().item(), 2)
        for way, rank in ranks.items() for k in (1, 5, 10)
    }  # fmt: skip
