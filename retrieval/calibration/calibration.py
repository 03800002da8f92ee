"""What scores mean here: neutral texts in the library's space, and how they fit its pictures.

A bank of 584 plain things ("a photo of a chair") and 200 strings of letters gives each space its own scale, so that a
confidence needs no constant of one model (docs/confidence.md). Knows stored embeddings; does not know queries.
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
from ..storage.catalog.embeddings import evenly
from ..storage.storage import VECTORS, Holdings
from ..types.records import Ids, Kind, Space, Vectors

Floats = npt.NDArray[np.float64]

CLOSEST = 10  # texts of the bank that a query is held against
CANDIDATES = 64  # nearest pictures whose heights are worked out
DISTINCT = 100  # different embeddings that a bank must have to say anything
GROWN = 0.1  # share by which a library may change before the bank is held against it anew
OWN = (100, 1000)  # captions of the library: the fewest that say where its own scale ends, and the most that are used
REFUSED = 0.05  # share of those that may be told that nothing looks like them
SHOWN = (30, 200)  # the same of pictures with texts, for the texts' scale
STANDING = 300  # texts that stand for all of a library's
ITSELF = 0.99999  # cosine from which on two pictures are the same one
MATCH = (2.487, 3.049, -4.908)  # of fit, of word, and constant: log-odds that there is something (fitted on COCO dev)
LEAST = -0.96  # of those log-odds, where the library has no captions of its own: 5% of COCO dev's captions lie below


@dataclass(frozen=True)
class Bank:
    """The neutral texts in one space."""

    nouns: Vectors
    letters: Vectors
    ends: tuple[float, float]  # how much nearer the letters, and the nouns, are to the nouns than to the letters
    speaks: bool  # whether the model tells them apart at all

    @classmethod
    def of(cls, encoder: Encoder) -> Bank:
        """Encode them."""
        nouns, letters = texts()
        return cls.made(encoder.texts([f"a photo of {noun}" for noun in nouns]), encoder.texts(letters))

    @classmethod
    def made(cls, nouns: Vectors, letters: Vectors) -> Bank:
        """Of their embeddings."""
        across = nouns @ letters.T
        to_nouns, to_letters = (_closest(_without_itself(each @ each.T)) for each in (nouns, letters))
        ends = float((_closest(across.T) - to_letters).mean()), float((to_nouns - _closest(across)).mean())
        return cls(nouns, letters, ends, speaks=len(np.unique(nouns.round(4), axis=0)) >= DISTINCT)

    def words(self, queries: Vectors) -> Floats:
        """How far each query lies among words rather than strings of letters: 0 as these, 1 as the bank's nouns."""
        low, high = self.ends
        return (_closest(queries @ self.nouns.T) - _closest(queries @ self.letters.T) - low) / (high - low)

    def scale(self, vectors: Vectors) -> tuple[Floats, Floats]:
        """The mean and the standard deviation of the bank's cosines with each of these, (n,) and (n,)."""
        found = (vectors @ self.nouns.T).astype(np.float64)
        return found.mean(axis=1), np.maximum(found.std(axis=1), 1e-6)


@dataclass(frozen=True)
class Gauge:
    """How a bank fits the pictures of a library, or some of them."""

    count: int
    mean: float  # of the bank's texts' fits
    spread: float  # their standard deviation
    sigma: float  # mean standard deviation of the bank's cosines with a picture
    least: float  # log-odds of a match below which nothing looks like a query


@dataclass(frozen=True)
class TextGauge:
    """How the library's own pictures fit its texts."""

    fit: tuple[float, float]  # mean and standard deviation of how well they fit
    near: tuple[float, float]  # the same of how near other pictures are to them
    least: float  # of both together, in standard deviations: below it, no text is about a picture
    each: float  # texts a picture has
    some: Vectors  # texts from all over the library, which stand for all
    crowd: Floats  # and how near pictures crowd around each


