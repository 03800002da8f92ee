"""The few fitted numbers of the confidence, from a set of captioned pictures that is not the one they are reported on.

    python -m benchmarks.fit_confidence coco/dev.csv coco/dev

Prints the constants of `calibration/calibration.py` and `search/confidence.py`. The pictures make a library without
captions, as of somebody who has only pictures; then one with them, for pictures that look for words. What no picture
shows, and nonsense, are `benchmarks/queries/*-fitted.txt`; single words are `words.txt`.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from benchmarks.confidence import QUERIES, captions_of
from retrieval import Library, Settings
from retrieval.calibration.calibration import WORD_WEIGHT
from retrieval.search import confidence
from retrieval.types.records import Kind

Floats = npt.NDArray[np.float64]

CAPTIONS_REFUSED, WORDS_REFUSED = 0.025, 0.07  # shares of these that may be told that nothing looks like them
SEVERAL = 3  # pictures whose captions name a thing that is surely there
HITS = 10
SHARPNESSES = {Kind.PICTURE: (1.0, 1.5, 2.0, 2.5, 3.0, 4.0), Kind.TEXT: (0.6, 0.75, 0.85, 1.0, 1.25, 1.5)}


def logistic(rows: Floats, right: npt.NDArray[np.bool_], weights: Floats) -> Floats:
    """Weights of the columns of `rows`, (n, k), and a constant, by maximum likelihood."""
    inputs = np.c_[rows, np.ones(len(rows))]

    def loss(found: Floats) -> float:
        odds = inputs @ found
        return float((weights * (np.logaddexp(0, odds) - right * odds)).sum() / weights.sum())

    found: Floats = minimize(loss, np.zeros(inputs.shape[1]), method="BFGS").x
    return found


def match(library: Library, pairs: Sequence[tuple[Path, str]]) -> None:
    """Whether anything looks like a text."""
    calibration, encoder = library.services.calibration(), library.services.encoder()
    scale, anchors = calibration.image_scale(), calibration.anchors()
    assert scale is not None
    assert anchors is not None

    def reading(texts: Sequence[str]) -> Floats:
        rows = encoder.texts(texts)
        z = (calibration.query_zs(rows) - scale.mean) / scale.std
        found: Floats = z + WORD_WEIGHT * anchors.word_likeness(rows)
        return found

    captions = reading([text for _, text in pairs])
    others = [
        reading((QUERIES / f"{name}-fitted.txt").read_text("utf-8").splitlines()) for name in ("absent", "nonsense")
    ]
    named: dict[str, set[Path]] = {}
    for path, text in pairs:
        for word in re.findall("[a-z]+", text.lower()):
            named.setdefault(word.removesuffix("s"), set()).add(path)
    every = (QUERIES / "words.txt").read_text(encoding="utf-8").split()
    words = [word for word in every if len(named.get(word.removesuffix("s"), ())) >= SEVERAL]
    single = reading([f"a {word}" for word in words])
    rows = np.concatenate([captions, *others])
    weights = np.concatenate([np.full(len(each), 1 / len(each)) for each in (captions, *others)])
    weights[: len(captions)] *= 2
    slope, constant = logistic(rows[:, None], np.arange(len(rows)) < len(captions), weights)
    line, lower = np.quantile(captions, CAPTIONS_REFUSED), np.quantile(single, WORDS_REFUSED)
    print(f"MATCH = ({slope:.3f}, {constant:.3f})")
    print(f"DEFAULT_THRESHOLD = {slope * line + constant:.2f}")
    print(f"FURTHER = {slope * (line - lower):.2f}  # {len(words)} words")
    for name, each in zip(("absent", "nonsense"), others, strict=True):
        print(f"    {name}: {100 * (each < line).mean():.1f}% of {len(each)} refused")


def of_pictures(library: Library, pairs: Sequence[tuple[Path, str]]) -> None:
    """The probability that a picture is the one that a text means."""
    with library.storage.read() as catalog:
        contents = catalog.items.contents_at({path for path, _ in pairs})
    scale, vectors = library.services.calibration().image_scale(), library.storage.vectors
    assert scale is not None
    rows = library.services.encoder().texts([text for _, text in pairs])
    scores, ids = vectors.nearest(Kind.PICTURE, rows, HITS)
    right = ids == np.array([contents[path] for path, _ in pairs])[:, None]
    fit(
        Kind.PICTURE,
        scores / scale.picture_std,
        rows @ vectors.sample(Kind.PICTURE).T / scale.picture_std,
        right,
        scale.count,
    )


def of_texts(library: Library) -> None:
    """The probability that a text is one of a picture's own."""
    calibration, vectors = library.services.calibration(), library.storage.vectors
    scale, texts = calibration.image_scale(), calibration.text_scale()
    assert scale is not None
    assert texts is not None
    with library.storage.read() as catalog:
        own: dict[int, set[int]] = {}
        for picture, text in catalog.captions.pairs():
            own.setdefault(picture, set()).add(text)
    pictures, rows = vectors.get(Kind.PICTURE, sorted(own))
    _, ids = vectors.nearest(Kind.TEXT, rows, 100)
    every, all_texts = vectors.get(Kind.TEXT, np.unique(ids).tolist())
    place = {int(text): row for row, text in enumerate(every)}
    scores, right = [], []
    for picture, row, some in zip(pictures.tolist(), rows, ids, strict=True):
        near = all_texts[[place[int(text)] for text in some]]
        each = 2 * (near @ row) - calibration.hubness(near, picture)
        order = np.argsort(-each)[:HITS]
        scores.append(each[order])
        right.append([int(text) in own[picture] for text in some[order]])
    rest = 2 * rows @ texts.sample.T - texts.sample_hubness
    fit(
        Kind.TEXT, np.array(scores) / scale.picture_std, rest / scale.picture_std, np.array(right),
        vectors.count(Kind.TEXT), texts.per_picture,
    )  # fmt: skip


def fit(
    kind: Kind,
    scores: npt.NDArray[np.floating],
    rest: npt.NDArray[np.floating],
    right: npt.NDArray[np.bool_],
    count: int,
    per_query: float = 1.0,
) -> None:
    """Print the sharpness and the scale of shares under which the right hits are likeliest."""
    found, scores, rest = [], scores.astype(float), rest.astype(float)
    for sharp in SHARPNESSES[kind]:
        rows = [
            confidence.shares(sharp * hits, sharp * others, count) for hits, others in zip(scores, rest, strict=True)
        ]
        share = np.clip(per_query * np.array(rows), 1e-9, 1 - 1e-9)
        odds = np.log(share / (1 - share))
        slope, constant = logistic(odds.ravel()[:, None], right.ravel(), np.ones(odds.size))
        sure = 1 / (1 + np.exp(-(slope * odds + constant)))
        found.append((float(-np.where(right, np.log(sure), np.log(1 - sure)).mean()), sharp, slope, constant))
    _, sharp, slope, constant = min(found)
    print(f"{kind}: SHARPNESS = {sharp}, SHARE = ({slope:.3f}, {constant:.3f})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("captions", type=Path)
    parser.add_argument("images", type=Path)
    parser.add_argument("--model", default="builtin")
    given = parser.parse_args()
    pairs = captions_of(given.captions.absolute(), given.images.absolute())
    with tempfile.TemporaryDirectory() as folder, Library.create(folder, Settings(model=given.model)) as library:
        library.index([given.images])
        match(library, pairs)
        of_pictures(library, pairs)
        library.index([], [(given.captions, given.images)])
        of_texts(library)


if __name__ == "__main__":
    main()
