"""Honest confidence: calibration on a held-back set, and what is refused.

    python benchmarks/confidence.py dev.csv dev/ [--pictures FOLDER ...] [--draw docs/confidence.svg] [--look FOLDER]

Two libraries are made of the pictures with the product's own code, one without captions (words looking for pictures)
and one with them (pictures looking for words). A hit is right when it is the caption's own picture, or the picture's
own caption: strict, since other pictures may fit as well. Expected calibration error (Naeini et al. 2015): 15 bins of
equal width, over the first ten hits and over the first alone. Queries about what no picture of Flickr8k's held-back set
shows, and nonsense, are in `benchmarks/queries/`; those named `-fitted` took part in the fit, against another library.
Things that captions name often are in `things.toml`: which of the pictures that show one are called likely or
strong, and how many of those that are called so show one.
`--pictures`: folders of pictures of quite other kinds, which no caption should be about. `--look`: 200 hits called
strong, with their queries, as sheets of pictures for people to judge.
"""

from __future__ import annotations

import argparse
import random
import re
import tempfile
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from retrieval import Library, Settings
from retrieval.calibration.anchors import anchor_texts as neutral
from retrieval.sources.caption_files import read_captions
from retrieval.types.records import Answer, Band, ByText, Caption, Kind
from retrieval.types.request import SearchRequest

QUERIES = Path(__file__).parent / "queries"
BINS = 15
SEVERAL = 3  # pictures whose captions name a thing that is surely there
SUFFIXES = {".jpg", ".jpeg", ".png", ".gif"}

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Measured:
    """The hits of many queries: how sure, which right, (queries, hits); and each query's log-odds of a match."""

    sure: Floats
    right: npt.NDArray[np.bool_]
    bands: npt.NDArray[np.str_]
    refused: npt.NDArray[np.bool_]

    def report(self, name: str) -> None:
        print(
            f"{name}: {len(self.sure)} queries, R@1 {100 * self.right[:, 0].mean():.1f}, expected calibration error "
            f"{error(self.sure, self.right):.3f} of ten hits, {error(self.sure[:, :1], self.right[:, :1]):.3f} of the "
            f"first; refused {100 * self.refused.mean():.1f}%"
        )
        for band in (Band.STRONG, Band.LIKELY, Band.WEAK):
            of = self.bands == band
            first, right = 100 * of[:, 0].mean(), 100 * self.right[of].mean()
            print(f"  {band:<7} {first:5.1f}% of first hits; of all such hits {right:5.1f}% are right")


def error(sure: Floats, right: npt.NDArray[np.bool_]) -> float:
    """Expected calibration error."""
    bins = np.minimum((sure * BINS).astype(int), BINS - 1).ravel()
    found = 0.0
    for each in range(BINS):
        mine = bins == each
        if mine.any():
            found += mine.mean() * abs(sure.ravel()[mine].mean() - right.ravel()[mine].mean())
    return found


def measured(answers: Iterable[tuple[Answer, set[int]]]) -> Measured:
    rows = [
        (
            [hit.confidence or 0.0 for hit in answer.hits],
            [hit.content in right for hit in answer.hits],
            [hit.band for hit in answer.hits],
            answer.nothing,
        )
        for answer, right in answers
    ]
    sure, right, bands, refused = zip(*rows, strict=True)
    return Measured(np.array(sure), np.array(right), np.array(bands), np.array(refused))


def captions_of(table: Path, images: Path) -> list[tuple[Path, str]]:
    rows = read_captions(table, images)
    return [(row.picture, row.text) for row in rows if isinstance(row, Caption) and row.picture is not None]


def odds(library: Library, texts: Sequence[str]) -> Floats:
    """The log-odds that something in the library looks like each of these."""
    calibration = library.services.calibration()
    gauge = calibration.image_scale()
    assert gauge is not None
    return calibration.match(library.services.encoder().texts(texts), gauge)


