"""Calibration: what scores mean in one library, measured with anchor texts in its embedding space.

The anchor texts give each space, and each picture, its own scale, so that a confidence needs no constant of one model
(docs/confidence.md). Uses stored embeddings; does not know queries.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..encoders import Encoder
from ..runtime import private_files
from ..runtime.sampling import evenly
from ..storage.manifest import VECTORS
from ..storage.storage import Storage
from ..types.records import Kind, Space, Vectors
from ..vectors import Where
from .anchors import NEIGHBOURS, AnchorTexts, Floats, digest

CANDIDATES = 64  # nearest pictures whose z-scores are computed
REFRESH_GROWTH = 0.1  # relative change of the number of pictures after which the scale is measured again
OWN_CAPTIONS = (100, 1000)  # captions of the library: the fewest that set its own threshold, and the most that are used
REFUSED_SHARE = 0.05  # share of those that the threshold may reject
CAPTIONED_PICTURES = (30, 200)  # pictures with texts: the fewest and the most for the scale of texts
TEXT_SAMPLE = 300  # size of the sample of the library's texts
SAME_PICTURE = 0.99999  # cosine from which two pictures count as the same one
# benchmarks/fit_confidence.py prints these, from COCO's held-back set.
WORD_WEIGHT = 2.0  # of word-likeness, against the fit
MATCH = (1.764, -4.915)  # log-odds of a match: of the sum of both, and a constant
DEFAULT_THRESHOLD = -0.88  # on them, without captions in the library


@dataclass(frozen=True)
class ImageScale:
    """How well the anchor texts fit the pictures of a library, or some of them."""

    count: int  # of these pictures
    mean: float  # of the anchor texts' query z-scores
    std: float  # standard deviation of these
    picture_std: float  # mean standard deviation of the anchor texts' cosines with a picture
    threshold: float  # log-odds of a match below which a query has none


@dataclass(frozen=True)
class TextScale:
    """How well the library's own pictures fit its texts."""

    z: tuple[float, float]  # mean and standard deviation of the pictures' z-scores with their nearest texts
    hubness: tuple[float, float]  # the same of the pictures' hubness: mean cosine with the nearest other pictures
    threshold: float  # of the sum of both, each standardised: below it, no text matches the picture
    per_picture: float  # texts per captioned picture
    sample: Vectors  # embeddings of a sample of the library's texts, (n, dimensions)
    sample_hubness: Floats  # their hubness, (n,)


