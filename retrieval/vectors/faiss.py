"""FAISS: exact search in half precision; above 200,000 vectors, 4-bit codes (the sieve) preselect candidates.

A saved file is memory-mapped: opening costs nothing, and later additions stay beside it, in memory, until the next
`save`. Does not know where the vectors come from. docs/decisions/0020 and 0021 have the measurements.
"""

from __future__ import annotations

import contextlib
import copy
import errno
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Self

import faiss
import numpy as np
import numpy.typing as npt

from ..errors import LibraryDamaged
from ..types.records import Ids, Vectors
from .exact import Exact
from .local import LocalStore

Places = npt.NDArray[np.int64]

EXACT_UP_TO = 200_000  # up to this many vectors, all are compared
LEAST_WIDTH = 64  # dimensions below which a sieve saves nothing
PROBED = 0.2  # share of the sieve's inverted lists that a query visits
TRAINED_ON = 64  # training vectors per inverted list
PASSING = 20  # candidates per hit that pass the sieve; in all at least the square root of the size
AT_ONCE = 50_000  # vectors encoded at a time
LATE = 0.01  # late additions, as a share of the mapped file, up to which they stay beside it
LATE_AT_LEAST = 2000
WIDE = 2_000_000  # comparisons from which on a search uses several threads
THREADS = faiss.omp_get_max_threads()
MAGIC = b"retrieval vectors 2"
FOOTER = struct.Struct(f"<{len(MAGIC)}sqqq")  # magic, bytes of the exact index, bytes of the sieve, vectors


