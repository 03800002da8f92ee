"""Synthetic embeddings: clustered unit vectors, as photos' are, and libraries filled with them through the real store.

Pictures lie in clusters of very different sizes. Texts that look for them (`queries`) are of another distribution: a
common direction away from all pictures, as the embeddings of every CLIP model are.
"""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt
from PIL.Image import Image

from retrieval import Settings
from retrieval.library import backends
from retrieval.storage.catalog.mapping import NO_SECOND, item_row
from retrieval.storage.catalog.schema import contents, items
from retrieval.storage.storage import Storage
from retrieval.types.records import Facts, Kind, Pixels, ScannedFile, Space

Rows = npt.NDArray[np.float32]

CLUSTERS, SPREAD, GAP = 2000, 0.9, 1.0  # SPREAD: of a cluster's members; GAP: between texts and pictures
BATCH = 5000
ANSWERS = 10  # pictures that look like an embedding that is asked for
PIECE = 250_000
THUMBNAIL = bytes(range(256)) * 40  # of a usual size: 10 KB


def pictures(count: int, dimensions: int = 512, seed: int = 0) -> Rows:
    """`count` unit rows in clusters, (count, dimensions)."""
    centres = _centres(dimensions)
    rng = np.random.default_rng(seed)
    popular = rng.zipf(1.3, count) % CLUSTERS
    rows = centres[popular]
    for start in range(0, count, BATCH):  # in pieces: the noise of all at once would double the memory
        part = rows[start : start + BATCH]
        part += SPREAD * rng.standard_normal(part.shape, np.float32) / np.float32(dimensions**0.5)
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    return rows


def pieces(count: int, dimensions: int = 512) -> Iterator[tuple[int, Rows]]:
    """`count` such rows where all at once would not fit in memory: where each piece begins, and its rows."""
    for number, start in enumerate(range(0, count, PIECE)):
        yield start, pictures(min(PIECE, count - start), dimensions, seed=PIECE + number)


class Truth:
    """The best of all rows for some queries, found exactly, a piece at a time."""

    def __init__(self, queries: Rows, k: int) -> None:
        self.queries, self.k = queries, k
        self._best: Any = faiss.ResultHeap(len(queries), k, keep_max=True)

    def add(self, start: int, rows: Rows) -> None:
        """Rows whose numbers begin at `start`."""
        scores, places = faiss.knn(self.queries, rows, self.k, metric=faiss.METRIC_INNER_PRODUCT)
        self._best.add_result(scores, places + start)

    def best(self) -> npt.NDArray[np.int64]:
        """(queries, k) numbers, best first; no row can be added after it."""
        self._best.finalize()
        found: npt.NDArray[np.int64] = self._best.I
        return found


def recall(found: npt.NDArray[np.int64], right: npt.NDArray[np.int64]) -> float:
    """The share of the true best, (queries, k), that is among what was found."""
    return float(np.mean([np.isin(truth, mine).mean() for mine, truth in zip(found, right, strict=True)]))


def queries(count: int, dimensions: int = 512, *, texts: bool, seed: int = 1) -> Rows:
    """`count` unit rows that look for them: as other pictures, or as texts do."""
    rows = pictures(count, dimensions, seed)
    if texts:
        away = _centres(dimensions, seed=7)[0]
        rows = rows + np.float32(GAP) * away
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


@lru_cache(4)
def _centres(dimensions: int, seed: int = 42) -> Rows:
    rows = np.random.default_rng(seed).standard_normal((CLUSTERS, dimensions), np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


def library(place: Path, count: int, space: Space, files: Sequence[Path] = (), like: Rows | None = None) -> Path:
    """A library of `count` pictures, as indexing would have left it; made once, then found again.

    Its pictures are `files` as they are now, or have none. With `like`, (n, dimensions), the first of them look like
    each of these embeddings in turn.
    """
    if place.is_dir():
        return place
    unfinished = place.with_name(place.name + ".part")
    shutil.rmtree(unfinished, ignore_errors=True)
    storage = Storage.create(unfinished, backends.vector_store(Settings()))
    rows = pictures(count, space.dimensions)
    if like is not None:
        some = np.tile(like, (ANSWERS, 1))
        some += SPREAD / 2 * np.random.default_rng(2).standard_normal(some.shape, np.float32) / some.shape[1] ** 0.5
        rows[: len(some)] = some / np.linalg.norm(some, axis=1, keepdims=True)
    with storage.transaction() as catalog:
        number = catalog.spaces.add(space)
        for folder in {file.parent for file in files}:
            catalog.roots.put(folder, {})
    for start in range(0, count, BATCH):
        add(storage, number, space, start, rows[start : start + BATCH], files[start : start + BATCH])
    with storage.write_lock("benchmark"):
        storage.vectors.save()
    storage.close()
    return unfinished.rename(place)


def add(storage: Storage, number: int, space: Space, start: int, rows: Rows, files: Sequence[Path] = ()) -> None:
    """One transaction of pictures, numbered from `start` + 1."""
    ids = range(start + 1, start + 1 + len(rows))
    facts = Facts(format="JPEG", width=4000, height=3000)
    found = [_looked_at(file) for file in files] or [
        ScannedFile(Path(f"/photos/{i // 1000:04}/{i:08}.jpg"), 3_500_000, 1_700_000_000_000_000_000 + i) for i in ids
    ]
    with storage.transaction() as catalog:
        new = [{"id": i, "kind": Kind.PICTURE, "hash": f"{i:032x}", "thumbnail": THUMBNAIL} for i in ids]
        connection = catalog.items._connection  # straight into the tables: one statement for all rows
        connection.execute(contents.insert(), new)
        held = [item_row(each, i, facts, NO_SECOND) for each, i in zip(found, ids, strict=True)]
        connection.execute(items.insert(), held)
        catalog.fingerprints.put({i: i * 0x9E3779B97F4A7C15 % 2**64 for i in ids})
        catalog.embeddings(number, space, Kind.PICTURE).put(list(ids), rows)


def _looked_at(file: Path) -> ScannedFile:
    status = file.stat()
    return ScannedFile(file, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


class Drawn:
    """An encoder in place of a large net: each picture and each text has a vector of its own, drawn by its bytes."""

    image_size = 16

    def __init__(self, space: Space) -> None:
        self.space = space

    def prepare(self, image: Image) -> Pixels:
        """Its first bytes."""
        return np.asarray(image.resize((4, 4))).ravel()

    def images(self, batch: Sequence[Pixels]) -> Rows:
        """n pictures -> (n, dimensions) unit rows."""
        return self._drawn([pixels.tobytes() for pixels in batch])

    def texts(self, batch: Sequence[str]) -> Rows:
        """n texts -> (n, dimensions) unit rows."""
        return self._drawn([text.encode() for text in batch])

    def _drawn(self, batch: Sequence[bytes]) -> Rows:
        seeds = [zlib.crc32(each) for each in batch]
        rows = [queries(1, self.space.dimensions, texts=False, seed=seed)[0] for seed in seeds]
        return np.array(rows, np.float32).reshape(len(batch), self.space.dimensions)
