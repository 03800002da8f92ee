"""Calibration: what scores mean in one library, measured with anchor texts in its embedding space.

The anchor texts, 584 plain things ("a photo of a chair") and 200 strings of letters, give each space its own scale, so
that a confidence needs no constant of one model (docs/confidence.md). Uses stored embeddings; does not know queries.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..encoders import Encoder
from ..runtime.sampling import evenly
from ..storage.manifest import VECTORS
from ..storage.storage import Storage
from ..types.records import Kind, Space, Vectors
from ..vectors import Where

Floats = npt.NDArray[np.float64]

NEIGHBOURS = 10  # nearest neighbours that are averaged over
CANDIDATES = 64  # nearest pictures whose z-scores are computed
MIN_DISTINCT_ANCHORS = 100  # distinct embeddings of nouns below which a model cannot be calibrated
REFRESH_GROWTH = 0.1  # relative change of the number of pictures after which the scale is measured again
OWN_CAPTIONS = (100, 1000)  # captions of the library: the fewest that set its own threshold, and the most that are used
REFUSED_SHARE = 0.05  # share of those that the threshold may reject
CAPTIONED_PICTURES = (30, 200)  # pictures with texts: the fewest and the most for the scale of texts
TEXT_SAMPLE = 300  # size of the sample of the library's texts
SAME_PICTURE = 0.99999  # cosine from which two pictures count as the same one
MATCH_COEFFICIENTS = (
    2.487,
    3.049,
    -4.908,
)  # weights of fit and of word, and bias: log-odds of a match (fitted on COCO dev)
DEFAULT_MIN_LOG_ODDS = -0.96  # threshold on them without captions in the library: 5% of COCO dev's captions lie below


@dataclass(frozen=True)
class AnchorTexts:
    """The anchor texts, embedded in one space."""

    nouns: Vectors
    letters: Vectors
    ends: tuple[float, float]  # mean similarity to the nouns minus that to the letters: of the letters, of the nouns
    usable: bool  # whether the model tells the nouns apart: at least `DISTINCT` embeddings

    @classmethod
    def encode(cls, encoder: Encoder) -> AnchorTexts:
        """Encode the anchor texts."""
        nouns, letters = anchor_texts()
        return cls.from_embeddings(encoder.texts([f"a photo of {noun}" for noun in nouns]), encoder.texts(letters))

    @classmethod
    def from_embeddings(cls, nouns: Vectors, letters: Vectors) -> AnchorTexts:
        """Make the anchor texts from the embeddings of nouns and letters, (n, dimensions) unit rows each."""
        across = nouns @ letters.T
        to_nouns, to_letters = (_mean_of_nearest(_without_diagonal(each @ each.T)) for each in (nouns, letters))
        ends = (
            float((_mean_of_nearest(across.T) - to_letters).mean()),
            float((to_nouns - _mean_of_nearest(across)).mean()),
        )
        return cls(nouns, letters, ends, usable=len(np.unique(nouns.round(4), axis=0)) >= MIN_DISTINCT_ANCHORS)

    def words(self, queries: Vectors) -> Floats:
        """Return how word-like each query is, (n,): 0 like the strings of letters, 1 like the nouns."""
        low, high = self.ends
        return (_mean_of_nearest(queries @ self.nouns.T) - _mean_of_nearest(queries @ self.letters.T) - low) / (
            high - low
        )

    def scale(self, vectors: Vectors) -> tuple[Floats, Floats]:
        """Return the mean and the standard deviation of the nouns' cosines with each vector, (n,) and (n,)."""
        found = (vectors @ self.nouns.T).astype(np.float64)
        return found.mean(axis=1), np.maximum(found.std(axis=1), 1e-6)


@dataclass(frozen=True)
class ImageScale:
    """How well the anchor texts fit the pictures of a library, or some of them."""

    count: int
    mean: float  # of the anchor texts' query z-scores
    spread: float  # standard deviation of these
    std: float  # mean standard deviation of the anchor texts' cosines with a picture
    least: float  # log-odds of a match below which a query has none


@dataclass(frozen=True)
class TextScale:
    """How well the library's own pictures fit its texts."""

    fit: tuple[float, float]  # mean and standard deviation of their z-scores
    near: tuple[float, float]  # the same of their hubness: mean cosine with the nearest other pictures
    least: float  # of the sum of both, each standardised: below it, no text matches the picture
    each: float  # texts per captioned picture
    some: Vectors  # embeddings of a sample of the library's texts, (n, dimensions)
    hubness: Floats  # their hubness, (n,)