class Faiss:
    """Inner products of unit vectors by id, with removal and with filters applied inside the search."""

    form: ClassVar[str] = "faiss2"

    def __init__(self, dimensions: int) -> None:
        self.dimensions = dimensions
        self._exact = _exact(dimensions)
        self._sieve: Any = None
        self._ids: Ids = np.empty(0, np.int64)  # by position in the exact index; an id may occur again later
        self._gone: npt.NDArray[np.bool_] = np.empty(0, bool)  # removed or replaced
        self._order: Places | None = None  # positions, in order of the ids
        self._late = Exact(dimensions)  # late additions: made after the file was mapped
        self._file: npt.NDArray[np.uint8] | None = None  # the mapped file
        self._sieve_at: slice | None = None  # where the sieve is in the file, until it is loaded

    def __len__(self) -> int:
        return len(self._ids) - int(self._gone.sum()) + len(self._late)

    @property
    def ids(self) -> Ids:
        """The stored ids, in no order."""
        return np.concatenate([self._ids[~self._gone], self._late.ids])

    def get(self, ids: Ids) -> Vectors:
        """Return the vectors of these ids, `(n, dimensions)`, in half precision except for late additions."""
        if not len(self._late):
            return self._rows(self._places(ids))
        late = np.isin(ids, self._late.ids)
        rows = np.empty((len(ids), self.dimensions), np.float32)
        rows[~late], rows[late] = self._rows(self._places(ids[~late])), self._late.get(ids[late])
        return rows

    def add(self, ids: Ids, vectors: Vectors) -> None:
        """Add vectors, replacing ids that exist; if an id is given twice, the last one counts."""
        last = np.sort(len(ids) - 1 - np.unique(ids[::-1], return_index=True)[1])
        ids, vectors = ids[last], np.ascontiguousarray(vectors[last], np.float32)
        self.remove(ids)
        if self._file is not None:
            self._late.add(ids, vectors)
            if self._too_late:
                self.__dict__.update(self._merged().__dict__)
        else:
            self._append(ids, vectors)

    def remove(self, ids: Ids) -> None:
        """Remove these ids; unknown ids are ignored."""
        self._late.remove(ids)
        self._gone[self._places(ids)] = True

    def changed(self, removed: Ids, ids: Ids, vectors: Vectors) -> Self:
        """Return an index that shares everything but what changes: searches of this one go on meanwhile."""
        index = copy.copy(self)
        index._gone, index._late = self._gone.copy(), copy.copy(self._late)
        index.remove(np.concatenate([removed, ids]))
        index._late.add(ids, np.ascontiguousarray(vectors, np.float32))
        return index._merged() if index._too_late else index

    def search(self, queries: Vectors, k: int, allowed: Ids | None = None) -> tuple[npt.NDArray[np.float32], Ids]:
        """Apply filters inside the search, and compare exactly what they leave."""
        scores = np.full((len(queries), k), -np.inf, np.float32)
        nearest = np.full((len(queries), k), -1, np.int64)
        size = min(k, len(self) if allowed is None else len(allowed))
        if not size:
            return scores, nearest
        rows = np.ascontiguousarray(queries, np.float32)
        if len(self._ids):
            scores[:, :size], nearest[:, :size] = self._mapped(rows, size, allowed)
        if len(self._late):
            others = self._late.search(rows, size, allowed)
            joined = np.concatenate([scores, others[0]], axis=1), np.concatenate([nearest, others[1]], axis=1)
            best = np.lexsort((joined[1], -joined[0]), axis=1)[:, :k]
            scores, nearest = (np.take_along_axis(each, best, 1) for each in joined)
        return scores, nearest

    def _mapped(self, rows: Vectors, k: int, allowed: Ids | None) -> tuple[npt.NDArray[np.float32], Ids]:
        """Return the best of the main index, without late additions: scores and ids, both `(q, k)`."""
        chosen: dict[str, Any] = {}
        if allowed is not None or self._gone.any():
            passing = ~self._gone
            if allowed is not None:
                wanted = np.zeros_like(passing)
                wanted[self._places(allowed)] = True
                passing &= wanted
            bits = np.packbits(passing, bitorder="little")
            chosen["sel"] = faiss.IDSelectorBitmap(len(passing), faiss.swig_ptr(bits))
        sieve = self._loaded_sieve() if allowed is None else None
        params: Any
        if sieve is not None:
            chosen["nprobe"] = max(1, round(sieve.nlist * PROBED))
            passed: dict[str, Any] = {"k_factor": max(PASSING, len(self._ids) ** 0.5 / k)}
            passed["base_index_params"] = faiss.SearchParametersIVF(**chosen)
            index, params = faiss.IndexRefine(sieve, self._exact), faiss.IndexRefineSearchParameters(**passed)
        else:
            index, params = self._exact, faiss.SearchParameters(**chosen) if chosen else None
        with threads(1 if len(rows) * len(self._ids) < WIDE else THREADS):
            scores, places = index.search(rows, k, params=params)
        scores[places < 0] = -np.inf
        return scores, np.where(places < 0, -1, self._ids[places])

    def _places(self, ids: Ids) -> Places:
        """Return the positions of these ids in the exact index; unknown ids are skipped."""
        if not len(self._ids):
            return np.empty(0, np.int64)
        if self._order is None:
            self._order = np.argsort(self._ids, kind="stable")
        places = np.searchsorted(self._ids, ids, "right", sorter=self._order) - 1  # of several positions the last
        places = self._order[places.clip(0)]
        found: Places = places[(self._ids[places] == ids) & ~self._gone[places]]
        return found

    # --- in memory -----------------------------------------------------------------------------------------

    def _append(self, ids: Ids, vectors: Vectors) -> None:
        self._exact.add(vectors)
        self._ids, self._order = np.concatenate([self._ids, ids]), None
        self._gone = np.concatenate([self._gone, np.zeros(len(ids), bool)])
        if self._sieve is not None:
            self._sieve.add(vectors)
        elif len(self._ids) > EXACT_UP_TO and self.dimensions >= LEAST_WIDTH and self.dimensions % 2 == 0:
            self._sieve = _sieve(self._exact)

    def _rows(self, places: Places) -> Vectors:
        """Return the vectors at these positions, `(n, dimensions)`, as stored."""
        if not len(places):
            return np.empty((0, self.dimensions), np.float32)
        codes = faiss.rev_swig_ptr(self._exact.codes.data(), self._exact.ntotal * self.dimensions * 2)
        rows: Vectors = codes.view(np.float16).reshape(-1, self.dimensions)[places].astype(np.float32)
        return rows

    @property
    def _too_late(self) -> bool:
        """Whether so many vectors are beside the main index that a search would notice."""
        return len(self._late) > max(LATE_AT_LEAST, LATE * len(self._ids))

    def _merged(self) -> Self:
        """Return an index in memory, with late additions and without removed vectors, in order of the ids."""
        late, there = self._late, np.flatnonzero(~self._gone)
        ids = np.concatenate([self._ids[there], late.ids])
        source = np.concatenate([there, -1 - np.arange(len(late))])  # below 0: late additions
        order = np.argsort(ids, kind="stable")
        exact = _exact(self.dimensions)
        for start in range(0, len(order), AT_ONCE):
            some = source[order[start : start + AT_ONCE]]
            rows = np.empty((len(some), self.dimensions), np.float32)
            rows[some >= 0] = self._rows(some[some >= 0])
            rows[some < 0] = late.vectors[-1 - some[some < 0]]
            exact.add(rows)
        sieve = None if self._sieve is None else faiss.clone_index(self._sieve)
        if self._sieve_at is not None and self._file is not None:
            sieve = faiss.deserialize_index(self._file[self._sieve_at])  # a copy: the mapped one is read-only
        if sieve is not None:
            sieve = _sieve(exact, sieve)
        elif len(ids) > EXACT_UP_TO and self.dimensions >= LEAST_WIDTH and self.dimensions % 2 == 0:
            sieve = _sieve(exact)
        index = type(self)(self.dimensions)
        index._exact, index._ids, index._gone, index._sieve = exact, ids[order], np.zeros(len(ids), bool), sieve
        return index

    # --- in a file -----------------------------------------------------------------------------------------

    def save(self, path: Path) -> None:
        """Write one file: the exact index and the sieve in FAISS's own format, the ids, and where each part begins."""
        if self._gone.any() or len(self._late) or np.any(np.diff(self._ids) < 0):
            self._merged().save(path)
            return
        path.unlink(missing_ok=True)  # it may be the mapped file
        try:
            faiss.write_index(self._exact, str(path))
        except RuntimeError as exc:  # FAISS reports a full disk like this
            path.unlink(missing_ok=True)
            code = errno.ENOSPC if shutil.disk_usage(path.parent).free < 1 << 20 else errno.EIO
            raise OSError(code, f"cannot write {path}: {exc}") from exc
        exact = path.stat().st_size
        with path.open("ab") as stream:
            sieve = self._loaded_sieve()
            if sieve is not None:
                faiss.write_index(sieve, faiss.PyCallbackIOWriter(stream.write))  # type: ignore[attr-defined]  # stubs lack it
            size = stream.tell() - exact
            stream.write(self._ids.tobytes())
            stream.write(FOOTER.pack(MAGIC, exact, size, len(self._ids)))

    @classmethod
    def load(cls, path: Path, dimensions: int) -> Self:
        """Map a saved file; its pages are read on demand.

        Raises:
            LibraryDamaged: the file is incomplete, or has another number of dimensions.
        """
        index = cls(dimensions)
        try:
            file = np.memmap(path, np.uint8, "r").view(np.ndarray)
            magic, exact, sieve, count = FOOTER.unpack(file[-FOOTER.size :].tobytes())
            if magic != MAGIC or exact + sieve + 8 * count + FOOTER.size != len(file):
                raise ValueError("its end is missing")
            index._exact = _read(file[:exact])
        except (OSError, ValueError, struct.error, RuntimeError) as exc:
            reason = str(exc).rsplit("Error: ", 1)[-1].strip()
            raise LibraryDamaged(f"the vector file {path} is not whole: {reason}") from exc
        if index._exact.d != dimensions:
            raise LibraryDamaged(f"the vector file {path} holds rows of {index._exact.d}, not of {dimensions}")
        index._file, index._sieve_at = file, slice(exact, exact + sieve) if sieve else None
        index._ids = np.frombuffer(file[exact + sieve : -FOOTER.size].tobytes(), np.int64)
        index._order = np.arange(count)  # the ids were saved in order
        index._gone = np.zeros(count, bool)
        return index

    def _loaded_sieve(self) -> Any:
        if self._sieve is None and self._sieve_at is not None and self._file is not None:
            self._sieve = _read(self._file[self._sieve_at])
        return self._sieve


