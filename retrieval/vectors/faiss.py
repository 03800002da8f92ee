"""FAISS: exact in half precision while small, inverted lists of 8-bit codes from 200,000 vectors on.

Knows FAISS; does not know where the vectors come from. The sizes are from measurements of text queries against
pictures (see `docs/decisions.md`); scores are approximate, the library re-scores them with the stored vectors.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import faiss
import numpy as np
import numpy.typing as npt

from ..errors import LibraryDamaged
from ..records import Ids, Vectors

EXACT_UP_TO = 200_000  # vectors
PROBED = 0.25  # share of the inverted lists that a query visits
TRAINED_ON = 64  # vectors a list
WIDE = 2_000_000  # comparisons from which on a search is worth several threads
THREADS = faiss.omp_get_max_threads()


class Faiss:
    """Inner products of unit vectors, by number, with removal and filters that are applied inside the search."""

    def __init__(self, dimensions: int, index: Any = None) -> None:
        self.dimensions = dimensions
        self.index = index if index is not None else _flat(dimensions)

    def __len__(self) -> int:
        return int(self.index.ntotal)

    def add(self, ids: Ids, vectors: Vectors) -> None:
        """Replace and append; the index is rebuilt as inverted lists when it grows past `EXACT_UP_TO`."""
        last = len(ids) - 1 - np.unique(ids[::-1], return_index=True)[1]
        ids, vectors = ids[last], np.ascontiguousarray(vectors[last], np.float32)
        if len(self):
            self.remove(ids)
        if _is_flat(self.index) and len(self) + len(ids) > EXACT_UP_TO:
            old_ids, old = self._everything()
            ids, vectors = np.concatenate([old_ids, ids]), np.concatenate([old, vectors])
            self.index = _lists(self.dimensions, vectors)
        self.index.add_with_ids(vectors, ids.astype(np.int64))

    def remove(self, ids: Ids) -> None:
        """Remove these numbers."""
        self.index.remove_ids(faiss.IDSelectorBatch(np.ascontiguousarray(ids, np.int64)))

    def search(self, queries: Vectors, k: int, allowed: Ids | None = None) -> tuple[npt.NDArray[np.float32], Ids]:
        """Filters run inside the search; a filtered search of inverted lists visits all of them."""
        size = min(k, len(self) if allowed is None else len(allowed))
        scores = np.full((len(queries), k), -np.inf, np.float32)
        found = np.full((len(queries), k), -1, np.int64)
        if size and len(self):
            rows = np.ascontiguousarray(queries, np.float32)
            # Of this thread alone, as OpenMP counts: starting others costs more than a small search.
            faiss.omp_set_num_threads(1 if len(rows) * len(self) < WIDE else THREADS)
            scores[:, :size], found[:, :size] = self.index.search(rows, size, params=self._parameters(allowed))
            scores[found < 0] = -np.inf
        return scores, found

    def _parameters(self, allowed: Ids | None) -> Any:
        fields: dict[str, Any] = {}
        if allowed is not None:
            fields["sel"] = faiss.IDSelectorBatch(np.ascontiguousarray(allowed, np.int64))
        if _is_flat(self.index):
            return faiss.SearchParameters(**fields) if fields else None
        lists = self.index.nlist
        fields["nprobe"] = lists if fields else max(1, round(lists * PROBED))
        return faiss.SearchParametersIVF(**fields)

    def _everything(self) -> tuple[Ids, Vectors]:
        ids: Ids = faiss.vector_to_array(self.index.id_map).copy()
        return ids, self.index.index.reconstruct_n(0, self.index.ntotal)

    def save(self, path: Path) -> None:
        """FAISS's own format."""
        faiss.write_index(self.index, str(path))

    @classmethod
    def load(cls, path: Path, dimensions: int) -> Self:
        """Read FAISS's own format."""
        try:
            index = faiss.read_index(str(path))
        except RuntimeError as exc:
            reason = str(exc).rsplit("Error: ", 1)[-1].strip()
            raise LibraryDamaged(f"the vector file {path} is not whole: {reason}") from exc
        if index.d != dimensions:
            raise LibraryDamaged(f"the vector file {path} holds rows of {index.d}, not of {dimensions}")
        return cls(dimensions, index)


def _flat(dimensions: int) -> Any:
    quantizer = faiss.ScalarQuantizer.QT_fp16
    return faiss.IndexIDMap2(faiss.IndexScalarQuantizer(dimensions, quantizer, faiss.METRIC_INNER_PRODUCT))


def _is_flat(index: Any) -> bool:
    return isinstance(index, faiss.IndexIDMap2)


def _lists(dimensions: int, vectors: Vectors) -> Any:
    """Inverted lists trained on a sample of `vectors`."""
    count = int(2 ** round(np.log2(2 * np.sqrt(len(vectors)))))
    index = faiss.index_factory(dimensions, f"IVF{count},SQ8", faiss.METRIC_INNER_PRODUCT)
    sample = np.random.default_rng(0).permutation(len(vectors))[: count * TRAINED_ON]
    index.train(np.ascontiguousarray(vectors[sample]))
    return index
