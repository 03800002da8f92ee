"""The last stage: heads and upper text layers on cached features, with words that no caption has.

Captioned photos teach what photos show. This stage keeps that, and adds everyday names of ImageNet's classes,
occupations in the place of persons, synonyms and drawn pictures. The image tower and the lower text layers stay as they
are, so that both are computed once and an epoch takes minutes on a CPU. Knows features, tokens and targets; does not
know files.
"""

from __future__ import annotations

import copy
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TextIO

import numpy as np
import torch
from rich.progress import Progress
from torch import Tensor, nn
from torch.nn.functional import normalize

from retrieval.encoders.builtin_towers import PADDING, BuiltinTowers

from . import losses, questions, shared
from .captions import OCCUPATIONS, SYNONYMS, TEMPLATES, Captioned, paraphrased
from .knowledge import Knowledge
from .questions import words_of

FROZEN = 4  # text layers that are computed once
FORMS = 4  # ways in which each class name is said, computed once
ALONE = ("{}", "a {}", "a photo of a {}")
PERSONS = {  # words of captions by which a person of an occupation may be meant, and how one is asked for
    frozenset("man men guy guys he his boy boys".split()): ("a man {}", "a {} and his work"),
    frozenset("woman women lady ladies she her girl girls".split()): ("a woman {}", "a female {}"),
    questions.PERSONS: ("{}", "a {}", "a photo of a {}"),
}


@dataclass(frozen=True)
class Texts:
    """The lower layers' output for many texts, without padding: (all tokens, 384) float16, and where each begins."""

    hidden: Tensor
    begins: Tensor  # (texts + 1,)

    @classmethod
    @torch.inference_mode()
    def of(cls, tokens: Tensor, towers: BuiltinTowers, batch: int = 512) -> Texts:
        """Compute them for (n, length) tokens, similar lengths together."""
        lengths = (tokens != PADDING).sum(1)
        order = lengths.argsort()
        begins = torch.cat([torch.zeros(1, dtype=torch.long), lengths.cumsum(0)])
        hidden = torch.empty(int(begins[-1]), towers.text.head.in_features, dtype=torch.float16)
        for some in torch.split(order, batch):
            short = tokens[some, : int(lengths[some].max())]
            present = short != PADDING
            found = towers.text.layers(towers.text.words(short), present, 0, FROZEN).half()
            for row, text in enumerate(some.tolist()):
                hidden[begins[text] : begins[text + 1]] = found[row, : lengths[text]]
        return cls(hidden, begins)

    def __len__(self) -> int:
        return len(self.begins) - 1

    def padded(self, texts: Tensor) -> tuple[Tensor, Tensor]:
        """Return some texts as (n, length, 384) float32 and which of it is theirs, (n, length)."""
        lengths = self.begins[texts + 1] - self.begins[texts]
        places = torch.arange(int(lengths.max()))
        present = places < lengths[:, None]
        rows = (self.begins[texts, None] + places).clamp(max=len(self.hidden) - 1)
        return self.hidden[rows].float() * present[..., None], present


@dataclass(frozen=True)
class Part:
    """One training set: features of views of each picture, its captions, and each caption in other words."""

    name: str
    features: Tensor  # (pictures, views, 1280)
    captions: Texts
    paraphrases: Texts
    first: Tensor  # (pictures + 1,) where each picture's captions begin
    words: tuple[frozenset[str], ...]  # of each picture's captions

    @classmethod
    def of(cls, name: str, data: Captioned, features: np.ndarray, encode: Encode, towers: BuiltinTowers) -> Part:
        """Compute what stays the same of a set."""
        spoken = [caption for captions in data.captions for caption in captions]
        luck = random.Random(0)
        first = torch.tensor([0, *(len(captions) for captions in data.captions)]).cumsum(0)
        other = [paraphrased(caption, luck) for caption in spoken]
        return cls(
            name,
            torch.from_numpy(features),
            Texts.of(encode(spoken), towers),
            Texts.of(encode(other), towers),
            first,
            tuple(frozenset(word for each in captions for word in words_of(each)) for captions in data.captions),
        )


Encode = Callable[[Sequence[str]], Tensor]  # texts to (n, length) tokens


