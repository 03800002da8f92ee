"""The first stage: both towers end to end, from their public starts, in the time that is given.

Contrastive learning with several captions a picture. A part of the target follows the frozen MiniLM's similarity of
captions; ImageNet's classes, from the frozen classifier, and the frozen MiniLM's neighbours of single words keep what
the starts know. Knows batches and the schedule; does not know files.
"""

from __future__ import annotations

import copy
import math
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TextIO

import torch
from rich.progress import Progress
from torch import Tensor, nn
from torch.nn.functional import linear, normalize

from retrieval.encoders.builtin_towers import DIMENSIONS, PADDING, BuiltinTowers

from . import losses, pixels, shared
from .captions import Captioned
from .knowledge import Knowledge
from .starts import Encode, Starts

SIDES = re.compile(r"\b(left|right)\b")  # a picture whose captions say this is not mirrored


@dataclass(frozen=True)
class Plan:
    """How long and how hard; the defaults are for a large GPU."""

    seconds: float = 300.0
    batch: int = 1024
    sizes: tuple[tuple[float, int], ...] = ((0.4, 160), (1.0, 224))  # until this share of the time, side in pixels
    teacher_size: int = 240
    captions: int = 3  # of a picture at a time, at most
    image_rate: float = 8e-4
    image_decay: float = 0.85  # of the rate, for each stage down
    text_rate: float = 1e-4
    text_decay: float = 0.75  # of the rate, for each layer down
    head_rate: float = 1e-3
    weight_decay: float = 0.1
    average: float = 0.03  # time constant of the moving average, as a share of the time
    crop: float = 0.4  # least share of a picture that a crop shows
    soft: float = 0.3  # share of the target that follows the frozen MiniLM
    temperature: float = 0.09
    token_drop: float = 0.1  # share of tokens that half of the captions lose
    words: int = 192
    of_class: float = 0.3  # weights of the other losses
    of_classifier: float = 0.3
    of_stand_in: float = 0.1
    of_words: float = 1.0


@dataclass(frozen=True)
class Part:
    """One training set on the device."""

    pictures: Tensor  # (n, side, side, 3) uint8
    mirror: Tensor  # (n,) which may be mirrored
    tokens: Tensor  # (captions, length)
    first: Tensor  # (n + 1,) where each picture's captions begin
    said: Tensor  # (captions, 384) unit rows by the frozen MiniLM
    beliefs: Tensor  # (n, 1000) by the frozen classifier


