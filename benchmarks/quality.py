"""What each part of a search adds: recall, mean reciprocal rank and nDCG with 95% intervals of a paired bootstrap.

    python benchmarks/quality.py dev.csv dev/ [--rerank]

Words to pictures: the last caption of each picture looks for it; the others are stored in the library, or not. Pictures
to words: each picture looks for its captions among all. Everything is asked of the product's own code. Rows that say
"not used" were tried and are not in the product. `benchmarks/quality_of_texts.py` asks what texts of other kinds do.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from retrieval import Library, Settings
from retrieval.evaluate.reranking import gain
from retrieval.pictures import load
from retrieval.search.rerank import weighted_log_odds
from retrieval.sources.caption_files import read_captions
from retrieval.types.records import Budget, Caption, Hit, Kind
from retrieval.types.request import SearchRequest
from retrieval.vlm import IMAGE_SIZE, SupportsVisionCache

DEPTH = 50  # hits that are looked at

Ranks = npt.NDArray[np.float64]  # of each query's first right answer, infinite where it is not among the hits
Gains = npt.NDArray[np.float64]  # of each query, nDCG@10
Floats = npt.NDArray[np.float64]
Correction = Callable[[Floats, Floats], Floats]

READ = 10  # texts of a picture that a vision-language model reads
LOOKS: dict[int, list[float]] = {}  # what it said of each picture's first texts


def numbers(ranks: Ranks, gains: Gains) -> dict[str, npt.NDArray[np.float64]]:
    """Each query's part in each number."""
    found = {f"R@{k}": (ranks <= k).astype(float) for k in (1, 5, 10)}
    return {**found, "MRR": 1 / ranks, "nDCG@10": gains}


def ndcg(right: Sequence[bool], of: int) -> float:
    """Normalised discounted cumulative gain of the first ten, with `of` right answers."""
    gain = sum(1 / np.log2(place + 2) for place, each in enumerate(right[:10]) if each)
    return float(gain / sum(1 / np.log2(place + 2) for place in range(min(of, 10))))


class Table:
    """Rows that are compared with the first one."""

    def __init__(self, title: str) -> None:
        self.first: dict[str, npt.NDArray[np.float64]] | None = None
        print(f"\n{title}")

    def row(self, name: str, answers: Sequence[Sequence[bool]], of: Sequence[int]) -> None:
        """One way of searching: of each query, which hits are right, and how many right answers there are."""
        ranks = np.array([next((n for n, ok in enumerate(each, 1) if ok), np.inf) for each in answers])
        found = numbers(ranks, np.array([ndcg(each, n) for each, n in zip(answers, of, strict=True)]))
        cells = [f"{name:<34}"]
        for number, values in found.items():
            cell = f"{number} {100 * values.mean():5.1f}"
            if self.first is not None:
                gained = gain(values - self.first[number])
                cell += f" ({gained.points:+.1f}, {gained.low:+.1f} to {gained.high:+.1f})"
            cells.append(cell)
        print("  ".join(cells), flush=True)
        self.first = self.first or found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("captions", type=Path)
    parser.add_argument("images", type=Path)
    parser.add_argument("--rerank", action="store_true")
    given = parser.parse_args()
    captions: dict[Path, list[str]] = {}
    for row in read_captions(given.captions.absolute(), given.images.absolute()):
        if isinstance(row, Caption) and row.picture is not None:
            captions.setdefault(row.picture, []).append(row.text)
    with tempfile.TemporaryDirectory() as folder, Library.create(Path(folder) / "library", Settings()) as library:
        library.index([given.images])
        with library.storage.read() as catalog:
            content = catalog.items.contents_at(captions)
        queries = [(each[-1], content[path]) for path, each in captions.items()]

        def ask(search: Callable[[str], Sequence[int]]) -> list[list[bool]]:
            return [[number == right for number in search(text)] for text, right in queries]

        def plain(text: str) -> list[int]:
            return [hit.content for hit in library.search(f'"{text}"', k=DEPTH, threshold="none").hits]

        def reranked(text: str) -> list[int]:
            return [
                hit.content
                for hit in library.search(
                    f'"{text}"', k=DEPTH, rerank=Budget(depth=20, anyway=True), threshold="none"
                ).hits
            ]

        table, ones = Table("words to pictures"), [1] * len(queries)
        table.row("cosine", ask(plain), ones)
        for name, correction in CORRECTIONS.items():
            table.row(f"{name} (not used)", corrected(library, queries, correction), ones)
        if given.rerank:
            table.row("+ rerank", ask(reranked), ones)
        if any(len(each) > 1 for each in captions.values()):
            stored = _table(Path(folder) / "stored.csv", captions)
            library.index([], [(stored, given.images)])
            table.row("+ hybrid, the others stored", ask(plain), ones)
            if given.rerank:
                table.row("+ hybrid + rerank (left off)", ask(reranked), ones)
        library.index([], [(given.captions, given.images)])
        texts_for_pictures(library, rerank=given.rerank)