@dataclass
class Bearings:
    """The bank of the serving space, held against its library; kept in memory and beside the vector files."""

    holdings: Holdings
    encoder: Callable[[Space], Encoder]
    _known: dict[int, tuple[Bank, Gauge | None]] = field(default_factory=dict)
    _texts: dict[int, tuple[tuple[int, int], TextGauge | None]] = field(default_factory=dict)

    def bank(self) -> Bank | None:
        """The serving space's bank; None where its model does not tell neutral texts apart."""
        found = self._found()[0]
        return found if found.speaks else None

    def gauge(self, allowed: Ids | None = None) -> Gauge | None:
        """How the bank fits the library, or only these pictures; None where nothing can be said."""
        bank = self.bank()
        if bank is None or not self.holdings.count(Kind.PICTURE):
            return None
        if allowed is not None:
            return self._measured(bank, allowed) if len(allowed) else None
        number, _ = self.holdings.serving()
        known, now = self._found()[1], self.holdings.count(Kind.PICTURE)
        if known is None or abs(now - known.count) > GROWN * now:
            known = self._measured(bank, None)
            self._known[number] = (bank, known)
            self._save(number, bank, known)
        return known

    def heights(self, queries: Vectors, allowed: Ids | None = None) -> Floats:
        """How well each query fits the library: the mean of its highest cosines, each on its picture's own scale."""
        bank, few = self._found()[0], np.clip(self._size(allowed) // 100, 1, 5)
        scores, ids = self.holdings.nearest(Kind.PICTURE, queries, CANDIDATES, allowed)
        known, vectors = self.holdings.vectors_of(Kind.PICTURE, np.unique(ids[ids >= 0]).tolist())
        order = np.argsort(known)
        mean, spread = bank.scale(vectors[order])
        places = np.searchsorted(known[order], ids).clip(0, len(known) - 1)
        heights = np.where(ids >= 0, (scores - mean[places]) / spread[places], -np.inf)
        found: Floats = np.sort(heights, axis=1)[:, -few:].mean(axis=1)
        return found

    def text_gauge(self) -> TextGauge | None:
        """How the library's pictures fit its texts; None where it has too few pictures with texts."""
        number, _ = self.holdings.serving()
        with self.holdings.reading() as catalog:
            stamp = catalog.pairs_stamp()
            known = self._texts.get(number)
            if known is not None and known[0] == stamp:
                return known[1]
            pairs = catalog.pairs()
        captioned = sorted({picture for picture, _ in pairs})
        if self.bank() is None or len(captioned) < SHOWN[0]:
            known = (stamp, None)
        else:
            some = evenly(len(captioned), SHOWN[1])
            vectors = self.holdings.vectors_of(Kind.PICTURE, [captioned[place] for place in some])[1]
            fits, nears = self.text_fits(vectors)
            fit, near = ((float(each.mean()), max(float(each.std()), 1e-6)) for each in (fits, nears))
            both = (fits - fit[0]) / fit[1] + (nears - near[0]) / near[1]
            least = float(np.quantile(both, REFUSED))
            texts = self.holdings.sample(Kind.TEXT)
            texts = texts[evenly(len(texts), STANDING)]
            each = len(pairs) / len(captioned)
            known = (stamp, TextGauge(fit, near, least, each, texts, self.crowd(texts)))
        self._texts[number] = known
        return known[1]

    def crowd(self, texts: Vectors, itself: int | None = None) -> Floats:
        """The mean cosine of each text with its nearest pictures, without one: high for texts that fit everything."""
        scores, ids = self.holdings.nearest(Kind.PICTURE, texts, CLOSEST + 1)
        others = (ids >= 0) & (ids != (-1 if itself is None else itself))
        return _mean_where(scores, others)

    def text_fits(self, pictures: Vectors) -> tuple[Floats, Floats]:
        """How well the nearest texts fit each picture, on its own scale; and how near other pictures are to it."""
        bank = self._found()[0]
        few = int(np.clip(self.holdings.count(Kind.TEXT) // 100, 1, 5))
        mean, spread = bank.scale(pictures)
        scores, _ = self.holdings.nearest(Kind.TEXT, pictures, few)
        fits: Floats = ((scores - mean[:, None]) / spread[:, None]).mean(axis=1)
        beside, _ = self.holdings.nearest(Kind.PICTURE, pictures, CLOSEST + 1)
        return fits, _mean_where(beside, (beside <= ITSELF) & np.isfinite(beside))

    def _size(self, allowed: Ids | None) -> int:
        return self.holdings.count(Kind.PICTURE) if allowed is None else len(allowed)

    def match(self, queries: Vectors, gauge: Gauge, allowed: Ids | None = None) -> Floats:
        """The log-odds that something in the library looks like each of these texts."""
        bank = self._found()[0]
        fit, word, constant = MATCH
        fits = (self.heights(queries, allowed) - gauge.mean) / gauge.spread
        return fit * fits + word * bank.words(queries) + constant

    def _measured(self, bank: Bank, allowed: Ids | None) -> Gauge:
        fits = self.heights(bank.nouns, allowed)
        sigma = float(bank.scale(self.holdings.sample(Kind.PICTURE))[1].mean())
        spread = max(float(fits.std()), 1e-6)
        gauge = Gauge(self._size(allowed), float(fits.mean()), spread, sigma, LEAST)
        own = None if allowed is not None else self._own_captions()
        if own is None:
            return gauge
        least = float(np.quantile(self.match(own, gauge), REFUSED))
        return Gauge(gauge.count, gauge.mean, gauge.spread, gauge.sigma, least)

    def _own_captions(self) -> Vectors | None:
        """Captions by people whose pictures are here: what must be told that something looks like it."""
        with self.holdings.reading() as catalog:
            texts = sorted({text for _, text in catalog.pairs()})
        if len(texts) < OWN[0]:
            return None
        vectors = self.holdings.vectors_of(Kind.TEXT, [texts[place] for place in evenly(len(texts), OWN[1])])[1]
        return vectors if len(vectors) >= OWN[0] else None

    # --- kept ----------------------------------------------------------------------------------------------

    def _found(self) -> tuple[Bank, Gauge | None]:
        number, space = self.holdings.serving()
        if number not in self._known:
            self._known[number] = self._load(number) or (Bank.of(self.encoder(space)), None)
        return self._known[number]

    def _file(self, number: int) -> Path:
        return self.holdings.path / VECTORS / f"{number}-bearings.npz"

    def _load(self, number: int) -> tuple[Bank, Gauge | None] | None:
        try:
            with np.load(self._file(number)) as kept:
                nouns, letters, numbers = kept["nouns"], kept["letters"], kept["numbers"].tolist()
                whole = str(kept["texts"]) == _digest()
        except (OSError, ValueError, KeyError):
            return None  # it is made again
        if not whole:
            return None
        gauge = None if self.holdings.whole else Gauge(int(numbers[0]), *numbers[1:])  # a part has a scale of its own
        return Bank.made(nouns, letters), gauge

    def _save(self, number: int, bank: Bank, gauge: Gauge) -> None:
        """Keep it for the next process, where the library can be written: it can always be made again."""
        if not self.holdings.writable:
            return
        numbers = np.array([gauge.count, gauge.mean, gauge.spread, gauge.sigma, gauge.least])
        final = self._file(number)
        temporary = final.with_suffix(f".{os.getpid()}.new")
        with contextlib.suppress(OSError):
            with temporary.open("wb") as stream:
                np.savez(stream, nouns=bank.nouns, letters=bank.letters, numbers=numbers, texts=_digest())
            temporary.replace(final)


@lru_cache(1)
def texts() -> tuple[list[str], list[str]]:
    """The neutral texts: things, and strings of letters."""
    folder = resources.files(__package__)
    nouns, letters = ((folder / name).read_text(encoding="utf-8").splitlines() for name in ("nouns.txt", "letters.txt"))
    return nouns, letters


def _digest() -> str:
    import hashlib

    return hashlib.blake2b("\n".join((*texts()[0], *texts()[1])).encode(), digest_size=8).hexdigest()


def _closest(cosines: npt.NDArray[np.float32]) -> Floats:
    found: Floats = np.sort(cosines.astype(np.float64), axis=1)[:, -CLOSEST:].mean(axis=1)
    return found


def _mean_where(scores: npt.NDArray[np.float32], chosen: npt.NDArray[np.bool_]) -> Floats:
    """The mean of the chosen ones of each row; 0 of none."""
    found: Floats = np.where(chosen, scores.astype(np.float64), 0).sum(axis=1) / np.maximum(chosen.sum(axis=1), 1)
    return found


def _without_itself(cosines: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    np.fill_diagonal(cosines, -9)
    return cosines