@dataclass(frozen=True)
class Stage:
    """How long and how hard the last stage trains."""

    epochs: int = 4
    batch: int = 768
    rate: float = 2e-4
    decay: float = 0.05
    captions: int = 1  # of a picture at a time, at most
    soft: float = 0.3  # share of the target that follows the similarity of captions
    temperature: float = 0.09  # of those similarities
    paraphrased: float = 0.25  # share of captions that are said in other words
    token_drop: float = 0.1  # share of tokens that half of the captions lose
    classes: int = 256  # in a step
    words: int = 256  # single words in a step, which keep their neighbours
    of_class: float = 0.25  # weights of the other losses
    of_stand_in: float = 0.25
    of_words: float = 1.0
    of_nouns: float = 0.3
    nouns: int = 128  # things that some picture of a step shows
    persons: int = 24  # occupations
    synonyms: int = 64  # pairs of words for the same
    of_synonyms: float = 0.5
    feature_drop: float = 0.1


@dataclass
class ClassNames:
    """All names of the classes in several forms, as texts, and which class each is of."""

    texts: Texts
    by_class: list[list[int]]
    spelling: list[str]

    @classmethod
    def of(cls, names: Sequence[Sequence[str]], encode: Encode, towers: BuiltinTowers) -> ClassNames:
        """Say every name in `FORMS` of the templates."""
        luck, said, spelling, by_class = random.Random(0), list[str](), list[str](), list[list[int]]()
        for each in names:
            by_class.append(list(range(len(said), len(said) + FORMS * len(each))))
            for name in each:
                said += [template.format(name) for template in ("{}", *luck.sample(TEMPLATES[1:], FORMS - 1))]
                spelling += [name.lower()] * FORMS
        return cls(Texts.of(encode(said), towers), by_class, spelling)

    def chosen(self, classes: Tensor) -> Tensor:
        """One text of each class, at random."""
        return torch.tensor([random.choice(self.by_class[number]) for number in classes.tolist()])

    def same(self, texts: Tensor) -> Tensor:
        """(n, n): which of these texts are of the same name, shared out so that rows sum to one."""
        spelled = [self.spelling[text] for text in texts.tolist()]
        equal = torch.tensor([[float(one == other) for other in spelled] for one in spelled])
        return equal / equal.sum(1, keepdim=True)


@dataclass(frozen=True)
class Noun:
    """One thing that pictures show: the words of captions that name it, and texts that ask for it."""

    words: frozenset[str]
    texts: tuple[int, ...]
    others: tuple[int, ...] = ()  # with other words for the same


@dataclass
class Nouns:
    """Single things, by the nouns of captions and their synonyms, and persons by occupations."""

    texts: Texts
    things: list[Noun]
    persons: list[Noun]

    @classmethod
    def of(cls, captions: Sequence[Sequence[str]], encode: Encode, towers: BuiltinTowers) -> Nouns:
        """Take the most frequent nouns of captions, and say each, its synonyms, and each occupation in some forms."""
        said: list[str] = []

        def spoken(names: Sequence[str], forms: Sequence[str]) -> tuple[int, ...]:
            start = len(said)
            said.extend(re.sub(r"\ba (?=[aeiou])", "an ", form.format(name)) for name in names for form in forms)
            return tuple(range(start, len(said)))

        things = [
            Noun(frozenset({noun, noun + "s"}), spoken([noun], ALONE), spoken(SYNONYMS.get(noun, ()), ALONE))
            for noun in dict.fromkeys([*questions.nouns(captions), *SYNONYMS])
        ]
        persons = [
            Noun(words, spoken([occupation], forms)) for occupation in OCCUPATIONS for words, forms in PERSONS.items()
        ]
        return cls(Texts.of(encode(said), towers), things, persons)

    def pairs(self, count: int) -> tuple[Tensor, Tensor]:
        """Return texts and others of the same form that mean the same: (n,) and (n,)."""
        known = [noun for noun in self.things if noun.others]
        chosen = random.choices(known, k=count)
        forms = [random.randrange(len(ALONE)) for _ in chosen]
        others = [noun.others[form :: len(ALONE)] for noun, form in zip(chosen, forms, strict=True)]
        return (
            torch.tensor([noun.texts[form] for noun, form in zip(chosen, forms, strict=True)]),
            torch.tensor([random.choice(some) for some in others]),
        )

    def shown(self, words: Sequence[frozenset[str]], things: int, persons: int) -> tuple[Tensor, Tensor]:
        """Return texts that some of the pictures answer, and which: (n,) and (n, pictures), rows sum to 1.

        A half of the texts of things have other words for them, where there are some.
        """
        texts, rows = list[int](), list[list[float]]()
        for kind, count in ((self.things, things), (self.persons, persons)):
            wanted = len(texts) + count
            for noun in random.sample(kind, len(kind)):
                row = [float(not noun.words.isdisjoint(some)) for some in words]
                if any(row) and len(texts) < wanted:
                    texts.append(random.choice(noun.others if noun.others and random.random() < 0.5 else noun.texts))
                    rows.append(row)
        target = torch.tensor(rows)
        return torch.tensor(texts), target / target.sum(1, keepdim=True)


