"""What a plain text query costs in a library that is open: its time, and how often it asks for nearest neighbours.

    python -m benchmarks.query_cost [--count 8000]

The library has drawn embeddings, as `benchmarks.synthetic` makes them; so the times are of the search alone, without a
model. Prints the median and the quartiles of the seconds of a query, and the searches by kind of content.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from retrieval import Library, Settings
from retrieval.storage.vector_search import VectorSearch
from retrieval.types.records import Space

from . import synthetic

SPACE = Space("colours", 512, "drawn")
QUERIES = [f"a drawn thing number {number}" for number in range(60)]


def measured(place: Path) -> tuple[list[float], Counter[str]]:
    """The seconds of each query, after ten that warm up, and all their searches by kind."""
    searches: Counter[str] = Counter()
    plain = VectorSearch._search

    def counted(self: VectorSearch, kind: Any, *rest: Any) -> Any:
        searches[str(kind)] += 1
        return plain(self, kind, *rest)

    seconds = []
    with Library.open(place, Settings(), encoder=synthetic.Drawn(SPACE)) as library:
        for query in QUERIES[:10]:
            library.search(query, threshold="none")
        VectorSearch._search = counted  # type: ignore[method-assign, assignment]  # counted from here on
        try:
            for query in QUERIES[10:]:
                started = time.perf_counter()
                library.search(query, threshold="none")
                seconds.append(time.perf_counter() - started)
        finally:
            VectorSearch._search = plain  # type: ignore[method-assign]
    return seconds, searches


def main() -> None:
    """The command line of this file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=8000)
    given = parser.parse_args()
    with TemporaryDirectory() as folder:
        seconds, searches = measured(synthetic.library(Path(folder) / "library", given.count, SPACE))
    low, middle, high = np.percentile(1000 * np.array(seconds), [25, 50, 75])
    each = {kind: count / len(seconds) for kind, count in searches.items()}
    print(f"{given.count} pictures, {len(seconds)} queries: {middle:.2f} ms ({low:.2f} to {high:.2f})")
    print(f"nearest-neighbour searches of a query: {each}")


if __name__ == "__main__":
    main()