@dataclass
class Trainer:
    """Both towers in training, their moving average, and the frozen teachers' answers."""

    starts: Starts
    plan: Plan
    device: torch.device
    log: TextIO
    encode: Encode
    names: Sequence[Sequence[str]]  # of ImageNet's classes
    average: BuiltinTowers = field(init=False)

    def __post_init__(self) -> None:
        self.frozen = copy.deepcopy(self.starts.towers).to(self.device).eval().requires_grad_(False)
        self.towers = self.starts.towers.to(self.device)
        self.towers.visual.to(memory_format=torch.channels_last)
        self.weight, self.bias = self.starts.weight.to(self.device), self.starts.bias.to(self.device)
        self.class_scale = nn.Parameter(torch.tensor(3.0, device=self.device))
        said = [name for each in self.names for name in each]
        self.forms = [self.tokens([form.format(name) for name in said]) for form in ("a photo of a {}", "a {}", "{}")]
        counts = torch.tensor([len(each) for each in self.names], device=self.device)
        self.name_counts, self.name_first = counts, counts.cumsum(0) - counts

    def tokens(self, texts: Sequence[str]) -> Tensor:
        return self.encode(texts).to(self.device)

    @torch.inference_mode()
    def part(self, data: Captioned, pictures: Tensor) -> Part:
        """Ask the frozen teachers about a set."""
        spoken = [caption for captions in data.captions for caption in captions]
        first = torch.tensor([0, *(len(captions) for captions in data.captions)]).cumsum(0).to(self.device)
        tokens, pictures = self.tokens(spoken), pictures.to(self.device)
        beliefs = [
            linear(self._seen(self.frozen, pixels.whole(some, self.plan.teacher_size)).float(), self.weight, self.bias)
            for some in torch.split(pictures, 256)
        ]
        sided = [SIDES.search(" ".join(captions).lower()) is None for captions in data.captions]
        mirror = torch.tensor(sided, device=self.device)
        return Part(pictures, mirror, tokens, first, self.texts(self.frozen, tokens), torch.cat(beliefs).softmax(1))

    def texts(self, towers: BuiltinTowers, tokens: Tensor) -> Tensor:
        """Unit rows of (n, length) tokens."""
        rows = []
        for some in torch.split(tokens, 4096):
            with self._precision():
                rows.append(towers.encode_text(some[:, : int((some != PADDING).sum(1).max())], normalize=True))
        return torch.cat(rows)

    def _precision(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16)

    def _seen(self, towers: BuiltinTowers, pictures: Tensor) -> Tensor:
        with self._precision():
            return towers.visual.features(pictures)

    @torch.no_grad()
    def _begin(self, parts: Mapping[str, Part], captioned: Tensor) -> None:
        """Start the image head by ridge regression from frozen features to frozen captions."""
        found = torch.cat([
            self._seen(self.frozen, pixels.whole(some, self.plan.teacher_size)).float()
            for part in parts.values() for some in torch.split(part.pictures, 256)
        ]).double()  # fmt: skip
        self.knowledge = Knowledge.of(found.float(), self.weight, self.bias)
        mean, wanted = found.mean(0), captioned.double()
        centred, middle = found - mean, wanted.mean(0)
        gram = centred.T @ centred
        gram += torch.eye(len(gram), device=gram.device) * gram.diagonal().mean() * 0.3
        head = torch.linalg.solve(gram, centred.T @ (wanted - middle))
        self.towers.visual.head.weight.copy_(head.T)
        self.towers.visual.head.bias.copy_(middle - mean @ head)

    def run(self, parts: Mapping[str, Part], shares: Mapping[str, float], progress: Progress) -> None:
        """Train for the plan's time; each batch holds `shares` of the sets."""
        plan = self.plan
        captioned = [normalize(_means(part.said, part.first), dim=-1) for part in parts.values()]
        self._begin(parts, torch.cat(captioned))
        of_picture = dict(zip(parts, captioned, strict=True))
        vocabulary = sorted({word for each in self.names for name in each for word in name.lower().split()})
        self.words = self.tokens(vocabulary)
        self.known_words = self.texts(self.frozen, self.words)
        self.average = copy.deepcopy(self.towers).eval().requires_grad_(False)
        optimiser = torch.optim.AdamW(self._groups(), betas=(0.9, 0.98))
        task, marks = progress.add_task("end to end", total=1.0), [0.25, 0.5, 0.75, 1.0]
        began = last = time.monotonic()
        step = 0
        luck = {name: _shuffled(len(part.pictures)) for name, part in parts.items()}
        while (share := (time.monotonic() - began) / plan.seconds) < 1 or step == 0:
            now = min(1.0, (share + 1e-3) / 0.05) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, share))))
            for group in optimiser.param_groups:
                group["lr"] = group["rate"] * now
            self.towers.train()
            found = self._losses(parts, of_picture, self._chosen(shares, luck), share)
            optimiser.zero_grad(set_to_none=True)
            torch.autograd.backward(torch.stack(list(found.values())).sum())
            for side in (self.towers.visual, self.towers.text):
                nn.utils.clip_grad_norm_(side.parameters(), 1.0)
            optimiser.step()
            step, passed, last = step + 1, time.monotonic() - last, time.monotonic()
            self._follow(min(math.exp(-passed / (plan.average * plan.seconds)), (1 + step) / (10 + step)))
            progress.update(task, completed=min(1.0, share))
            if share >= marks[0]:
                marks.pop(0)
                line = {name: round(value.item(), 4) for name, value in found.items()}
                shared.say(self.log, stage="end to end", share=round(share, 2), step=step, **line)

    @torch.no_grad()
    def _follow(self, keep: float) -> None:
        pairs = zip(self.average.state_dict().values(), self.towers.state_dict().values(), strict=True)
        for old, new in pairs:
            if old.is_floating_point():
                old.lerp_(new, 1 - keep)

    def _chosen(self, shares: Mapping[str, float], luck: Mapping[str, Iterator[int]]) -> dict[str, list[int]]:
        return {
            name: [next(luck[name]) for _ in range(round(share * self.plan.batch))] for name, share in shares.items()
        }

    def _losses(
        self, parts: Mapping[str, Part], of_picture: Mapping[str, Tensor], chosen: Mapping[str, list[int]], share: float
    ) -> dict[str, Tensor]:
        plan, late = self.plan, max(0.0, (share - 0.8) / 0.2)
        side = next(size for until, size in plan.sizes if share < until or until >= 1)
        least = plan.crop + (0.75 - plan.crop) * late
        seen, tokens, said, owner = [], [], [], list[int]()
        for name, rows in chosen.items():
            part, base = parts[name], len(owner) and max(owner) + 1
            where = torch.tensor(rows, device=self.device)
            seen.append(pixels.augmented(part.pictures[where], side, part.mirror[where], least, 1 - late))
            begins, ends = part.first[where].tolist(), part.first[where + 1].tolist()
            for place, (begin, end) in enumerate(zip(begins, ends, strict=True)):
                some = begin + torch.randperm(end - begin)[: plan.captions].to(self.device)
                tokens.append(part.tokens[some])
                said.append(part.said[some])
                owner += [base + place] * len(some)
        longest = max(each.shape[1] for each in tokens)
        ids = torch.cat([nn.functional.pad(each, (0, longest - each.shape[1])) for each in tokens])
        dropped = torch.rand(len(ids), 1, device=self.device).lt(0.5) * plan.token_drop
        gone = torch.rand(ids.shape, device=self.device) < dropped
        gone[:, 0] = False
        beliefs = torch.cat([parts[name].beliefs[rows] for name, rows in chosen.items()])
        pictures, teacher = torch.cat([of_picture[name][rows] for name, rows in chosen.items()]), torch.cat(said)
        picked = (
            torch.rand(len(self.name_counts), device=self.device) ** 2 * self.name_counts
        ).long() + self.name_first
        form = self.forms[int(torch.randint(len(self.forms), ()))][picked]
        some_words = torch.randperm(len(self.words), device=self.device)[: plan.words]
        with self._precision():
            present = (ids != PADDING) & ~gone
            hidden = self.towers.text.layers(self.towers.text.words(ids), present)
            texts = self.towers.text.pooled(hidden, present)
            features = self.towers.visual.features(torch.cat(seen))
            named, words = self.towers.text(form), self.towers.text(self.words[some_words])
        features = features.float()
        images = normalize(self.towers.visual.head(features), dim=-1)
        texts, named, words = (normalize(each.float(), dim=-1) for each in (texts, named, words))
        own = nn.functional.one_hot(torch.tensor(owner, device=self.device), len(images)).float()
        near = teacher @ pictures.T / plan.temperature
        to_image = (1 - plan.soft) * own + plan.soft * near.softmax(1)
        to_text = (1 - plan.soft) * (own / own.sum(0)).T + plan.soft * near.T.softmax(1)
        scores = self.towers.logit_scale.exp().clamp(max=100) * texts @ images.T
        class_scale = self.class_scale.exp().clamp(max=100)
        shown = normalize(self.towers.visual.head(self.knowledge.prototypes), dim=-1)
        classes = torch.eye(len(named), device=self.device)
        return {
            "pair": (losses.cross_entropy(scores, to_image) + losses.cross_entropy(scores.T, to_text)) / 2,
            "class": plan.of_class * losses.cross_entropy(class_scale * images @ named.T, beliefs),
            "classifier": plan.of_classifier * losses.cross_entropy(linear(features, self.weight, self.bias), beliefs),
            "stand_in": plan.of_stand_in * losses.cross_entropy(class_scale * shown @ named.T, classes),
            "words": plan.of_words * losses.neighbours(words, self.known_words[some_words]),
        }

    def _groups(self) -> list[dict[str, Any]]:
        """Parameters by learning rate: lower layers learn less, and what has one dimension does not decay."""
        groups: dict[tuple[float, float], list[nn.Parameter]] = {}
        for name, parameter in [*self.towers.named_parameters(), ("class_scale", self.class_scale)]:
            decay = (
                0.0 if parameter.dim() < 2 or "embeddings.p" in name or "text.head" in name else self.plan.weight_decay
            )
            groups.setdefault((self._rate(name), decay), []).append(parameter)
        return [
            {"params": each, "lr": rate, "rate": rate, "weight_decay": decay} for (rate, decay), each in groups.items()
        ]

    def _rate(self, name: str) -> float:
        plan = self.plan
        if name.startswith("text.bert"):
            layer = re.search(r"layer\.(\d)", name)
            return plan.text_rate * plan.text_decay ** (5 - int(layer[1]) if layer else 6)
        if name.startswith("visual.trunk"):
            block = re.search(r"blocks\.(\d)", name)
            depth = 7 - int(block[1]) if block else 0 if "conv_head" in name or "bn2" in name else 8
            return plan.image_rate * plan.image_decay**depth
        return plan.head_rate * (0.3 if name.startswith("text.head") else 1.0)


def _shuffled(count: int) -> Iterator[int]:
    """Rows without end, each once before any comes again."""
    while True:
        yield from torch.randperm(count).tolist()


def _means(rows: Tensor, first: Tensor) -> Tensor:
    """The mean of each picture's rows: (captions, d) -> (n, d)."""
    owner = torch.repeat_interleave(torch.arange(len(first) - 1, device=rows.device), first.diff())
    total = torch.zeros(len(first) - 1, DIMENSIONS, device=rows.device).index_add_(0, owner, rows)
    return total / first.diff()[:, None]
