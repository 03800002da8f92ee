"""Searching vectors that are at hand: our index against brute force, FAISS's others, usearch and hnswlib.

    python benchmarks/warm_search.py [--sizes 10000,100000,...] [--graphs UPTO] [--at FOLDER] [--write] [--quick]

Clustered unit vectors of 512 numbers (`synthetic.py`); queries of pictures, and of texts, which lie elsewhere. One
query at a time on one thread, but NumPy, which takes all. Graphs (HNSW) are built up to --graphs vectors: at a million
each takes minutes. Past --held vectors, what keeps all of them in memory is left out, and NumPy goes over them a piece
at a time. The bound is what our index must read over what one thread reads of memory, measured here.
"""

from __future__ import annotations

import argparse
import functools
import importlib.util
import itertools
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from benchmarks import report, synthetic
from retrieval.vectors import faiss as ours
from retrieval.vectors.faiss import Faiss

WIDTH, K, SHARE = 512, 10, 0.1  # numbers of a vector, hits, and what a filter lets through
QUERIES = 100  # of each kind
Rows = npt.NDArray[np.float32]
Search = Callable[[Rows], npt.NDArray[np.int64]]  # (1, WIDTH) -> ids of the K best
COLUMNS = (
    "index", "vectors", "p50 ms", "p99 ms", "against NumPy", "against its bound", "recall@10", "of texts",
    "filtered p50", "bytes a vector", "built in s", "opened in ms",
)  # fmt: skip


@dataclass(frozen=True)
class Index:
    """One way of searching, ready to be asked."""

    name: str
    search: Search
    build: float | None = None  # seconds
    opening: float | None = None  # milliseconds, of a saved file
    size: float | None = None  # bytes a vector
    touched: float | None = None  # bytes that a query must read
    filtered: Search | None = None
    slow: bool = False
    exact: bool = False  # by what it does


@dataclass(frozen=True)
class Asked:
    """What is looked for in a collection, and what reads of memory cost."""

    count: int
    looks: Rows
    texts: Rows
    right: npt.NDArray[np.int64]  # (queries, K) of the looks
    right_texts: npt.NDArray[np.int64]
    reading: float  # bytes a second

    @classmethod
    def of(cls, count: int, truth: synthetic.Truth, reading: float) -> Asked:
        """What `sought` is asked for, all rows having been told to `truth`."""
        (looks, texts), (right, right_texts) = np.split(truth.queries, 2), np.split(truth.best(), 2)
        return cls(count, looks, texts, right, right_texts, reading)

    def row(self, index: Index, numpy: float | None = None) -> list[object]:
        """Its row of the table; `numpy`: that one's milliseconds, None for itself."""
        middle, tail = times(index.search, self.looks, 5 if index.slow else 200)
        return [
            index.name,
            self.count,
            middle,
            tail,
            (numpy or middle) / middle,
            middle / 1000 / (index.touched / self.reading) if index.touched else None,
            None if index.exact else recall(index.search, self.looks, self.right),
            None if index.exact else recall(index.search, self.texts, self.right_texts),
            times(index.filtered, self.looks, 50)[0] if index.filtered else None,
            index.size,
            index.build,
            index.opening,
        ]


def argpartition(query: Rows, rows: Rows) -> npt.NDArray[np.int64]:
    """The best of all rows, by NumPy."""
    scores = rows @ query[0]
    best = np.argpartition(-scores, K)[:K]
    return best[np.argsort(-scores[best])]


def brute(rows: Rows) -> Iterator[Index]:
    """What needs no index: NumPy, and the whole sort that rclip does."""
    size = float(rows.itemsize * WIDTH)

    def rclip(query: Rows) -> npt.NDArray[np.int64]:
        scores = query[0] @ rows.T
        order = sorted(zip(scores, range(len(rows)), strict=True), key=lambda pair: pair[0], reverse=True)
        return np.array([place for _, place in order[:K]])

    touched = size * len(rows)
    yield Index("NumPy, argpartition", lambda query: argpartition(query, rows), size=size, touched=touched, exact=True)
    yield Index("NumPy as rclip does it", rclip, size=size, slow=True, exact=True)