@dataclass
class Batch:
    """Pictures' features, and texts with the row of the picture of each."""

    features: Tensor
    beliefs: Tensor
    hidden: Tensor
    present: Tensor
    owner: Tensor
    teacher: Tensor  # (texts, 384) embeddings before this stage
    words: list[frozenset[str]]  # of each picture's captions


@dataclass
class Trainer:
    """The towers in training, their moving average, and what does not change."""

    towers: BuiltinTowers
    parts: Sequence[Part]
    repeats: Sequence[int]
    knowledge: Knowledge
    names: ClassNames
    nouns: Nouns
    words: Texts
    log: TextIO
    average: BuiltinTowers = field(init=False)
    class_scale: nn.Parameter = field(default_factory=lambda: nn.Parameter(torch.tensor(3.25)))

    def __post_init__(self) -> None:
        self.average = copy.deepcopy(self.towers).eval().requires_grad_(False)
        whole = [self.embedded(part.captions) for part in self.parts]
        self._teacher = dict(zip((part.name for part in self.parts), whole, strict=True))
        self._words = self.embedded(self.words)

    @torch.inference_mode()
    def embedded(self, texts: Texts) -> Tensor:
        """Unit rows of texts by the moving average: (n, 384)."""
        lengths = texts.begins.diff()
        found = torch.empty(len(texts), self.towers.text.head.out_features)
        for some in torch.split(lengths.argsort(), 512):
            hidden, present = texts.padded(some)
            found[some] = self._text(self.average, hidden, present)
        return found

    def _text(self, towers: BuiltinTowers, hidden: Tensor, present: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            read = towers.text.layers(hidden, present, FROZEN)
            rows = towers.text.pooled(read, present)
        return normalize(rows.float(), dim=-1)

    def run(self, stage: Stage, progress: Progress, after: Callable[[int], None]) -> None:
        """Train; `after(epoch)` is called with the moving average up to date."""
        self.towers.requires_grad_(False)
        learned = [self.towers.visual.head, self.towers.text.head, *self.towers.text.bert.encoder.layer[FROZEN:]]
        for module in learned:
            module.requires_grad_(True)
        self.towers.logit_scale.requires_grad_(True)
        parameters = [each for each in self.towers.parameters() if each.requires_grad] + [self.class_scale]
        optimiser = torch.optim.AdamW(shared.groups(parameters, stage.rate, stage.decay), betas=(0.9, 0.98))
        pictures = sum(len(part.features) * times for part, times in zip(self.parts, self.repeats, strict=True))
        steps = pictures // stage.batch * stage.epochs
        schedule = shared.schedule(optimiser, steps, warm_up=30)
        task, done = progress.add_task("last stage", total=steps), 0
        for epoch in range(stage.epochs):
            self.towers.train()
            self.towers.visual.trunk.eval()
            totals: dict[str, float] = {}
            for batch in self._batches(stage):
                found = self._losses(batch, stage)
                loss = torch.stack(list(found.values())).sum()
                optimiser.zero_grad()
                torch.autograd.backward(loss)
                nn.utils.clip_grad_norm_(parameters, 1.0)
                optimiser.step()
                schedule.step()
                done += 1
                shared.follow(self.average, self.towers, done)
                for name, value in found.items():
                    totals[name] = totals.get(name, 0.0) + value.item()
                progress.advance(task)
            count = steps // stage.epochs
            shared.say(self.log, epoch=epoch, **{name: round(value / count, 4) for name, value in totals.items()})
            after(epoch)

    def _batches(self, stage: Stage) -> Iterator[Batch]:
        places = [
            (part, picture)
            for part, times in zip(self.parts, self.repeats, strict=True)
            for picture in range(len(part.features))
            for _ in range(times)
        ]
        random.shuffle(places)
        offsets = dict(
            zip((p.name for p in self.parts), np.cumsum([0, *(len(p.features) for p in self.parts)]), strict=False)
        )
        for start in range(0, len(places) - stage.batch + 1, stage.batch):
            yield self._batch(places[start : start + stage.batch], offsets, stage)

    def _batch(self, places: Sequence[tuple[Part, int]], offsets: dict[str, int], stage: Stage) -> Batch:
        features, beliefs, owner, teacher = [], [], [], []
        texts: list[tuple[Tensor, Tensor]] = []
        chosen: dict[tuple[str, bool], list[int]] = {}
        rows: dict[tuple[str, bool], list[int]] = {}
        for row, (part, picture) in enumerate(places):
            seen = part.features[picture]
            features.append(seen[random.randrange(len(seen))])
            beliefs.append(offsets[part.name] + picture)
            said = range(int(part.first[picture]), int(part.first[picture + 1]))
            for text in random.sample(said, min(stage.captions, len(said))):
                key = (part.name, random.random() < stage.paraphrased)
                chosen.setdefault(key, []).append(text)
                rows.setdefault(key, []).append(row)
        known = {part.name: part for part in self.parts}
        for (name, changed), numbers in chosen.items():
            some = torch.tensor(numbers)
            texts.append((known[name].paraphrases if changed else known[name].captions).padded(some))
            teacher.append(self._teacher[name][some])
            owner += rows[name, changed]
        longest = max(present.shape[1] for _, present in texts)
        hidden = torch.cat([nn.functional.pad(each, (0, 0, 0, longest - each.shape[1])) for each, _ in texts])
        present = torch.cat([nn.functional.pad(each, (0, longest - each.shape[1])) for _, each in texts])
        return Batch(
            torch.stack(features).float(), self.knowledge.beliefs[beliefs].float(), hidden, present,
            torch.tensor(owner), torch.cat(teacher), [part.words[picture] for part, picture in places],
        )  # fmt: skip

    def _losses(self, batch: Batch, stage: Stage) -> dict[str, Tensor]:
        towers, pictures = self.towers, len(batch.features)
        seen = nn.functional.dropout(batch.features, stage.feature_drop)
        images = normalize(towers.visual.head(seen), dim=-1)
        dropped = torch.rand(len(batch.present), 1).lt(0.5) * stage.token_drop
        gone = torch.rand(batch.present.shape) < dropped
        gone[:, 0] = False
        texts = self._in_pieces(batch.hidden, batch.present & ~gone)
        scale = towers.logit_scale.exp().clamp(max=100)
        with torch.no_grad():
            own = nn.functional.one_hot(batch.owner, pictures).float()
            of_picture = normalize(own.T @ batch.teacher, dim=-1)
            near = batch.teacher @ of_picture.T / stage.temperature
            to_image = (1 - stage.soft) * own + stage.soft * near.softmax(1)
            to_text = (1 - stage.soft) * (own / own.sum(0)).T + stage.soft * near.T.softmax(1)
        scores = scale * texts @ images.T
        pair = (losses.cross_entropy(scores, to_image) + losses.cross_entropy(scores.T, to_text)) / 2
        # Classes: what the classifier believes of these pictures, and stand-ins of classes that none of them shows.
        classes = torch.randperm(len(self.names.by_class))[: stage.classes]
        said = self.names.chosen(classes)
        named = self._in_pieces(*self.names.texts.padded(said))
        equal, class_scale = self.names.same(said), self.class_scale.exp().clamp(max=100)
        believed = batch.beliefs[:, classes]
        share = believed.sum(1)
        target = believed / share[:, None].clamp(min=1e-6) @ equal
        of_class = losses.cross_entropy(class_scale * images @ named.T, target, weight=share)
        other = batch.features[torch.randint(pictures, (len(classes),))] - batch.features.mean(0)
        stand_in = (self.knowledge.prototypes[classes] + 0.5 * other).clamp(min=0)
        shown = normalize(towers.visual.head(stand_in), dim=-1)
        of_stand_in = losses.cross_entropy(class_scale * shown @ named.T, equal)
        shown_nouns, shares = self.nouns.shown(batch.words, stage.nouns, stage.persons)
        nouns = self._in_pieces(*self.nouns.texts.padded(shown_nouns))
        of_nouns = losses.cross_entropy(class_scale * nouns @ images.T, shares)
        common, other = (self._in_pieces(*self.nouns.texts.padded(each)) for each in self.nouns.pairs(stage.synonyms))
        of_synonyms = 1 - (common * other).sum(1).mean()
        words = torch.randperm(len(self.words))[: stage.words]
        of_words = losses.neighbours(self._in_pieces(*self.words.padded(words)), self._words[words])
        return {
            "pair": pair,
            "class": stage.of_class * of_class,
            "stand_in": stage.of_stand_in * of_stand_in,
            "nouns": stage.of_nouns * of_nouns,
            "synonyms": stage.of_synonyms * of_synonyms,
            "words": stage.of_words * of_words,
        }

    def _in_pieces(self, hidden: Tensor, present: Tensor, piece: int = 128) -> Tensor:
        """Unit rows of texts, similar lengths together: padding costs time."""
        order = present.sum(1).argsort()
        rows = []
        for some in torch.split(order, piece):
            longest = int(present[some].any(0).nonzero().max()) + 1
            rows.append(self._text(self.towers, hidden[some, :longest], present[some, :longest]))
        return torch.cat(rows)[order.argsort()]
