"""Counts and absences: mean average precision of the encoder alone, and with a vision-language model's yes or no.

    python benchmarks/facts.py dev.csv dev/ [--vlm NAME]

The queries are made from the captions of a set with several captions a picture. Counts: "two dogs" among the pictures
of which the captions agree how many dogs there are; right are those with two. Absences: "a beach with no people" among
those that a caption calls a beach; right are those of which no caption names a person, wrong those of which two do.
All ways rank the same pictures: the encoder by the whole query; the encoder by what is wanted, without what must not be
there; and that with the model's answers, taken apart and joined by the product's own code.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from retrieval import Settings, pictures
from retrieval.evaluate import pairs
from retrieval.library import backends
from retrieval.queries.counts_and_negations import split_query
from retrieval.search.rerank import combined_verdict, joint_scores, weighted_log_odds
from retrieval.types.records import Judgement, VisionFeatures
from retrieval.vlm import IMAGE_SIZE, SupportsVisionCache

sys.path.insert(0, str(Path(__file__).parent.parent / "scripts"))
from training import questions  # how captions are read for numbers and nouns

PLACES = "beach street field grass snow water park road mountain sand pool forest city room".split()
ABSENT = {"people": questions.PERSONS, "dogs": {"dog", "dogs", "puppy"}, "a ball": {"ball", "balls"}}
ENOUGH = 5  # right and wrong pictures, at least

Floats = npt.NDArray[np.float64]
Query = tuple[str, list[int], list[bool]]  # words, pictures, which are right


def counts(captions: Sequence[Sequence[str]]) -> list[Query]:
    """Queries such as `two dogs`."""
    nouns = questions.countable(captions)
    known = [questions.counted(each, nouns) for each in captions]
    found = []
    for noun in sorted(nouns):
        pool = [place for place, each in enumerate(known) if noun in each]
        for number, word in questions.SPELLED.items():
            right = [known[place][noun] == number for place in pool]
            if ENOUGH <= sum(right) <= len(right) - ENOUGH:
                found.append((f"{word} {questions.form(noun, number)}", pool, right))
    return found


def absences(captions: Sequence[Sequence[str]]) -> list[Query]:
    """Queries such as `a beach with no people`."""
    words = [[set(questions.words_of(caption)) for caption in each] for each in captions]
    found = []
    for place in PLACES:
        for what, names in ABSENT.items():
            said = {
                row: sum(bool(each & names) for each in rows) for row, rows in enumerate(words) if _any(rows, place)
            }
            pool = [row for row, times in said.items() if times != 1]
            right = [said[row] == 0 for row in pool]
            if ENOUGH <= sum(right) <= len(right) - ENOUGH:
                found.append((f"{place} with no {what.removeprefix('a ')}", pool, right))
    return found


def _any(rows: Sequence[set[str]], word: str) -> bool:
    return any(word in each for each in rows)


def average_precision(scores: Floats, right: Sequence[bool]) -> float:
    """Of one ranking, in percent."""
    order = np.asarray(right)[np.argsort(-scores, kind="stable")]
    return 100 * float((order.cumsum() / np.arange(1, len(order) + 1))[order].mean())


def captions_of(data: pairs.Pairs) -> list[list[str]]:
    """The captions of each picture."""
    found: list[list[str]] = [[] for _ in data.pictures]
    for text, owner in zip(data.captions, data.owner.tolist(), strict=True):
        found[owner].append(text)
    return found


def looks_at(model: SupportsVisionCache, paths: Sequence[Path]) -> list[VisionFeatures]:
    """The vision features of pictures, opened one at a time."""
    return [model.vision_features([pictures.load(path, IMAGE_SIZE).image])[0] for path in paths]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("captions", type=Path)
    parser.add_argument("images", type=Path)
    parser.add_argument("--vlm", default="builtin")
    parser.add_argument("--weight", type=float, default=1.0)
    parser.add_argument("--verbose", action="store_true", help="a line for each query")
    given = parser.parse_args()
    settings = Settings(vlm=given.vlm)
    encoder, model = backends.encoder(settings, "builtin"), backends.vlm(settings)
    data = pairs.encode(encoder, given.captions, given.images)
    captions = captions_of(data)
    assert isinstance(model, SupportsVisionCache), "a model that looks once, or this takes hours"
    looks = looks_at(model, data.pictures)

    def cosines(text: str, pool: Sequence[int]) -> Floats:
        found: Floats = (encoder.texts([text]) @ data.images[pool].T)[0].astype(np.float64)
        return found

    def with_model(query: str, pool: Sequence[int]) -> Floats:
        asked, some = split_query(query), [looks[place] for place in pool]
        parts: list[list[Judgement]] = [model.judge_features(asked.text, some)]
        parts += [model.verify_features(fact.question, some) for fact in asked.facts]
        wanted = [True, *(fact.wanted for fact in asked.facts)]
        opinions = [weighted_log_odds(combined_verdict(each, wanted)) for each in zip(*parts, strict=True)]
        return joint_scores(cosines(asked.text, pool), np.array(opinions), given.weight)

    print(
        f"{'queries':<10} {'number':>6} {'by chance':>10} {'encoder':>8} {'wanted':>8} "
        f"{'with ' + model.name:>14} {'better':>7}"
    )
    for name, queries in (("counts", counts(captions)), ("absences", absences(captions))):
        rows = []
        for text, pool, right in queries:
            ways = (cosines(text, pool), cosines(split_query(text).text, pool), with_model(text, pool))
            row = (100 * float(np.mean(right)), *(average_precision(scores, right) for scores in ways))
            rows.append(row)
            if given.verbose:
                print(f"  {text:<30} {len(pool):>4} {' '.join(f'{each:6.1f}' for each in row)}")
        means = np.mean(rows, axis=0)
        better = sum(row[3] > row[1] for row in rows)
        print(
            f"{name:<10} {len(rows):>6} {means[0]:10.1f} {means[1]:8.1f} {means[2]:8.1f} {means[3]:14.1f} {better:>7}"
        )


if __name__ == "__main__":
    main()