@dataclass
class Calibration:
    """The calibration of the active space; kept in memory, and on disk beside the vector cache."""

    storage: Storage
    encoder: Callable[[Space], Encoder]
    _known: dict[int, tuple[AnchorTexts, ImageScale | None]] = field(default_factory=dict)
    _texts: dict[int, tuple[tuple[int, int], TextScale | None]] = field(default_factory=dict)

    def anchors(self) -> AnchorTexts | None:
        """Return the anchor texts in the active space; None if its model does not tell them apart."""
        found = self._found()[0]
        return found if found.usable else None

    def image_scale(self, where: Where | None = None) -> ImageScale | None:
        """Return the scale of the library's pictures, or of `where` only; None if it cannot be measured."""
        bank = self.anchors()
        if bank is None or not self.storage.vectors.count(Kind.PICTURE):
            return None
        if where is not None:
            return self._measured(bank, where) if len(where.ids) else None
        number, _ = self.storage.active_space()
        known, now = self._found()[1], self.storage.vectors.count(Kind.PICTURE)
        if known is None or abs(now - known.count) > REFRESH_GROWTH * now:
            known = self._measured(bank, None)
            self._known[number] = (bank, known)
            self._save(number, bank, known)
        return known

    def query_z(self, queries: Vectors, where: Where | None = None) -> Floats:
        """Return each query's z-score, (n,): the mean of its best cosines, each on the scale of its own picture."""
        bank, few = self._found()[0], np.clip(self._size(where) // 100, 1, 5)
        scores, ids = self.storage.vectors.nearest(Kind.PICTURE, queries, CANDIDATES, where)
        known, vectors = self.storage.vectors.get(Kind.PICTURE, np.unique(ids[ids >= 0]).tolist())
        order = np.argsort(known)
        mean, spread = bank.scale(vectors[order])
        places = np.searchsorted(known[order], ids).clip(0, len(known) - 1)
        heights = np.where(ids >= 0, (scores - mean[places]) / spread[places], -np.inf)
        found: Floats = np.sort(heights, axis=1)[:, -few:].mean(axis=1)
        return found

    def text_scale(self) -> TextScale | None:
        """Return the scale of the library's texts; None without anchor texts or with too few captioned pictures."""
        number, _ = self.storage.active_space()
        with self.storage.read() as catalog:
            stamp = catalog.captions.pairs_stamp()
            known = self._texts.get(number)
            if known is not None and known[0] == stamp:
                return known[1]
            pairs = catalog.captions.pairs()
        captioned = sorted({picture for picture, _ in pairs})
        if self.anchors() is None or len(captioned) < CAPTIONED_PICTURES[0]:
            known = (stamp, None)
        else:
            some = evenly(len(captioned), CAPTIONED_PICTURES[1])
            vectors = self.storage.vectors.get(Kind.PICTURE, [captioned[place] for place in some])[1]
            fits, nears = self.text_fits(vectors)
            fit, near = ((float(each.mean()), max(float(each.std()), 1e-6)) for each in (fits, nears))
            both = (fits - fit[0]) / fit[1] + (nears - near[0]) / near[1]
            least = float(np.quantile(both, REFUSED_SHARE))
            texts = self.storage.vectors.sample(Kind.TEXT)
            texts = texts[evenly(len(texts), TEXT_SAMPLE)]
            each = len(pairs) / len(captioned)
            known = (stamp, TextScale(fit, near, least, each, texts, self.hubness(texts)))
        self._texts[number] = known
        return known[1]

    def hubness(self, texts: Vectors, itself: int | None = None) -> Floats:
        """Return each text's hubness, (n,): its mean cosine with the nearest pictures, leaving out content `itself`."""
        scores, ids = self.storage.vectors.nearest(Kind.PICTURE, texts, NEIGHBOURS + 1)
        others = (ids >= 0) & (ids != (-1 if itself is None else itself))
        return _mean_where(scores, others)

    def text_fits(self, pictures: Vectors) -> tuple[Floats, Floats]:
        """Return each picture's mean z-score with its nearest texts, (n,), and its hubness among pictures, (n,)."""
        bank = self._found()[0]
        few = int(np.clip(self.storage.vectors.count(Kind.TEXT) // 100, 1, 5))
        mean, spread = bank.scale(pictures)
        scores, _ = self.storage.vectors.nearest(Kind.TEXT, pictures, few)
        fits: Floats = ((scores - mean[:, None]) / spread[:, None]).mean(axis=1)
        beside, _ = self.storage.vectors.nearest(Kind.PICTURE, pictures, NEIGHBOURS + 1)
        return fits, _mean_where(beside, (beside <= SAME_PICTURE) & np.isfinite(beside))

    def _size(self, where: Where | None) -> int:
        return self.storage.vectors.count(Kind.PICTURE) if where is None else len(where.ids)

    def match(self, queries: Vectors, gauge: ImageScale, where: Where | None = None) -> Floats:
        """Return the log-odds, (n,), that something in the library looks like each query."""
        bank = self._found()[0]
        fit, word, constant = MATCH_COEFFICIENTS
        fits = (self.query_z(queries, where) - gauge.mean) / gauge.spread
        return fit * fits + word * bank.words(queries) + constant

    def _measured(self, bank: AnchorTexts, where: Where | None) -> ImageScale:
        fits = self.query_z(bank.nouns, where)
        std = float(bank.scale(self.storage.vectors.sample(Kind.PICTURE))[1].mean())
        spread = max(float(fits.std()), 1e-6)
        gauge = ImageScale(self._size(where), float(fits.mean()), spread, std, DEFAULT_MIN_LOG_ODDS)
        own = None if where is not None else self._own_captions()
        if own is None:
            return gauge
        least = float(np.quantile(self.match(own, gauge), REFUSED_SHARE))
        return ImageScale(gauge.count, gauge.mean, gauge.spread, gauge.std, least)

    def _own_captions(self) -> Vectors | None:
        """Return embeddings of captions by people, which the library's pictures must match; None if too few."""
        with self.storage.read() as catalog:
            texts = sorted({text for _, text in catalog.captions.pairs()})
        if len(texts) < OWN_CAPTIONS[0]:
            return None
        vectors = self.storage.vectors.get(Kind.TEXT, [texts[place] for place in evenly(len(texts), OWN_CAPTIONS[1])])[
            1
        ]
        return vectors if len(vectors) >= OWN_CAPTIONS[0] else None

    # --- stored --------------------------------------------------------------------------------------------

    def _found(self) -> tuple[AnchorTexts, ImageScale | None]:
        number, space = self.storage.active_space()
        if number not in self._known:
            self._known[number] = self._load(number) or (AnchorTexts.encode(self.encoder(space)), None)
        return self._known[number]

    def _file(self, number: int) -> Path:
        return self.storage.path / VECTORS / f"{number}-calibration.npz"

    def _load(self, number: int) -> tuple[AnchorTexts, ImageScale | None] | None:
        try:
            with np.load(self._file(number)) as kept:
                nouns, letters, numbers = kept["nouns"], kept["letters"], kept["numbers"].tolist()
                whole = str(kept["texts"]) == _digest()
        except (OSError, ValueError, KeyError):
            return None  # it is measured again
        if not whole:
            return None
        gauge = None if self.storage.parent else ImageScale(int(numbers[0]), *numbers[1:])  # a part has its own scale
        return AnchorTexts.from_embeddings(nouns, letters), gauge

    def _save(self, number: int, bank: AnchorTexts, gauge: ImageScale) -> None:
        """Save the calibration for later processes, if the library is writable; write errors are ignored."""
        if not self.storage.writable:
            return
        numbers = np.array([gauge.count, gauge.mean, gauge.spread, gauge.std, gauge.least])
        final = self._file(number)
        temporary = final.with_suffix(f".{os.getpid()}.new")
        with contextlib.suppress(OSError):
            with temporary.open("wb") as stream:
                np.savez(stream, nouns=bank.nouns, letters=bank.letters, numbers=numbers, texts=_digest())
            temporary.replace(final)


@lru_cache(1)
def anchor_texts() -> tuple[list[str], list[str]]:
    """Return the anchor texts: names of things, and strings of letters."""
    folder = resources.files(__package__)
    nouns, letters = ((folder / name).read_text(encoding="utf-8").splitlines() for name in ("nouns.txt", "letters.txt"))
    return nouns, letters


def _digest() -> str:
    import hashlib

    return hashlib.blake2b("\n".join((*anchor_texts()[0], *anchor_texts()[1])).encode(), digest_size=8).hexdigest()


def _mean_of_nearest(cosines: npt.NDArray[np.float32]) -> Floats:
    found: Floats = np.sort(cosines.astype(np.float64), axis=1)[:, -NEIGHBOURS:].mean(axis=1)
    return found


def _mean_where(scores: npt.NDArray[np.float32], chosen: npt.NDArray[np.bool_]) -> Floats:
    """Return the mean of the chosen scores of each row, (n,); 0 for rows without any."""
    found: Floats = np.where(chosen, scores.astype(np.float64), 0).sum(axis=1) / np.maximum(chosen.sum(axis=1), 1)
    return found


def _without_diagonal(cosines: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    np.fill_diagonal(cosines, -9)
    return cosines
