"""One stage of training, evaluation on the dev sets, and the moving average that is kept.

Knows batches and the schedule; does not know files but its checkpoint.
"""

from __future__ import annotations

import copy
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TextIO

import numpy as np
import torch
from open_clip.tokenizer import SimpleTokenizer
from rich.progress import Progress
from torch import Tensor, nn

from . import losses, shared
from .captions import Captioned, paraphrased
from .features import SHAPE
from .knowledge import Knowledge, say
from .model import CONTEXT, DualEncoder
from .tokens import drop_words, trim, with_unknown_words


@dataclass(frozen=True)
class Part:
    """One data set: what the frozen network says of its pictures, and token rows with their owners.

    The views of a picture are (96, 14, 14) activations, or (1280,) pooled features for stages that leave the
    backbone alone.
    """

    name: str
    seen: np.ndarray | Tensor  # (pictures, views, *one of these shapes)
    tokens: Tensor  # (captions, 32)
    paraphrases: Tensor  # (captions, 32), each caption with an occupation for its person
    first: Tensor  # (pictures + 1,) where each picture's captions begin

    @classmethod
    def of(cls, name: str, data: Captioned, seen: np.ndarray, tokenizer: SimpleTokenizer) -> Part:
        counts = torch.tensor([0, *(len(captions) for captions in data.captions)])
        spoken = [caption for captions in data.captions for caption in captions]
        luck = random.Random(0)
        paraphrases = tokenizer([paraphrased(caption, luck) for caption in spoken])
        return cls(name, seen, tokenizer(spoken), paraphrases, counts.cumsum(0))

    def __len__(self) -> int:
        return len(self.seen)


@dataclass(frozen=True)
class Stage:
    """How long and how hard one stage trains."""

    name: str
    epochs: int
    batch: int
    rate: float
    upper_rate: float = 0.0  # 0: the backbone stays as it is
    decay: float = 0.1
    word_drop: float = 0.1
    made_up: float = 0.0  # share of captions that get a word that does not exist
    captions: int = 3  # at most, of each picture, in one batch
    belief: float = 0.2  # weight of the ImageNet distillation
    prototype: float = 0.2  # weight of the class prototypes
    paraphrase: float = 0.0  # share of pictures whose captions are paraphrased
    soft: float = 0.0  # weight of the soft targets against the one-hot ones
    memory: float = 0.1  # weight of the old classifier's opinion while the backbone moves


