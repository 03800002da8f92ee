"""Yes and no of a vision-language model, against captions: things (as POPE asks), numbers and whole sentences.

    python -m benchmarks.judgements dev.csv dev/ [--vlm NAME] [--fit]

Things: of each picture as many that at least three of its captions name as that none names or leaves open, chosen at
random, from the most frequent ones, or from those that most often stand beside what is there (POPE, Li et al. 2023).
Numbers: one on which the captions agree, and one more or less. Sentences: a picture's captions, and as many of the
pictures that the built-in encoder finds most similar. Each question is asked of the model by the package's own code.

`--fit` prints the lines (Platt 1999) that turn the model's log-odds into probabilities, for the captioner's
`config.json`, from every second picture; the table is of the others.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks import objects
from benchmarks.facts import captions_of, looks_at
from benchmarks.fit_confidence import logistic
from retrieval import Settings, pictures
from retrieval.evaluate import pairs
from retrieval.library import backends
from retrieval.types.records import VisionFeatures
from retrieval.vlm import IMAGE_SIZE, SupportsVisionCache, VisionLanguageModel
from retrieval.vlm.builtin_captioner import BuiltinCaptioner, Fit

sys.path.insert(0, str(Path(__file__).parent.parent / "scripts"))
from training import questions  # how captions are read for numbers and nouns

ENOUGH = 3  # captions that name a thing which is surely there
NEGATIVES = ("random", "popular", "adversarial")
AT_MOST = 3  # things asked for of a picture, and as many that are not there
BINS = 10

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Asked:
    """One question about one picture."""

    kind: str
    picture: int
    text: str
    right: bool


def things(captions: Sequence[Sequence[str]], seed: int) -> list[Asked]:
    """Questions on things, with negatives of three kinds."""
    luck = random.Random(seed)
    times = [objects.times(each) for each in captions]
    frequent: Counter[str] = Counter()
    beside: dict[str, Counter[str]] = defaultdict(Counter)
    for counts in times:
        here = [name for name, count in counts.items() if count]
        frequent.update(here)
        for name in here:
            beside[name].update(other for other in here if other != name)
    found: list[Asked] = []
    for row, each in enumerate(captions):
        there = [name for name, count in times[row].items() if count >= ENOUGH]
        unsure = objects.open_in(each)
        absent = [name for name, count in times[row].items() if not count and name not in unsure and frequent[name]]
        there = luck.sample(there, min(AT_MOST, len(there)))
        near = Counter({name: sum(beside[other][name] for other in there) for name in absent})
        popular = sorted(absent, key=lambda name: -frequent[name])
        adversarial = sorted(absent, key=lambda name: -near[name])
        count = min(len(there), len(absent))
        wrongs = (luck.sample(absent, count), popular[:count], adversarial[:count])
        for kind, wrong in zip(NEGATIVES, wrongs, strict=True):
            found += [Asked(kind, row, _question(name), True) for name in there[:count]]
            found += [Asked(kind, row, _question(name), False) for name in wrong]
    return found


def _question(name: str) -> str:
    if name in ("snow", "grass", "sand", "food", "fire", "stairs", "sunglasses"):
        return f"is there {name}?" if name not in ("stairs", "sunglasses") else f"are there {name}?"
    return f"is there an {name}?" if name[0] in "aeiou" else f"is there a {name}?"


def numbers(captions: Sequence[Sequence[str]], seed: int) -> list[Asked]:
    """Questions on numbers, right and one off."""
    luck = random.Random(seed)
    nouns = questions.countable([*captions])
    found = []
    for row, each in enumerate(captions):
        for noun, number in questions.counted(each, nouns).items():
            wrong = luck.choice([other for other in questions.SPELLED if abs(other - number) == 1])
            for count, right in ((number, True), (wrong, False)):
                text = f"is there {questions.SPELLED[count]} {questions.form(noun, count)}?"
                found.append(Asked("number", row, text if count == 1 else text.replace("is", "are", 1), right))
    return found


def sentences(captions: Sequence[Sequence[str]], images: Floats, seed: int) -> list[Asked]:
    """Captions of a picture, and of those most similar to it."""
    luck = random.Random(seed)
    likeness = images @ images.T
    np.fill_diagonal(likeness, -1)
    found = []
    for row, each in enumerate(captions):
        for caption, other in zip(luck.sample(each, min(2, len(each))), np.argsort(-likeness[row])[:2], strict=False):
            found.append(Asked("sentence", row, caption, True))
            found.append(Asked("sentence", row, luck.choice(captions[other]), False))
    return found


def calibration_error(yes: Floats, right: npt.NDArray[np.bool_]) -> float:
    """Return the expected calibration error of the probabilities of yes."""
    place = np.minimum((yes * BINS).astype(int), BINS - 1)
    gaps = [abs(yes[place == k].mean() - right[place == k].mean()) * (place == k).mean() for k in set(place.tolist())]
    return float(np.sum(gaps))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("captions", type=Path)
    parser.add_argument("images", type=Path)
    parser.add_argument("--vlm", default="builtin")
    parser.add_argument("--fit", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    settings = Settings(vlm=given.vlm)
    encoder, model = backends.encoder(settings, "builtin"), backends.vlm(settings)
    data = pairs.encode(encoder, given.captions, given.images)
    captions = captions_of(data)
    asked = [
        *things(captions, given.seed),
        *numbers(captions, given.seed),
        *sentences(captions, data.images.astype(np.float64), given.seed),
    ]
    looks = looks_at(model, data.pictures) if isinstance(model, SupportsVisionCache) else []
    yes = answers(model, data.pictures, looks, asked)
    right = np.array([each.right for each in asked])
    kinds = np.array([each.kind for each in asked])
    fitted = np.array([each.picture % 2 == 0 for each in asked])
    if given.fit:
        assert isinstance(model, BuiltinCaptioner)
        fit(model, looks, asked, fitted)
        yes = answers(model, data.pictures, looks, asked)
    columns = ("number", "right", "precision", "recall", "F1", "says yes", "ECE")
    print(f"{'questions':<12} " + " ".join(f"{column:>9}" for column in columns))
    for kind in dict.fromkeys(kinds.tolist()):
        chosen = (kinds == kind) & ~(fitted & given.fit)
        said, true = yes[chosen] > 0.5, right[chosen]
        precision, recall = (said & true).sum() / max(1, said.sum()), (said & true).sum() / true.sum()
        shares = ((said == true).mean(), precision, recall, 2 * precision * recall / (precision + recall), said.mean())
        print(
            f"{kind:<12} {chosen.sum():>9} "
            + " ".join(f"{100 * share:9.1f}" for share in shares)
            + f" {calibration_error(yes[chosen], true):9.3f}"
        )


def fit(
    model: BuiltinCaptioner, looks: Sequence[VisionFeatures], asked: Sequence[Asked], fitted: npt.NDArray[np.bool_]
) -> None:
    """Print the lines of `config.json`, and have `model` use them."""
    kinds = np.array(["thing" if each.kind in NEGATIVES else each.kind for each in asked])
    right, found = np.array([each.right for each in asked]), dict(model.fits)
    model.fits = dict.fromkeys(found, Fit(1.0, 0.0))
    for kind in dict.fromkeys(kinds.tolist()):
        rows, places = [], np.flatnonzero((kinds == kind) & fitted)
        for place in places.tolist():
            each = asked[place]
            if kind == "sentence":
                yes = model.judge_features(each.text, [looks[each.picture]])[0].yes
                rows.append([np.log(yes / (1 - yes)), 0.0])
            else:
                raw, cosine, _ = model.evidence(each.text, [looks[each.picture]])
                rows.append([raw.item(), cosine.item() if kind == "thing" else 0.0])
        columns = np.array(rows)[:, : 2 if kind == "thing" else 1]
        slope, *cosines, offset = logistic(columns, right[places], np.ones(len(places))).tolist()
        found[kind] = Fit(slope, offset, *cosines)
        print(f'"{kind}": {[round(value, 3) for value in (slope, offset, *cosines)]},')
    model.fits = found


def answers(
    model: VisionLanguageModel, paths: Sequence[Path], looks: Sequence[VisionFeatures], asked: Sequence[Asked]
) -> Floats:
    """Return the probability of yes of each question, by the model; questions with the same words go together."""
    found = np.zeros(len(asked))
    together: dict[tuple[bool, str], list[int]] = defaultdict(list)
    for place, each in enumerate(asked):
        together[each.kind == "sentence", each.text].append(place)
    if not isinstance(model, SupportsVisionCache):
        for place, each in enumerate(asked):
            image = pictures.load(paths[each.picture], IMAGE_SIZE).image
            ask = model.judge if each.kind == "sentence" else model.verify
            found[place] = ask(each.text, [image])[0].yes
        return found
    for (sentence, text), places in together.items():
        ask_features = model.judge_features if sentence else model.verify_features
        verdicts = ask_features(text, [looks[asked[place].picture] for place in places])
        found[places] = [np.clip(verdict.yes, 1e-6, 1 - 1e-6) for verdict in verdicts]
    return found


if __name__ == "__main__":
    main()