class FaissStore(LocalStore):
    """The local store with FAISS."""

    index = Faiss


@contextlib.contextmanager
def threads(count: int) -> Iterator[None]:
    """Set how many threads FAISS uses; for a small search, starting threads costs more than it saves.

    The setting belongs to the calling thread and also applies to torch, so it is restored.
    """
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(count)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def _exact(dimensions: int) -> Any:
    index = faiss.IndexScalarQuantizer(dimensions, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
    index.is_trained = True  # half precision needs no training
    return index


def _sieve(exact: Any, trained: Any = None) -> Any:
    """Return inverted lists of 4-bit product-quantizer codes of the residuals, one code for two dimensions.

    André, Kermarrec & Le Scouarnec 2015 (Cache locality is not enough), as implemented in FAISS. Trained on a sample,
    unless `trained` is an index that was trained on a collection of about this size.
    """
    lists = int(2 ** round(np.log2(np.sqrt(exact.ntotal))))
    index = trained
    if trained is not None and trained.nlist == lists:
        index.reset()
    else:
        index = faiss.index_factory(exact.d, f"IVF{lists},PQ{exact.d // 2}x4fsr", faiss.METRIC_INNER_PRODUCT)
        sample = np.random.default_rng(0).permutation(exact.ntotal)[: lists * TRAINED_ON]
        index.train(np.stack([exact.reconstruct(int(place)) for place in np.sort(sample)]))
    for start in range(0, exact.ntotal, AT_ONCE):
        index.add(exact.reconstruct_n(start, min(AT_ONCE, exact.ntotal - start)))
    return index


def _read(part: npt.NDArray[np.uint8]) -> Any:
    """Return an index whose vectors stay where they are in memory."""
    reader = faiss.ZeroCopyIOReader(faiss.swig_ptr(part), len(part))  # type: ignore[attr-defined]  # stubs lack it
    return faiss.read_index(reader, faiss.IO_FLAG_MMAP_IFC)