@dataclass
class Trainer:
    model: DualEncoder
    parts: Sequence[Part]
    repeats: Sequence[int]  # how often an epoch shows each part
    knowledge: Knowledge
    names: Sequence[Sequence[str]]
    tokenizer: SimpleTokenizer
    unknown_words: list[list[int]]  # tokens of words that do not exist
    log: TextIO
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    average: DualEncoder = field(init=False)

    def __post_init__(self) -> None:
        self.model.to(self.device)
        self.average = copy.deepcopy(self.model)
        self.offsets = np.cumsum([0, *map(len, self.parts)])

    # --- batches -------------------------------------------------------------------------------------------

    def _batches(self, size: int) -> Iterator[Tensor]:
        """Picture numbers over all parts, in batches; the last, short one is left out."""
        every = [
            torch.arange(self.offsets[k], self.offsets[k + 1]).repeat(times) for k, times in enumerate(self.repeats)
        ]
        order = torch.cat(every)
        order = order[torch.randperm(len(order))]
        for start in range(0, len(order) - size + 1, size):
            yield torch.unique(order[start : start + size])

    def _texts(self, pictures: Tensor, stage: Stage) -> tuple[Tensor, Tensor]:
        """Some random captions of each picture: tokens (m, length) and owner (m,)."""
        rows, owners = [], []
        for owner, picture in enumerate(pictures.tolist()):
            part, row = self._where(picture)
            first, last = int(part.first[row]), int(part.first[row + 1])
            chosen = random.sample(range(first, last), min(stage.captions, last - first))
            rows.append((part.paraphrases if random.random() < stage.paraphrase else part.tokens)[chosen])
            owners += [owner] * len(chosen)
        return torch.cat(rows), torch.tensor(owners)

    def _where(self, picture: int) -> tuple[Part, int]:
        k = int(np.searchsorted(self.offsets, picture, side="right")) - 1
        return self.parts[k], picture - int(self.offsets[k])

    def _seen(self, pictures: Tensor) -> Tensor:
        """A random view of each picture, as its part has it."""
        rows = np.empty((len(pictures), *self.parts[0].seen.shape[2:]), np.float32)
        for index, picture in enumerate(pictures.tolist()):
            part, row = self._where(picture)
            rows[index] = part.seen[row, random.randrange(part.seen.shape[1])]
        return torch.from_numpy(rows)

    def _disturbed(self, pictures: Tensor) -> Tensor:
        """Activations of which a random crop, or a random part, is all there is to see."""
        found = self._seen(pictures)
        if random.random() < 0.5:  # a random crop of the feature map
            side = random.randint(10, 13)
            top, left = random.randint(0, 14 - side), random.randint(0, 14 - side)
            found = found[:, :, top : top + side, left : left + side]
            found = nn.functional.interpolate(found, size=SHAPE[1:], mode="bilinear", align_corners=False)
        if random.random() < 0.5:  # a hole in it
            side = random.randint(3, 7)
            top, left = random.randint(0, 14 - side), random.randint(0, 14 - side)
            found[:, :, top : top + side, left : left + side] = 0
        return found

    # --- one step ------------------------------------------------------------------------------------------

    def _loss(self, pictures: Tensor, stage: Stage) -> Tensor:
        model, device = self.model, self.device
        if stage.upper_rate:
            features = model.image_features(self._disturbed(pictures).to(device))
        else:
            features = self._seen(pictures).to(device)
        tokens, owner = self._texts(pictures, stage)
        tokens = drop_words(tokens, stage.word_drop, len(self.tokenizer.encoder) - 2)
        if stage.made_up:
            tokens = with_unknown_words(tokens, stage.made_up, self.unknown_words, CONTEXT)
            tokens = torch.nn.functional.pad(tokens, (0, CONTEXT - tokens.shape[1]))
        classes = self.knowledge.some_classes(pictures, 192)
        class_tokens = self.tokenizer(say(self.names, classes))
        together = model.text_embedding(trim(torch.cat([tokens, class_tokens])).to(device))
        texts, class_texts = together[: len(tokens)], together[len(tokens) :]
        images = model.image_embedding(features)
        scale = model.clip.logit_scale.exp().clamp(max=100)
        loss = losses.contrastive(images, texts, owner.to(device), scale)
        if stage.soft:
            with torch.no_grad():
                teacher = self.average.eval().text_embedding(trim(tokens).to(device))
                targets = losses.soft_targets(teacher, owner.to(device), len(pictures))
            loss = (1 - stage.soft) * loss + stage.soft * losses.soft_contrastive(images, texts, targets, scale)
        beliefs = self.knowledge.beliefs[pictures].float().to(device)
        sure = beliefs.max(1).values > 0.3
        if sure.any():
            target = beliefs[sure][:, classes]
            target = target / target.sum(1, keepdim=True).clamp(min=1e-6)
            loss = loss + stage.belief * losses.distil(scale * images[sure] @ class_texts.T, target)
        prototypes = model.image_embedding(self.knowledge.prototypes[classes].to(device))
        loss = loss + stage.prototype * losses.contrastive(
            prototypes, class_texts, torch.arange(len(classes), device=device), scale
        )
        if stage.upper_rate:
            opinion = features @ self.knowledge.weight.T.to(device) + self.knowledge.bias.to(device)
            loss = loss + stage.memory * losses.distil(opinion, beliefs / beliefs.sum(1, keepdim=True))
        return loss

    def _optimiser(self, stage: Stage) -> torch.optim.AdamW:
        groups = []
        upper = {id(p) for p in self.model.upper.parameters()}
        trunk = {id(p) for p in self.model.clip.visual.trunk.parameters()}
        for rate, is_upper in ((stage.rate, False), (stage.upper_rate, True)):
            chosen = [p for p in self.model.parameters() if id(p) not in trunk and (id(p) in upper) == is_upper]
            for parameter in chosen:
                parameter.requires_grad_(rate > 0)
            if rate:
                decay = 0.02 if is_upper else stage.decay
                groups += shared.groups(chosen, rate, decay)
        return torch.optim.AdamW(groups, betas=(0.9, 0.98))

    def run(self, stage: Stage, progress: Progress, after: Callable[[int, bool], None]) -> None:
        """Train one stage; `after(epoch, last)` is called with the moving average up to date."""
        for parameter in self.model.clip.visual.trunk.parameters():
            parameter.requires_grad_(False)
        optimiser = self._optimiser(stage)
        pictures = sum(len(part) * times for part, times in zip(self.parts, self.repeats, strict=True))
        steps = pictures // stage.batch * stage.epochs
        schedule = shared.schedule(optimiser, steps, warm_up=60)
        task = progress.add_task(stage.name, total=steps)
        started, done = time.monotonic(), 0
        for epoch in range(stage.epochs):
            total, count = 0.0, 0
            self.model.train()
            for batch in self._batches(stage.batch):
                loss = self._loss(batch, stage)
                optimiser.zero_grad()
                torch.autograd.backward(loss)
                optimiser.step()
                schedule.step()
                total, count, done = total + loss.item(), count + 1, done + 1
                shared.follow(self.average, self.model, done)
                progress.advance(task)
            shared.say(
                self.log,
                stage=stage.name,
                epoch=epoch,
                loss=round(total / count, 4),
                scale=round(float(self.model.clip.logit_scale.exp()), 1),
                seconds=round(time.monotonic() - started),
            )
            after(epoch, epoch + 1 == stage.epochs)
        self.model.load_state_dict(self.average.state_dict())


@torch.inference_mode()
def recalls(model: DualEncoder, part: Part) -> dict[str, float]:
    """Recall@k in percent on all pictures and captions of `part`, both ways."""
    model.eval()
    device = model.clip.logit_scale.device
    images = []
    for start in range(0, len(part), 100):
        rows = torch.as_tensor(part.seen[start : start + 100, 0]).float().to(device)
        images.append(model.image_embedding(model.image_features(rows) if rows.dim() == 4 else rows))
    texts = [model.text_embedding(trim(part.tokens[k : k + 500]).to(device)) for k in range(0, len(part.tokens), 500)]
    scores = (torch.cat(texts) @ torch.cat(images).T).cpu()  # (captions, pictures)
    owner = torch.repeat_interleave(torch.arange(len(part)), part.first.diff())
    rank_image = (scores > scores.gather(1, owner[:, None])).sum(1)
    own = owner[:, None] == torch.arange(len(part))[None]
    best = scores.masked_fill(~own, -torch.inf).max(0).values
    rank_text = (scores > best[None]).sum(0)
    ways = {"t2i": rank_image, "i2t": rank_text}
    return {
        f"{part.name} {way} R@{k}": round(100 * (rank < k).float().mean().item(), 2)
        for way, rank in ways.items()
        for k in (1, 5, 10)
    }