def retrieval(file: Path, seconds: float) -> Iterator[Index]:
    """The index of this project, saved in `file` and opened again."""
    index = Faiss.load(file, WIDTH)
    count = len(index)
    opening = 1000 * report.median(lambda: Faiss.load(file, WIDTH), 5)
    sieve = index._loaded_sieve()
    touched = float(2 * WIDTH * count)
    if sieve is not None:
        passing = max(ours.PASSING * K, count**0.5)
        touched = ours.PROBED * count * (WIDTH / 4 + 8) + sieve.nlist * 4 * WIDTH + passing * 2 * WIDTH
    name = "retrieval (exact, half precision)" if sieve is None else "retrieval (4-bit sieve, then exact)"
    allowed = np.sort(np.random.default_rng(1).permutation(count)[: int(SHARE * count)])
    yield Index(
        name,
        lambda query: index.search(query, K)[1][0],
        seconds,
        opening,
        file.stat().st_size / count,
        touched,
        lambda query: index.search(query, K, allowed)[1][0],
    )
    file.unlink()


def add(index: Faiss, start: int, rows: Rows) -> None:
    """As indexing adds: some thousands at a time."""
    for at in range(0, len(rows), 4096):
        part = rows[at : at + 4096]
        index.add(np.arange(start + at, start + at + len(part)), part)


