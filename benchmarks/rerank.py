"""Reranking with a vision-language model: seconds for the first time and for pictures that it has looked at before.

    python benchmarks/rerank.py FOLDER [--vlm NAME] [--count N] [--depth N]

N pictures of FOLDER are indexed; each of ten queries has its best DEPTH hits checked, all of them, first cold, then,
with other queries, warm. The seconds are of the rerank alone, medians; the encoder's part stands beside them.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

from retrieval import Budget, Library, Settings

THINGS = "dog child man woman horse car boat ball beach street".split()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--vlm", default="builtin")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--depth", type=int, default=50)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        settings = Settings(vlm=given.vlm, model="builtin")
        with Library.create(Path(place) / "library", settings) as library:
            library.index(sorted(given.folder.iterdir())[: given.count])
            library.search("warm", k=1, rerank=Budget(depth=1))

            def timed(query: str) -> tuple[float, float]:
                alone = library.search(query, k=given.depth).seconds
                # As many are asked for as are checked: it may not stop before all of them are.
                return alone, library.search(query, k=given.depth, rerank=Budget(depth=given.depth)).seconds - alone

            cold = [timed(f"a {thing} in the sun") for thing in THINGS]
            library.search("anything", k=given.count, rerank=Budget(depth=given.count))  # it looks at every picture
            warm = [timed(f"a photo of a {thing}") for thing in THINGS]
            known = [timed(f"a photo of a {thing}") for thing in THINGS]
    print(f"{given.vlm}: {given.depth} of {given.count} pictures, medians of {len(THINGS)} queries, seconds")
    print(f"{'pictures':<26} {'encoder':>8} {'rerank':>8}")
    for name, rows in (("not looked at before", cold), ("looked at before", warm), ("asked the same before", known)):
        alone, took = (statistics.median(row[k] for row in rows) for k in (0, 1))
        print(f"{name:<26} {alone:8.3f} {took:8.3f}")


if __name__ == "__main__":
    main()