def single(library: Library, pairs: Sequence[tuple[Path, str]]) -> tuple[list[bool], list[bool]]:
    """Whether things of the bank are refused when asked for by one word: those that captions name, and the others."""
    named: dict[str, set[Path]] = {}
    for path, text in pairs:
        for word in re.findall("[a-z]+", text.lower()):
            named.setdefault(word, set()).add(path)
    nouns = [noun for noun in neutral()[0] if noun.isalpha()]
    there = [noun for noun in nouns if len(named.get(noun, ())) >= SEVERAL]
    absent = [noun for noun in nouns if not {noun, noun + "s", noun + "es"} & named.keys()]
    some, none = (
        [library.search(ByText(f"a {noun}"), threshold="none").nothing for noun in each] for each in (there, absent)
    )
    return some, none


def things(library: Library, pairs: Sequence[tuple[Path, str]]) -> tuple[float, float]:
    """The share of pictures of everyday things that are called likely or strong, and of those, how many are right."""
    said: dict[Path, list[set[str]]] = {}
    for path, text in pairs:
        said.setdefault(path, []).append(set(re.findall("[a-z]+", text.lower())))
    rows = tomllib.loads((QUERIES / "things.toml").read_text(encoding="utf-8"))
    counted = np.zeros(4, int)
    shares = []
    for thing, row in rows.items():
        named, shown = set(row["named"].split()), set((row["named"] + " " + row["shown"]).split())
        there = {path for path, each in said.items() if sum(bool(named & some) for some in each) >= SEVERAL}
        maybe = {path for path, each in said.items() if any(shown & some for some in each)}
        hits = library.search(ByText(f"a {thing}"), threshold="none", k=len(said), fold=False).hits
        sure = {hit.path for hit in hits if hit.path is not None and hit.band in (Band.LIKELY, Band.STRONG)}
        strong = {hit.path for hit in hits if hit.path is not None and hit.band is Band.STRONG}
        numbers = len(there & sure), len(there), len(maybe & sure), len(sure)
        counted += numbers
        shares.append((numbers[0] / numbers[1], numbers[2] / max(1, numbers[3])))
        print(
            f"  {thing:<14} {numbers[1]:4} show one, {100 * shares[-1][0]:3.0f}% likely or strong; "
            f"{numbers[3]:4} called so, {100 * shares[-1][1]:3.0f}% right; "
            f"{len(strong):4} strong, {100 * len(maybe & strong) / max(1, len(strong)):3.0f}% right"
        )
    recall, precision = np.mean(shares, axis=0)
    print(
        f"  all {len(rows)} things: {100 * counted[0] / counted[1]:.1f}% of pictures, "
        f"{100 * counted[2] / counted[3]:.1f}% right (means of the things: {100 * recall:.1f}%, {100 * precision:.1f}%)"
    )
    return counted[0] / counted[1], counted[2] / counted[3]


def looked_at(library: Library, texts: Sequence[str], folder: Path, count: int = 200) -> None:
    """Write sheets of hits called strong, of captions and of single things, a query over each."""
    from PIL import Image, ImageDraw

    luck = random.Random(0)
    asked = [*luck.sample(texts, 150), *(f"a {noun}" for noun in luck.sample(neutral()[0], 100))]
    found = []
    for text in asked:
        answer = library.search(ByText(text), threshold="strong", k=50)
        found += [(text, hit.path) for hit in answer.hits if hit.path is not None]
    chosen = luck.sample(found, min(count, len(found)))
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(0, len(chosen), 40):
        sheet = Image.new("RGB", (8 * 200, 5 * 190), "white")
        pen = ImageDraw.Draw(sheet)
        for place, (text, path) in enumerate(chosen[number : number + 40]):
            left, top = place % 8 * 200, place // 8 * 190
            sheet.paste(Image.open(path).convert("RGB").resize((190, 145)), (left, top + 40))
            for line in range(3):
                pen.text((left, top + 12 * line), f"{number + place} {text}"[32 * line : 32 * line + 32], "black")
        sheet.save(folder / f"strong-{number // 40}.png")
    print(f"  {len(found)} hits called strong of {len(asked)} queries; {len(chosen)} of them in {folder}")


