"""Anchor texts: neutral texts, embedded in a model's space, that other scores are compared with.

584 plain things ("a photo of a chair") and 200 strings of letters. Their embeddings are kept in the user's cache, by
the model's fingerprint: a new library does not encode them again. Knows encoders; does not know libraries.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

import numpy as np
import numpy.typing as npt

from ..config import cache_folder
from ..encoders import Encoder
from ..runtime import private_files
from ..types.records import Space, Vectors

Floats = npt.NDArray[np.float64]

NEIGHBOURS = 10  # nearest neighbours that are averaged over
MIN_DISTINCT = 100  # distinct embeddings of nouns below which a model cannot be calibrated


@dataclass(frozen=True)
class AnchorTexts:
    """The anchor texts, embedded in one space."""

    nouns: Vectors
    letters: Vectors
    ends: tuple[float, float]  # mean similarity to the nouns minus that to the letters: of the letters, of the nouns
    usable: bool  # whether the model tells the nouns apart: at least `MIN_DISTINCT` embeddings

    @classmethod
    def of_space(cls, space: Space, encoder: Callable[[Space], Encoder]) -> AnchorTexts:
        """Return the anchor texts in a space: those of the cache, or encoded now and kept there if that is possible."""
        path = cache_folder() / "anchors" / f"{space.fingerprint}-{digest()}.npz"
        try:
            with np.load(path) as stored:
                return cls.from_embeddings(stored["nouns"], stored["letters"])
        except (OSError, ValueError, KeyError):  # not there, or damaged
            pass
        words, letters = anchor_texts()
        model = encoder(space)
        rows = {"nouns": model.texts([f"a photo of {noun}" for noun in words]), "letters": model.texts(letters)}
        with contextlib.suppress(OSError):  # the next process encodes them again
            private_files.make_folder(path.parent)
            with private_files.replacing(path) as stream:
                np.savez(stream, nouns=rows["nouns"], letters=rows["letters"])
        return cls.from_embeddings(**rows)

    @classmethod
    def from_embeddings(cls, nouns: Vectors, letters: Vectors) -> AnchorTexts:
        """Make the anchor texts from the embeddings of nouns and letters, (n, dimensions) unit rows each."""
        across = nouns @ letters.T
        to_nouns, to_letters = (_mean_of_nearest(_without_diagonal(rows @ rows.T)) for rows in (nouns, letters))
        low = float((_mean_of_nearest(across.T) - to_letters).mean())
        high = float((to_nouns - _mean_of_nearest(across)).mean())
        return cls(nouns, letters, (low, high), usable=len(np.unique(nouns.round(4), axis=0)) >= MIN_DISTINCT)

    def word_likeness(self, queries: Vectors) -> Floats:
        """Return how word-like each query is, (n,): 0 like the strings of letters, 1 like the nouns."""
        low, high = self.ends
        to_nouns, to_letters = _mean_of_nearest(queries @ self.nouns.T), _mean_of_nearest(queries @ self.letters.T)
        likeness: Floats = (to_nouns - to_letters - low) / (high - low)
        return likeness

    def scale(self, vectors: Vectors) -> tuple[Floats, Floats]:
        """Return the mean and the standard deviation of the nouns' cosines with each vector, (n,) and (n,)."""
        cosines = (vectors @ self.nouns.T).astype(np.float64)
        return cosines.mean(axis=1), np.maximum(cosines.std(axis=1), 1e-6)


@lru_cache(1)
def anchor_texts() -> tuple[list[str], list[str]]:
    """Return the anchor texts: names of things, and strings of letters."""
    folder = resources.files(__package__)
    nouns, letters = ((folder / name).read_text(encoding="utf-8").splitlines() for name in ("nouns.txt", "letters.txt"))
    return nouns, letters


@lru_cache(1)
def digest() -> str:
    """Return a digest of the anchor texts, which says whether stored embeddings and scales are of these."""
    nouns, letters = anchor_texts()
    return hashlib.blake2b("\n".join((*nouns, *letters)).encode(), digest_size=8).hexdigest()


def _mean_of_nearest(cosines: npt.NDArray[np.float32]) -> Floats:
    """Return the mean of the `NEIGHBOURS` highest cosines of each row, (n,)."""
    nearest: Floats = np.sort(cosines.astype(np.float64), axis=1)[:, -NEIGHBOURS:].mean(axis=1)
    return nearest


def _without_diagonal(cosines: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    np.fill_diagonal(cosines, -9)
    return cosines