@dataclass
class Calibration:
    """The calibration of the active space; kept in memory, and on disk beside the vector files."""

    storage: Storage
    encoder: Callable[[Space], Encoder]
    _spaces: dict[int, tuple[AnchorTexts, ImageScale | None]] = field(default_factory=dict)
    _text_scales: dict[int, tuple[tuple[int, int], TextScale | None]] = field(default_factory=dict)

    # --- pictures for a text -------------------------------------------------------------------------------

    def anchors(self) -> AnchorTexts | None:
        """Return the anchor texts in the active space; None if its model does not tell them apart."""
        anchors, _ = self._loaded()
        return anchors if anchors.usable else None

    def image_scale(self, where: Where | None = None) -> ImageScale | None:
        """Return the scale of the library's pictures, or of `where` only; None if it cannot be measured."""
        anchors, size = self.anchors(), self.storage.vectors.count(Kind.PICTURE)
        if anchors is None or not size:
            return None
        if where is not None:
            return self._measured(anchors, where) if len(where.ids) else None
        number, _ = self.storage.active_space()
        scale = self._loaded()[1]
        if scale is None or abs(size - scale.count) > REFRESH_GROWTH * size:
            scale = self._measured(anchors, None)
            self._spaces[number] = (anchors, scale)
            self._save(number, scale)
        return scale

    def log_odds(self, queries: Vectors, query_z: Floats, scale: ImageScale) -> Floats:
        """Return the log-odds, (n,), that something in the library looks like each query, by its query z, (n,)."""
        slope, constant = MATCH
        anchors, _ = self._loaded()
        fit = (query_z - scale.mean) / scale.std
        return slope * (fit + WORD_WEIGHT * anchors.word_likeness(queries)) + constant

    def match(self, queries: Vectors, scale: ImageScale, where: Where | None = None) -> Floats:
        """Return the log-odds, (n,), that something in the library looks like each query, searching for each."""
        return self.log_odds(queries, self.query_zs(queries, where), scale)

    def _measured(self, anchors: AnchorTexts, where: Where | None) -> ImageScale:
        z = self.query_zs(anchors.nouns, where)
        picture_std = float(anchors.scale(self.storage.vectors.sample(Kind.PICTURE))[1].mean())
        count = self.storage.vectors.count(Kind.PICTURE) if where is None else len(where.ids)
        scale = ImageScale(count, float(z.mean()), max(float(z.std()), 1e-6), picture_std, DEFAULT_THRESHOLD)
        own = None if where is not None else self._own_captions()
        if own is None:
            return scale
        return replace(scale, threshold=float(np.quantile(self.match(own, scale), REFUSED_SHARE)))

    def query_zs(self, queries: Vectors, where: Where | None = None) -> Floats:
        """Return the query z of many queries, (n,); each is searched for."""
        anchors, _ = self._loaded()
        count = self.storage.vectors.count(Kind.PICTURE) if where is None else len(where.ids)
        scores, ids = self.storage.vectors.nearest(Kind.PICTURE, queries, CANDIDATES, where)
        found, vectors = self.storage.vectors.get(Kind.PICTURE, np.unique(ids[ids >= 0]).tolist())
        order = np.argsort(found)
        mean, std = anchors.scale(vectors[order])
        places = np.searchsorted(found[order], ids).clip(0, len(found) - 1)
        z = np.where(ids >= 0, (scores - mean[places]) / std[places], -np.inf)
        best: Floats = np.sort(z, axis=1)[:, -_best_of(count) :].mean(axis=1)
        return best

    def _own_captions(self) -> Vectors | None:
        """Return embeddings of captions by people, which the library's pictures must match; None if too few."""
        with self.storage.read() as catalog:
            texts = sorted({text for _, text in catalog.captions.pairs()})
        if len(texts) < OWN_CAPTIONS[0]:
            return None
        chosen = [texts[place] for place in evenly(len(texts), OWN_CAPTIONS[1])]
        vectors = self.storage.vectors.get(Kind.TEXT, chosen)[1]
        return vectors if len(vectors) >= OWN_CAPTIONS[0] else None

    # --- texts for a picture -------------------------------------------------------------------------------

    def text_scale(self) -> TextScale | None:
        """Return the scale of the library's texts; None without anchor texts or with too few captioned pictures."""
        number, _ = self.storage.active_space()
        with self.storage.read() as catalog:
            stamp = catalog.captions.pairs_stamp()
            known = self._text_scales.get(number)
            if known is not None and known[0] == stamp:
                return known[1]
            pairs = catalog.captions.pairs()
        captioned = sorted({picture for picture, _ in pairs})
        enough = self.anchors() is not None and len(captioned) >= CAPTIONED_PICTURES[0]
        scale = self._measured_texts(captioned, len(pairs)) if enough else None
        self._text_scales[number] = (stamp, scale)
        return scale

    def _measured_texts(self, captioned: list[int], pairs: int) -> TextScale:
        chosen = [captioned[place] for place in evenly(len(captioned), CAPTIONED_PICTURES[1])]
        z, hubness = self.picture_fit(self.storage.vectors.get(Kind.PICTURE, chosen)[1])
        of_z, of_hubness = ((float(each.mean()), max(float(each.std()), 1e-6)) for each in (z, hubness))
        total = (z - of_z[0]) / of_z[1] + (hubness - of_hubness[0]) / of_hubness[1]
        threshold = float(np.quantile(total, REFUSED_SHARE))
        texts = self.storage.vectors.sample(Kind.TEXT)
        sample = texts[evenly(len(texts), TEXT_SAMPLE)]
        return TextScale(of_z, of_hubness, threshold, pairs / len(captioned), sample, self.hubness(sample))

    def hubness(self, texts: Vectors, itself: int | None = None) -> Floats:
        """Return each text's hubness, (n,): its mean cosine with the nearest pictures, leaving out content `itself`."""
        scores, ids = self.storage.vectors.nearest(Kind.PICTURE, texts, NEIGHBOURS + 1)
        others = (ids >= 0) & (ids != (-1 if itself is None else itself))
        return _mean_where(scores, others)

    def picture_fit(self, pictures: Vectors) -> tuple[Floats, Floats]:
        """Return each picture's mean z-score with its nearest texts, (n,), and its hubness among pictures, (n,)."""
        anchors, _ = self._loaded()
        nearest = _best_of(self.storage.vectors.count(Kind.TEXT))
        mean, std = anchors.scale(pictures)
        scores, _ = self.storage.vectors.nearest(Kind.TEXT, pictures, nearest)
        z: Floats = ((scores - mean[:, None]) / std[:, None]).mean(axis=1)
        beside, _ = self.storage.vectors.nearest(Kind.PICTURE, pictures, NEIGHBOURS + 1)
        return z, _mean_where(beside, (beside <= SAME_PICTURE) & np.isfinite(beside))

    # --- stored --------------------------------------------------------------------------------------------

    def _loaded(self) -> tuple[AnchorTexts, ImageScale | None]:
        number, space = self.storage.active_space()
        if number not in self._spaces:
            self._spaces[number] = (AnchorTexts.of_space(space, self.encoder), self._load(number))
        return self._spaces[number]

    def _file(self, number: int) -> Path:
        return self.storage.path / VECTORS / f"{number}-calibration.npz"

    def _load(self, number: int) -> ImageScale | None:
        if self.storage.parent:
            return None  # one folder of the library has its own scale
        try:
            with np.load(self._file(number)) as stored:
                numbers = stored["numbers"].tolist()
                return ImageScale(int(numbers[0]), *numbers[1:]) if str(stored["texts"]) == digest() else None
        except (OSError, ValueError, KeyError):
            return None  # it is measured again

    def _save(self, number: int, scale: ImageScale) -> None:
        """Save the scale for later processes, if the library is writable; write errors are ignored."""
        if not self.storage.writable:
            return
        numbers = np.array([scale.count, scale.mean, scale.std, scale.picture_std, scale.threshold])
        with contextlib.suppress(OSError), private_files.replacing(self._file(number)) as stream:
            np.savez(stream, numbers=numbers, texts=digest())


def query_z(z_scores: Floats, count: int) -> float:
    """Return the query z of one query among `count` pictures: the mean of its best z-scores, (n,)."""
    return float(np.sort(z_scores)[-_best_of(count) :].mean())


def _best_of(count: int) -> int:
    """Return how many of the best scores count among `count` contents: one in a hundred, from 1 to 5."""
    return int(np.clip(count // 100, 1, 5))


def _mean_where(scores: npt.NDArray[np.float32], chosen: npt.NDArray[np.bool_]) -> Floats:
    """Return the mean of the chosen scores of each row, (n,); 0 for rows without any."""
    total = np.where(chosen, scores.astype(np.float64), 0).sum(axis=1)
    mean: Floats = total / np.maximum(chosen.sum(axis=1), 1)
    return mean