def words(library: Library, pairs: Sequence[tuple[Path, str]]) -> Measured:
    with library.storage.read() as catalog:
        number = catalog.items.contents_at({path for path, _ in pairs})
    return measured((library.search(ByText(text), threshold="none"), {number[path]}) for path, text in pairs)


def drawn(path: Path, parts: dict[str, Measured], present: Floats, others: dict[str, Floats]) -> None:
    """The reliability diagram and the trade-off, as an SVG."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "retrieval", "font.size": 9})
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 4))
    for name, part in parts.items():
        bins = np.minimum((part.sure * 10).astype(int), 9).ravel()
        there = [each for each in range(10) if (bins == each).sum() >= 20]
        at = [float(part.sure.ravel()[bins == each].mean()) for each in there]
        left.plot(at, [float(part.right.ravel()[bins == each].mean()) for each in there], "o-", label=name)
    left.plot([0, 1], [0, 1], ":", color="grey")
    left.set(xlabel="confidence", ylabel="share that is right", title="Reliability (ten hits)")
    left.legend(frameon=False)
    shares = np.linspace(0, 0.15, 61)
    for name, found in others.items():
        right.plot(100 * shares, [100 * (found < np.quantile(present, share)).mean() for share in shares], label=name)
    right.set(xlabel="captions refused, %", ylabel="refused, %", title="Nothing here looks like that", ylim=(0, 101))
    right.legend(frameon=False)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("captions", type=Path)
    parser.add_argument("images", type=Path)
    parser.add_argument("--model", default="builtin")
    parser.add_argument("--pictures", type=Path, nargs="*", default=[])
    parser.add_argument("--draw", type=Path)
    parser.add_argument("--look", type=Path)
    given = parser.parse_args()
    pairs = captions_of(given.captions.absolute(), given.images.absolute())
    with tempfile.TemporaryDirectory() as folder, Library.create(folder, Settings(model=given.model)) as library:
        library.index([given.images])
        found = words(library, pairs)
        found.report("words -> pictures")
        present = odds(library, [text for _, text in pairs])
        others = {}
        for file in sorted((*QUERIES.glob("absent*.txt"), *QUERIES.glob("nonsense*.txt"))):
            lines = file.read_text(encoding="utf-8").splitlines()
            others[file.stem] = odds(library, lines)
            refused = [library.search(ByText(line), threshold="none").nothing for line in lines]
            print(f"  {file.stem}: {100 * np.mean(refused):.1f}% of {len(lines)} refused")
        for name, refused in zip(("named by captions", "named by none"), single(library, pairs), strict=True):
            print(f"  things by one word, {name}: {100 * np.mean(refused):.1f}% of {len(refused)} refused")
        things(library, pairs)
        if given.look:
            looked_at(library, [text for _, text in pairs], given.look)
        print("  captions refused " + " ".join(f"{share:>5}%" for share in (1, 2, 5, 10)))
        for name, each in others.items():
            shares = (100 * (each < np.quantile(present, share / 100)).mean() for share in (1, 2, 5, 10))
            print(f"  {name:<16} " + " ".join(f"{share:5.1f}%" for share in shares))
        library.index([], [(given.captions, given.images)])
        texts = described(library)
        texts.report("pictures -> words")
        for other in given.pictures:
            files = sorted(path for path in other.iterdir() if path.suffix.lower() in SUFFIXES)
            refused = [library.captions.find(path, threshold="none").nothing for path in files]
            print(f"  {other.name}: {100 * np.mean(refused):.1f}% of {len(files)} pictures refused")
    if given.draw:
        drawn(given.draw, {"words to pictures": found, "pictures to words": texts}, present, others)


def described(library: Library) -> Measured:
    with library.storage.read() as catalog:
        own: dict[int, set[int]] = {}
        for picture, text in catalog.captions.pairs():
            own.setdefault(picture, set()).add(text)
    numbers, vectors = library.storage.vectors.get(Kind.PICTURE, sorted(own))
    return measured(
        (library.search(SearchRequest.by_vector(vector, kind=Kind.TEXT)), own[int(number)])
        for number, vector in zip(numbers, vectors, strict=True)
    )


if __name__ == "__main__":
    main()
