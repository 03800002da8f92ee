"""Minus, feedback and taught words, on concepts: pictures that two of their captions, or their only one, name.

    python -m benchmarks.concepts FOLDER CAPTIONS.csv

What is printed is mean average precision over all pictures but those that were shown as examples:

- minus: `beach -people`, against `beach` and the sentence "beach with no people"; right is a beach without people
- feedback: `a dog`, with pictures of dogs in snow liked and other hits not; right is what shows both
- taught words: of a concept, from pictures alone, against the mean of these
"""

from __future__ import annotations

import argparse
import csv
import re
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from retrieval import Library, Settings
from retrieval.queries import interpret
from retrieval.search.concepts import train
from retrieval.search.query_embedding import QueryEmbedder
from retrieval.types.records import Kind, Vectors

Truth = npt.NDArray[np.bool_]

WORDS = (
    "dog snow beach water bicycle ball grass child climbing mountain street skateboard red jump hat crowd ocean rock "
    "bike people man woman boy girl horse cat train table kitchen car tree".split()
)
FEWEST = 10  # pictures of a concept
SEED = 0


@dataclass(frozen=True)
class Bench:
    """A library with what is true of each of its pictures."""

    library: Library
    contents: list[int]
    rows: Vectors
    truths: dict[str, Truth]

    @classmethod
    def of(cls, library: Library, captions: Path) -> Bench:
        said: dict[str, list[str]] = defaultdict(list)
        with captions.open(newline="", encoding="utf-8") as stream:
            for row in csv.DictReader(stream):
                said[row["image"]].append(row["caption"].lower())
        items = [item for item in library if item.path.name in said]
        contents = [item.content for item in items]
        truths = {}
        for word in WORDS:
            named = [sum(bool(re.search(rf"\b{word}", text)) for text in said[item.path.name]) for item in items]
            least = [min(2, len(said[item.path.name])) for item in items]
            truth = np.array(named) >= np.array(least)
            if truth.sum() >= 2 * FEWEST:
                truths[word] = truth
        return cls(library, contents, library.storage.vectors.rows(Kind.PICTURE, contents), truths)

    def meaning(self, query: str) -> Vectors:
        """What a query looks for, (dimensions,)."""
        parts = self.library.services
        space = self.library.storage.active_space()[1]
        pieces = interpret(query).alternatives[0].pieces
        found: Vectors = (
            QueryEmbedder(self.library.storage, space, parts.encoder_of).meaning(pieces, Kind.PICTURE).vector
        )
        return found.reshape(-1)

    def precision(self, vector: Vectors, right: Truth, shown: Iterable[int] = ()) -> float:
        """Average precision in percent, without the examples."""
        rest = np.ones(len(right), bool)
        rest[list(shown)] = False
        found = right[rest][np.argsort(-(self.rows[rest] @ vector), kind="stable")]
        return float(100 * (np.cumsum(found) / np.arange(1, len(found) + 1))[found].mean())

    def pairs(self) -> list[tuple[str, str]]:
        """Two concepts of which a good part of the first is the second, too."""
        each = [(one, other) for one in self.truths for other in self.truths if one != other]
        return [
            (a, b) for a, b in each if FEWEST <= (self.truths[a] & self.truths[b]).sum() <= 0.6 * self.truths[a].sum()
        ]


def minus(bench: Bench) -> None:
    rows = defaultdict(list)
    for one, other in bench.pairs():
        right = bench.truths[one] & ~bench.truths[other]
        rows["alone"].append(bench.precision(bench.meaning(one), right))
        rows["as a sentence"].append(bench.precision(bench.meaning(f'"{one} with no {other}"'), right))
        rows["with minus"].append(bench.precision(bench.meaning(f"{one} -{other}"), right))
        both = bench.truths[one] & bench.truths[other]
        top = np.argsort(-(bench.rows @ bench.meaning(one)))[:20]
        less = np.argsort(-(bench.rows @ bench.meaning(f"{one} -{other}")))[:20]
        rows["unwanted among 20, alone"].append(100 * both[top].mean())
        rows["unwanted among 20, minus"].append(100 * both[less].mean())
    _print("minus", f"{len(bench.pairs())} pairs", rows)


def feedback(bench: Bench) -> None:
    for liked, unliked in ((1, 0), (1, 1), (2, 2), (3, 0), (3, 3), (0, 3)):
        rows = defaultdict(list)
        for one, other in bench.pairs():
            right = bench.truths[one] & bench.truths[other]
            first = np.argsort(-(bench.rows @ bench.meaning(f"a {one}")))[:40]
            yes = [int(place) for place in first if right[place]][:liked]
            no = [int(place) for place in first if not right[place]][:unliked]
            if len(yes) == liked and len(no) == unliked:
                tokens = [f"like:#{_item(bench, place)}" for place in yes] + [
                    f"unlike:#{_item(bench, place)}" for place in no
                ]
                query = " ".join((f"a {one}", *tokens))
                rows["words alone"].append(bench.precision(bench.meaning(f"a {one}"), right, yes + no))
                rows["with feedback"].append(bench.precision(bench.meaning(query), right, yes + no))
        _print("feedback", f"{liked} liked, {unliked} not", rows)


def _item(bench: Bench, place: int) -> int:
    with bench.library.storage.read() as catalog:
        return catalog.items.holding([bench.contents[place]])[bench.contents[place]][0].id


def taught(bench: Bench) -> None:
    rng = np.random.default_rng(SEED)
    for many, against in ((1, 0), (3, 0), (5, 0), (10, 0), (5, 5), (10, 10)):
        rows = defaultdict(list)
        for right in bench.truths.values():
            if right.sum() < 2 * many + FEWEST:
                continue
            yes = rng.choice(np.flatnonzero(right), many, replace=False)
            near = np.argsort(-(bench.rows @ bench.rows[yes].mean(axis=0)))
            no = rng.choice(near[~right[near]][:100], against, replace=False)
            shown = [*yes.tolist(), *no.tolist()]
            head = train(bench.rows[yes], bench.rows[no], bench.rows)
            rows["mean of the examples"].append(bench.precision(bench.rows[yes].mean(axis=0), right, shown))
            rows["taught"].append(bench.precision(head, right, shown))
        _print("taught", f"{many} that are, {against} that are not", rows)


def _print(name: str, case: str, rows: dict[str, list[float]]) -> None:
    count = len(next(iter(rows.values()), []))
    print(
        f"{name:9} {case:26} {count:3} cases  " + "  ".join(f"{key} {np.mean(each):.1f}" for key, each in rows.items())
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("captions", type=Path)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as place, Library.create(place, Settings()) as library:
        library.index([given.folder])
        bench = Bench.of(library, given.captions)
        bench = Bench(
            library, bench.contents, bench.rows, {k: v for k, v in bench.truths.items() if v.sum() >= 2 * FEWEST}
        )
        print(f"{len(bench.contents)} pictures, {len(bench.truths)} concepts")
        for part in (minus, feedback, taught):
            part(bench)


if __name__ == "__main__":
    main()