def faisses(rows: Rows, graphs: int) -> Iterator[Index]:
    """Alternatives that FAISS has."""
    kinds = {"faiss Flat": 4 * WIDTH, "faiss SQ8": WIDTH, "faiss IVF,SQ8": WIDTH + 8}
    lists = int(2 ** round(np.log2(np.sqrt(len(rows)))))
    spelled = {"faiss Flat": "Flat", "faiss SQ8": "SQ8", "faiss IVF,SQ8": f"IVF{lists},SQ8"}
    if len(rows) <= graphs:
        kinds["faiss HNSW16,SQ8"], spelled["faiss HNSW16,SQ8"] = WIDTH + 144, "HNSW16_SQ8"
    for name, size in kinds.items():
        index: Any = faiss.index_factory(WIDTH, spelled[name], faiss.METRIC_INNER_PRODUCT)

        def build(index: Any = index) -> None:
            index.train(rows[:: max(1, len(rows) // 65536)])
            index.add(rows)

        seconds = report.seconds(build)
        if "IVF" in spelled[name]:
            index.nprobe = max(1, lists // 4)
        if "HNSW" in spelled[name]:
            index.hnsw.efSearch = 256

        def search(query: Rows, index: Any = index) -> npt.NDArray[np.int64]:
            with ours.threads(1):
                found: npt.NDArray[np.int64] = index.search(query, K)[1][0]
            return found

        yield Index(name, search, seconds, None, float(size))


def graphs(rows: Rows) -> Iterator[Index]:
    """usearch and hnswlib, where they are installed."""
    if importlib.util.find_spec("usearch"):
        from usearch.index import Index as Usearch

        near = Usearch(ndim=WIDTH, metric="ip", dtype="f16", connectivity=16, expansion_search=256)
        seconds = report.seconds(lambda: near.add(np.arange(len(rows)), rows))
        yield Index("usearch HNSW16, f16", lambda q: near.search(q[0], K).keys.astype(np.int64), seconds, None, 1168.0)
    if importlib.util.find_spec("hnswlib"):
        import hnswlib

        graph = hnswlib.Index(space="ip", dim=WIDTH)
        graph.init_index(max_elements=len(rows), M=16, ef_construction=128)
        seconds = report.seconds(lambda: graph.add_items(rows))
        graph.set_ef(256)
        graph.set_num_threads(1)
        yield Index("hnswlib M16", lambda q: graph.knn_query(q, K)[0][0].astype(np.int64), seconds, None, 2192.0)


def times(search: Search, queries: Rows, count: int) -> tuple[float, float]:
    """The median and the 99th percentile of a query's milliseconds."""
    search(queries[:1])
    found = []
    for number in range(count):
        query = queries[number % len(queries)][None]
        found.append(1000 * report.seconds(lambda: search(query)))  # noqa: B023  # called at once
    return statistics.median(found), float(np.quantile(found, 0.99))


def recall(search: Search, queries: Rows, right: npt.NDArray[np.int64]) -> float:
    """The share of the true best K that is found, one query at a time."""
    return synthetic.recall(np.array([search(query[None]) for query in queries]), right)


def bandwidth() -> float:
    """Bytes that one thread reads in a second."""
    data = np.ones(1 << 27, np.float64)
    return data.nbytes / min(report.seconds(data.sum) for _ in range(5))


def sought() -> synthetic.Truth:
    """Queries as other pictures, then as many as texts, whose best are to be found."""
    return synthetic.Truth(np.concatenate([synthetic.queries(QUERIES, WIDTH, texts=each) for each in (False, True)]), K)


def held(count: int, found: argparse.Namespace, reading: float) -> Iterator[list[object]]:
    """The rows of a collection that fits in memory."""
    rows, truth = synthetic.pictures(count, WIDTH), sought()
    truth.add(0, rows)
    asked = Asked.of(count, truth, reading)
    numpy = None
    for index in brute(rows):
        yield (row := asked.row(index, numpy))
        numpy = numpy or float(str(row[2]))
    built, file = Faiss(WIDTH), found.at / f"warm-{count}.vectors"
    seconds = report.seconds(lambda: add(built, 0, rows))
    built.save(file)
    small = graphs(rows) if count <= found.graphs else iter(())
    for index in itertools.chain(retrieval(file, seconds), faisses(rows, found.graphs), small):
        yield asked.row(index, numpy)


def streamed(count: int, found: argparse.Namespace, reading: float) -> Iterator[list[object]]:
    """The rows of a collection of which only a piece is in memory as it is."""
    truth = sought()
    built, file = Faiss(WIDTH), found.at / f"warm-{count}.vectors"
    numpy = seconds = 0.0
    for start, rows in synthetic.pieces(count, WIDTH):
        truth.add(start, rows)
        numpy += times(functools.partial(argpartition, rows=rows), truth.queries, 10)[0]
        seconds += report.seconds(functools.partial(add, built, start, rows))
    built.save(file)
    del built, rows  # the file alone is searched
    size = 4.0 * WIDTH
    bound = numpy / 1000 / (size * count / reading)
    yield ["NumPy, argpartition, a piece at a time", count, numpy, None, 1.0, bound, *[None] * 3, size, None, None]
    asked = Asked.of(count, truth, reading)
    for index in retrieval(file, seconds):
        yield asked.row(index, numpy)


def main() -> None:
    parser = report.parser(__doc__)
    parser.add_argument("--sizes", default="10000,100000,1000000,10000000", help="numbers of vectors")
    parser.add_argument("--graphs", type=int, default=1_000_000, help="vectors up to which graphs are built")
    parser.add_argument("--held", type=int, default=2_000_000, help="vectors up to which all are held in memory")
    found = parser.parse_args()
    reading = bandwidth()
    if found.quick:
        found.held = 2000
    table: list[list[object]] = []
    for count in [2000, 3000] if found.quick else [int(size) for size in found.sizes.split(",")]:
        table += (held if count <= found.held else streamed)(count, found, reading)
    text = report.table(COLUMNS, table)
    text += f"\n\nOne thread reads {reading / 1e9:.0f} GB/s here."
    report.publish("warm_search", text, write=found.write)


if __name__ == "__main__":
    main()
