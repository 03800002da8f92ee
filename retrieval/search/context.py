"""What one branch of a query reads of the library, each thing once: nearest contents, stored vectors, the sample.

Does not know what they are read for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..calibration.anchors import AnchorTexts, Floats
from ..storage.storage import Storage
from ..storage.vector_search import Neighbours
from ..types.records import Kind, Vectors
from ..vectors import Where


@dataclass
class QueryContext:
    """The reads of one branch, among contents of one kind that pass its filter."""

    storage: Storage
    kind: Kind
    total: int  # how many pass
    where: Where | None  # which; None: all
    _nearest: dict[bytes, tuple[int, Neighbours]] = field(default_factory=dict)  # by vector: how many were asked for
    _rows: dict[int, Vectors] = field(default_factory=dict)
    _sampled: dict[bytes, Vectors] = field(default_factory=dict)  # by vector
    _scales: dict[int, tuple[float, float]] = field(default_factory=dict)

    def nearest(self, vector: Vectors, count: int) -> Neighbours:
        """Return up to `count` contents nearest to a vector, (1, dimensions), from a longer list if there is one."""
        wanted, key = min(count, max(self.total, 1)), vector.tobytes()
        known = self._nearest.get(key)
        if known is None or known[0] < wanted:
            found = self.storage.vectors.neighbours(self.kind, vector, wanted, self.where)
            self._rows |= dict(zip(found.ids.tolist(), found.rows, strict=True))
            known = self._nearest[key] = (wanted, found)
        return known[1].first(wanted)

    def read(self, contents: Sequence[int]) -> None:
        """Read the stored vectors of contents that were not read yet."""
        lacking = [content for content in contents if content not in self._rows]
        if lacking:
            ids, vectors = self.storage.vectors.get(self.kind, lacking)
            self._rows |= dict(zip(ids.tolist(), vectors, strict=True))

    def row(self, content: int) -> Vectors | None:
        """Return the stored vector of a content, (dimensions,), after `read`; None if it has none."""
        return self._rows.get(content)

    def rows(self, contents: Sequence[int]) -> Vectors:
        """Return the stored vectors of contents that have one, in their order, (n, dimensions)."""
        self.read(contents)
        return np.stack([self._rows[content] for content in contents])

    def scale(self, anchors: AnchorTexts, contents: Sequence[int]) -> tuple[Floats, Floats]:
        """Return the scale of each picture: mean and standard deviation of the anchor texts' cosines, (n,) and (n,)."""
        lacking = [content for content in contents if content not in self._scales]
        if lacking:
            mean, std = anchors.scale(self.rows(lacking))
            self._scales |= dict(zip(lacking, zip(mean.tolist(), std.tolist(), strict=True), strict=True))
        found = np.array([self._scales[content] for content in contents])
        return found[:, 0], found[:, 1]

    def sampled(self, vector: Vectors) -> Vectors:
        """Return the cosines of a vector, (dimensions,), with vectors from all over the library, (n,)."""
        key = vector.tobytes()
        if key not in self._sampled:
            self._sampled[key] = self.storage.vectors.sample(self.kind) @ vector
        return self._sampled[key]