def _table(path: Path, captions: Mapping[Path, Sequence[str]]) -> Path:
    """All captions but the last of each picture, as a caption file."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        rows = ((picture, caption) for picture, each in captions.items() for caption in each[:-1])
        csv.writer(stream).writerows([("image", "caption"), *rows])
    return path


def corrected(library: Library, queries: Sequence[tuple[str, int]], correction: Correction) -> list[list[bool]]:
    """The answers when each picture's scores are corrected by how near neutral texts are to it."""
    bank = library.services.calibration().anchors()
    assert bank is not None  # the built-in model tells neutral texts apart
    contents = sorted({item.content for item in library})
    rows = library.storage.vectors.rows(Kind.PICTURE, contents)
    texts = library.services.encoder().texts([text for text, _ in queries])
    scores = correction((rows @ texts.T).astype(np.float64), (rows @ bank.nouns.T).astype(np.float64))
    order = np.argsort(-scores, axis=0, kind="stable")[:DEPTH].T
    return [[contents[place] == right for place in row] for row, (_, right) in zip(order, queries, strict=True)]


def _inverted_softmax(scores: Floats, neutral: Floats) -> Floats:
    """Smith et al. 2017, over the neutral texts; the temperature is their mean spread."""
    heat = neutral.std(axis=1).mean()
    found: Floats = scores / heat - np.log(np.exp(neutral / heat).sum(axis=1, keepdims=True))
    return found


CORRECTIONS: dict[str, Correction] = {  # (pictures, queries) cosines and (pictures, neutral texts) cosines -> scores
    "less its mean": lambda scores, neutral: scores - neutral.mean(axis=1, keepdims=True),
    "its own scale": lambda scores, neutral: (
        (scores - neutral.mean(axis=1, keepdims=True)) / neutral.std(axis=1, keepdims=True)
    ),
    "CSLS": lambda scores, neutral: 2 * scores - np.sort(neutral, axis=1)[:, -10:].mean(axis=1, keepdims=True),
    "inverted softmax": _inverted_softmax,
}


def texts_for_pictures(library: Library, *, rerank: bool) -> None:
    with library.storage.read() as catalog:
        own: dict[int, set[int]] = {}
        for picture, text in catalog.captions.pairs():
            own.setdefault(picture, set()).add(text)
    ids, vectors = library.storage.vectors.get(Kind.PICTURE, sorted(own))
    right = [own[int(number)] for number in ids]
    _, nearest = library.storage.vectors.nearest(Kind.TEXT, vectors, DEPTH)
    table, counts = Table("pictures to words"), [len(each) for each in right]
    table.row("cosine", [[int(n) in mine for n in row] for row, mine in zip(nearest, right, strict=True)], counts)
    answers = [library.search(SearchRequest.by_vector(vector, k=DEPTH, kind=Kind.TEXT)).hits for vector in vectors]
    held = [[hit.content in mine for hit in hits] for hits, mine in zip(answers, right, strict=True)]
    table.row("+ hubs held down", held, counts)
    if rerank:
        for weight in (0.3, 1.0):
            ordered = [reread(library, int(number), hits, weight) for number, hits in zip(ids, answers, strict=True)]
            found = [[hit.content in mine for hit in hits] for hits, mine in zip(ordered, right, strict=True)]
            table.row(f"+ rerank of {READ}, {weight:g} (not used)", found, counts)


def reread(library: Library, picture: int, hits: Sequence[Hit], weight: float) -> list[Hit]:
    """The first texts in the joint order of their rank and what the vision-language model says to each."""
    model = library.services.vlm()
    assert isinstance(model, SupportsVisionCache)  # the built-in one is
    if picture not in LOOKS:
        with library.storage.read() as catalog:
            item = catalog.items.holding([picture])[picture][0]
        look = model.vision_features([load(item.path, IMAGE_SIZE).image])
        LOOKS[picture] = [weighted_log_odds(model.judge_features(hit.text, look)[0]) for hit in hits[:READ]]
    said = np.array(LOOKS[picture])
    places = -np.arange(len(said), dtype=np.float64)
    order = np.argsort(-(places / max(places.std(), 1e-9) + weight * said), kind="stable")
    return [*(hits[place] for place in order), *hits[READ:]]


if __name__ == "__main__":
    main()
