"""What a plain text query costs in a library that is open: its time, and how often it asks for nearest neighbours.

    python -m benchmarks.query_cost [--count 8000] [--at FOLDER]

Once on a library of real photos by the built-in model, with things and captions as queries: the model is part of the
times. Once on drawn embeddings, as `benchmarks.synthetic` makes them, that nothing looks like: the search alone, and
what is looked up to suggest other words. Prints the median and the quartiles of the seconds of a query, and the
searches by kind of content.
"""

from __future__ import annotations

import csv
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from retrieval import Library, Settings
from retrieval.storage.vector_search import VectorSearch
from retrieval.types.records import Space, Threshold

from . import objects, photos, report, synthetic

SPACE = Space("colours", 512, "drawn")
QUERIES = [f"a drawn thing number {number}" for number in range(60)]


def measured(library: Library, queries: Sequence[str], threshold: Threshold) -> tuple[list[float], Counter[str]]:
    """The seconds of each query, after ten that warm up, and all their searches by kind."""
    searches: Counter[str] = Counter()
    plain = VectorSearch._search

    def counted(self: VectorSearch, kind: Any, *rest: Any) -> Any:
        searches[str(kind)] += 1
        return plain(self, kind, *rest)

    seconds = []
    for query in queries[:10]:
        library.search(query, threshold=threshold)
    VectorSearch._search = counted  # type: ignore[method-assign, assignment]  # counted from here on
    try:
        for query in queries[10:]:
            started = time.perf_counter()
            library.search(query, threshold=threshold)
            seconds.append(time.perf_counter() - started)
    finally:
        VectorSearch._search = plain  # type: ignore[method-assign]
    return seconds, searches


def of_photos(place: Path, count: int) -> Path:
    """A library of real photos by the built-in model; made once."""
    folder = place / f"library-real-{count}"
    if not folder.is_dir():
        sets = (photos.DATA / "flickr8k" / "dev", photos.DATA / "flickr8k" / "train", photos.DATA / "coco" / "dev")
        files = [file for each in sets for file in sorted(each.iterdir())]
        with Library.create(folder, Settings(model="builtin")) as library:
            library.index(files[:count])
    return folder


def captions(count: int) -> list[str]:
    """Captions of photos of that library, which has none of them: one of a photo's five."""
    with (photos.DATA / "flickr8k" / "dev.csv").open(encoding="utf-8", newline="") as rows:
        return [row["caption"] for row in list(csv.DictReader(rows))[: 5 * count : 5]]


def main() -> None:
    """The command line of this file."""
    parser = report.parser(__doc__)
    parser.add_argument("--count", type=int, default=8000)
    given = parser.parse_args()
    with Library.open(of_photos(given.at, given.count), Settings(model="builtin")) as library:
        things = [f"a {name}" for name in objects.objects()]
        show("photos, a thing", *measured(library, things[: len(QUERIES)], "weak"))
        show("photos, a sentence", *measured(library, captions(len(QUERIES)), "weak"))
    place = synthetic.library(given.at / f"library-drawn-{given.count}", given.count, SPACE)
    with Library.open(place, Settings(), encoder=synthetic.Drawn(SPACE)) as library:
        show("nothing looks like it", *measured(library, QUERIES, "none"))


def show(name: str, seconds: Sequence[float], searches: Counter[str]) -> None:
    """Print a line about some queries."""
    low, middle, high = np.percentile(1000 * np.array(seconds), [25, 50, 75])
    each = {kind: count / len(seconds) for kind, count in searches.items()}
    print(
        f"{name}: {len(seconds)} queries, {middle:.2f} ms ({low:.2f} to {high:.2f}); nearest-neighbour searches: {each}"
    )


if __name__ == "__main__":
    main()
