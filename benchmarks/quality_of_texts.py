"""What texts of pictures do to search by pixels: captions of people and of a model, names of files, folders, receipts.

    python benchmarks/quality_of_texts.py dev.csv dev/ [--receipts receipts/] [--first 200]

Every row is the same library of the same pictures with other texts, compared with the one whose files are named by a
camera and have no texts (pixels alone), by a paired bootstrap: sentences (the last caption of a picture looks for it;
where pictures have one caption, it is stored, and every second word of it looks for the picture: a memory of it) and
single nouns (right is a picture that a caption says it of). Names, folders and receipts are asked for by their words.
The captions that are stored are the others; files are named after two words of the first caption, or "copy of" a thing
that they do not show; folders are named after the thing that the captions say most, or after a month.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from retrieval import Library, Settings
from retrieval.calibration.anchors import anchor_texts
from retrieval.evaluate.reranking import gain
from retrieval.sources.caption_files import read_captions
from retrieval.storage.catalog.full_text import terms
from retrieval.types.records import Caption, Hit

SHARES = (0.01, 0.1, 0.5, 1.0)
MISLEADING = 0.02  # of the files
ARTICLE = re.compile(r"^an? ")


@dataclass
class Set:
    """Pictures with captions, and what is asked of them."""

    captions: Mapping[str, Sequence[str]]  # by file name
    queries: dict[str, str] = field(default_factory=dict)  # a sentence for each picture
    nouns: dict[str, set[str]] = field(default_factory=dict)  # the pictures that captions say a noun of

    @classmethod
    def read(cls, table: Path, images: Path, first: int | None) -> Set:
        captions: dict[str, list[str]] = {}
        for row in read_captions(table.absolute(), images.absolute()):
            if isinstance(row, Caption) and row.picture is not None:
                captions.setdefault(row.picture.name, []).append(row.text)
        found = cls(dict(list(captions.items())[:first]))
        for noun in {ARTICLE.sub("", each) for each in anchor_texts()[0]}:
            said = re.compile(rf"\b{noun}s?\b", re.IGNORECASE)
            pictures = {name for name, texts in found.captions.items() if any(map(said.search, texts))}
            if " " not in noun and len(pictures) >= 3:
                found.nouns[noun] = pictures
        return found

    @property
    def several(self) -> bool:
        """Whether each picture has captions that are no query."""
        return min(map(len, self.captions.values())) > 1

    def stored(self, name: str) -> Sequence[str]:
        """Return the captions that a library may have."""
        return self.captions[name][:-1] if self.several else self.captions[name]

    def thing(self, name: str) -> str:
        """Return the noun that a picture's captions say most; of several, the rarest."""
        texts = " ".join(self.captions[name]).lower()
        own = [noun for noun, pictures in self.nouns.items() if name in pictures]
        return max(own, key=lambda noun: (len(re.findall(rf"\b{noun}", texts)), -len(self.nouns[noun])), default="")


@dataclass
class Row:
    """What was found in one library: of each query, whether the first hit is right."""

    sentences: list[bool]
    nouns: list[bool]
    own: list[bool]  # by the words of names, folders or receipts


Own = Iterable[tuple[str, Callable[[Path], bool]]]  # a query, and whether a file is right


def ask(library: Library, data: Set, own: Own, names: Mapping[int, str]) -> Row:
    """Search for everything; `names` gives the name of each content's file in the set."""

    def first(text: str) -> Hit:
        return library.search(f'"{text}"', k=1, threshold="none").hits[0]

    return Row(
        [names.get(first(text).content) == name for name, text in data.queries.items()],
        [names.get(first(noun).content) in right for noun, right in data.nouns.items()],
        [right(first(text).path or Path()) for text, right in own],
    )


class Bench:
    """Libraries of one set, in a temporary folder."""

    def __init__(self, data: Set, images: Path, at: Path) -> None:
        self.data, self.images, self.at = data, images, at
        self.rng = random.Random(0)
        self.baseline: Row | None = None
        files = sorted(data.captions)
        self.camera = {name: f"IMG_{1000 + place}" for place, name in enumerate(files)}
        self.base = at / "base"
        with Library.create(self.base, Settings()) as library:
            library.index([self.lay("camera", self.camera)])
            back = {self.file(name): name for name in files}
            self.contents = {item.content: back[item.path.name] for item in library}

    def file(self, name: str) -> str:
        """Return the name that a camera gave a file."""
        return f"{self.camera[name]}{Path(name).suffix}"

    def lay(self, folder: str, stems: Mapping[str, str]) -> Path:
        """Lay the files out below a folder under other names (with folders, if wanted)."""
        for name, stem in stems.items():
            path = self.at / folder / f"{stem}{Path(name).suffix}"
            number = 1
            while path.exists():
                number += 1
                path = self.at / folder / f"{stem} {number}{Path(name).suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(self.images / name, path)
        return self.at / folder

    @contextmanager
    def library(self, layout: Mapping[str, str] | None = None) -> Iterator[Library]:
        """Open a copy of the first library, its files under other names if wanted."""
        copy = self.at / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self.base, copy)
        with Library.open(copy, Settings()) as library:
            if layout is not None:
                shutil.rmtree(self.at / "laid", ignore_errors=True)
                library.index([self.lay("laid", layout)])
                library.remove([self.at / "camera"])
            yield library

    def row(self, title: str, library: Library, own: Own = ()) -> None:
        """Ask everything, and print one row of the table."""
        found = ask(library, self.data, own, self.contents)
        self.baseline = self.baseline or found
        cells = [_share(found.sentences, self.baseline.sentences), _share(found.nouns, self.baseline.nouns)]
        print(f"| {title} | {' | '.join(cells)} | {_share(found.own) if found.own else ''} |", flush=True)


def _share(found: Sequence[bool], baseline: Sequence[bool] | None = None) -> str:
    mean = f"{100 * float(np.mean(found)):.1f}"
    if baseline is None or found == baseline:
        return mean
    gained = gain(np.array(found, float) - np.array(baseline, float))
    return f"{mean} ({gained.points:+.1f}, {gained.low:+.1f} to {gained.high:+.1f})"


def captions_of_people(bench: Bench, most: int | None) -> None:
    files = sorted(bench.data.captions)
    bench.rng.shuffle(files)
    for share in SHARES:
        with bench.library() as library:
            chosen = files[: max(round(share * len(files)), 1)]
            table = bench.at / "captions.csv"
            with table.open("w", newline="", encoding="utf-8") as stream:
                rows = [(bench.file(n), text) for n in chosen for text in bench.data.stored(n)[:most]]
                csv.writer(stream).writerows([("image", "caption"), *rows])
            library.index([], [(table, bench.at / "camera")])
            several = "" if not bench.data.several else " (one each)" if most == 1 else " (four each)"
            bench.row(f"captions of people on {share:.0%}{several}", library)


def captions_of_a_model(bench: Bench) -> None:
    files = [str(path) for path in sorted((bench.at / "camera").iterdir())]
    bench.rng.shuffle(files)
    with bench.library() as library:
        for share in SHARES:
            library.captions.generate(files[: max(round(share * len(files)), 1)])
            bench.row(f"captions of the built-in model on {share:.0%}", library)


def names_and_folders(bench: Bench) -> None:
    data, rng = bench.data, bench.rng
    things = {name: data.thing(name) for name in data.captions}
    sensible: dict[str, str] = {}
    for name, texts in data.captions.items():
        others = [word for word in terms(texts[0].lower()) if word.isalpha() and word != things[name]]
        sensible[name] = (
            "_".join([*filter(None, [things[name]]), *rng.sample(others, min(1, len(others)))]) or "picture"
        )
    own = [(stem.replace("_", " "), _named(stem)) for stem in sorted(set(sensible.values())) if "_" in stem]
    with bench.library(sensible) as library:
        bench.row("files named sensibly", library, own)
    misleading = dict(bench.camera)
    for name in rng.sample(sorted(data.captions), max(round(MISLEADING * len(data.captions)), 1)):
        wrong = [noun for noun, pictures in data.nouns.items() if name not in pictures]
        misleading[name] = f"copy of {rng.choices(wrong, [len(data.nouns[noun]) for noun in wrong])[0]}"
    with bench.library(misleading) as library:
        bench.row(f"{MISLEADING:.0%} of the files named misleadingly", library)
    topics = {name: f"{things[name] or 'other'}/{bench.camera[name]}" for name in data.captions}
    folders = sorted(set(things.values()) - {""})
    with bench.library(topics) as library:
        bench.row("folders by topic", library, [(each, _lies_in(each)) for each in folders])
    months = {name: f"{rng.choice(MONTHS)}/{bench.camera[name]}" for name in data.captions}
    with bench.library(months) as library:
        bench.row("folders by date and place", library, [(each, _lies_in(each)) for each in MONTHS])


MONTHS = ("2018-07 Italy", "2019-12 Christmas", "2020-05 Garten", "2021-08 Anna and Tom", "2022-03 Oslo", "Hund")


def _named(stem: str) -> Callable[[Path], bool]:
    return lambda path: path.stem.split(" ")[0] == stem


def _lies_in(folder: str) -> Callable[[Path], bool]:
    return lambda path: path.parent.name == folder


def _says(fields: Mapping[str, Mapping[str, str]], name: str, value: str) -> Callable[[Path], bool]:
    return lambda path: fields.get(path.name, {}).get(name) == value


def receipts(bench: Bench, folder: Path) -> None:
    fields = json.loads((folder / "fields.json").read_text(encoding="utf-8"))
    with bench.library() as library:
        library.index([folder])
        library.read_texts([folder])
        wanted = [
            (each[name], _says(fields, name, each[name])) for each in fields.values() for name in ("company", "total")
        ]
        bench.row(f"{len(fields)} receipts among them", library, wanted)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("captions", type=Path)
    parser.add_argument("images", type=Path)
    parser.add_argument("--receipts", type=Path)
    parser.add_argument("--first", type=int, help="use only so many pictures")
    given = parser.parse_args()
    data = Set.read(given.captions, given.images, given.first)
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(data, given.images.absolute(), Path(folder))
        data.queries = {name: texts[-1] for name, texts in data.captions.items()}
        print(f"{len(data.captions)} pictures, {len(data.nouns)} nouns, R@1 (gain over pixels alone, 95% interval)\n")
        print("| | sentences | nouns | names, folders, receipts |\n| --- | --- | --- | --- |")
        with bench.library() as library:
            bench.row("pixels alone, files named by a camera", library)
        captions_of_a_model(bench)
        names_and_folders(bench)
        if given.receipts:
            receipts(bench, given.receipts)
        if not data.several:
            data.queries = {name: " ".join(terms(text)[::2]) for name, text in data.queries.items()}
            bench.baseline = None
            with bench.library() as library:
                bench.row("pixels alone, every second word", library)
        else:
            captions_of_people(bench, 1)
        captions_of_people(bench, None)


if __name__ == "__main__":
    main()
