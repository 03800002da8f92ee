"""A CLIP text encoder in NumPy over memory-mapped weights: a process that only encodes queries needs no torch.

The encoder is causal, so tokens after a text's end are skipped, which does not change the embedding and saves most of
the work (a query has 5 tokens, the model reads 77). Knows its own cache folder; does not know where models come from.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..runtime import private_files
from ..types.records import Ids, Space, Vectors
from . import export_manifest
from .batching import by_length
from .tokenizer import BytePairs

FORMAT = 2
MANIFEST = "tower.json"


@dataclass(frozen=True)
class TextConfig:
    """Hyperparameters of a text encoder that cannot be read from its weights."""

    layers: int
    heads: int
    activation: str  # gelu, tanh or quick
    epsilon: float  # of the layer normalisations


@dataclass
class Weights:
    """Arrays by open_clip's parameter names, stored in single or half precision and returned in float32.

    The float32 copy of a half-precision array is kept from its second use on: a process that encodes once stays small.
    """

    stored: Mapping[str, npt.NDArray[np.floating[Any]]]
    _used_once: set[str] = field(default_factory=set)
    _whole: dict[str, Vectors] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Vectors:
        if name in self._whole:
            return self._whole[name]
        found = _whole(self.stored[name])
        if name in self._used_once:
            self._whole[name] = found
        self._used_once.add(name)
        return found

    def rows(self, name: str, places: Ids) -> Vectors:
        """Return some rows of an array in float32 without reading the others."""
        return _whole(self.stored[name][places])


@dataclass(frozen=True)
class NumpyTextEncoder:
    """A text encoder in NumPy, with the model's space, input size and tokenizer."""

    space: Space
    image_size: int  # side of the model's input in pixels
    shape: TextConfig
    pairs: BytePairs
    weights: Weights

    def texts(self, batch: Sequence[str]) -> Vectors:
        """Return the embeddings of n texts: (n, dimensions) float32 unit rows; long texts are truncated."""
        rows = np.empty((len(batch), self.space.dimensions), np.float32)
        end = self.pairs.end  # the embedding is read at the first end token
        tokens = [each[: each.index(end) + 1] for each in map(self.pairs.encode, batch)]
        for some in by_length(tokens):
            rows[some] = self._pass([tokens[place] for place in some])
        return rows

    def _pass(self, tokens: Sequence[list[int]]) -> Vectors:
        """Return (n, dimensions) unit rows of n token lists; causal attention ignores the padding after their end."""
        longest = max(map(len, tokens))
        padded = np.array([[*each, *[0] * (longest - len(each))] for each in tokens])
        weights = self.weights
        x = weights.rows("token_embedding.weight", padded) + weights["positional_embedding"][:longest]
        mask = np.triu(np.full((longest, longest), -np.inf, np.float32), 1)
        for layer in range(self.shape.layers):
            x = self._block(x, f"transformer.resblocks.{layer}.", mask)
        ends = x[np.arange(len(tokens)), [len(each) - 1 for each in tokens]]
        rows = self._normal(ends, "ln_final") @ weights["text_projection"]
        found: Vectors = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return found

    def _block(self, x: Vectors, name: str, mask: Vectors) -> Vectors:
        x = x + self._attention(self._normal(x, name + "ln_1"), name + "attn.", mask)
        inner = self._linear(self._normal(x, name + "ln_2"), name + "mlp.c_fc.weight", name + "mlp.c_fc.bias")
        outer = self._linear(
            _active(inner, self.shape.activation), name + "mlp.c_proj.weight", name + "mlp.c_proj.bias"
        )
        return x + outer

    def _attention(self, x: Vectors, name: str, mask: Vectors) -> Vectors:
        count, length, width = x.shape
        heads = self.shape.heads
        joined = self._linear(x, name + "in_proj_weight", name + "in_proj_bias")
        split = joined.reshape(count, length, 3, heads, width // heads).transpose(2, 0, 3, 1, 4)
        query, key, value = split  # each (count, heads, length, width of a head)
        scores = query @ key.transpose(0, 1, 3, 2) * np.float32((width // heads) ** -0.5) + mask
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        seen = (scores / scores.sum(-1, keepdims=True)) @ value
        seen = seen.transpose(0, 2, 1, 3).reshape(count, length, width)
        return self._linear(seen, name + "out_proj.weight", name + "out_proj.bias")

    def _linear(self, x: Vectors, weight: str, bias: str) -> Vectors:
        flat = x.reshape(-1, x.shape[-1]) @ self.weights[weight].T + self.weights[bias]
        found: Vectors = flat.reshape(*x.shape[:-1], -1)
        return found

    def _normal(self, x: Vectors, name: str) -> Vectors:
        x = x - x.mean(-1, keepdims=True)
        spread = np.sqrt((x * x).mean(-1, keepdims=True) + np.float32(self.shape.epsilon))
        found: Vectors = x / spread * self.weights[name + ".weight"] + self.weights[name + ".bias"]
        return found

    def save(self, folder: Path, sources: Sequence[Path]) -> None:
        """Write the encoder to a folder, the manifest last; it is valid until one of the source files changes.

        Raises:
            OSError: the folder or a file cannot be written.
        """
        private_files.make_folder(folder)
        stamp = secrets.token_hex(4)
        files = {"weights": f"weights-{stamp}.npy", "merges": f"merges-{stamp}.npy"}
        places: dict[str, tuple[int, tuple[int, ...]]] = {}
        total = 0
        for name, array in self.weights.stored.items():
            places[name] = (total, array.shape)
            total += array.size
        flat = np.concatenate([array.ravel() for array in self.weights.stored.values()])
        np.save(folder / files["weights"], flat)
        np.save(folder / files["merges"], np.stack([self.pairs.keys, self.pairs.ranks, self.pairs.merged]))
        pairs = {name: getattr(self.pairs, name) for name in ("size", "start", "end", "context")}
        said = {
            "space": asdict(self.space),
            "image_size": self.image_size,
            "shape": asdict(self.shape),
            "pairs": pairs,
            "weights": places,
            "files": files,
        }
        export_manifest.write(folder / MANIFEST, FORMAT, sources, said)
        for old in set(folder.iterdir()) - {folder / name for name in (MANIFEST, *files.values())}:
            old.unlink(missing_ok=True)  # processes that use it keep it open

    @classmethod
    def load(cls, folder: Path) -> NumpyTextEncoder | None:
        """Return the encoder stored in a folder; None if there is none, or one of its source files has changed."""
        said = export_manifest.read(folder / MANIFEST, FORMAT)
        if said is None:
            return None
        try:
            weights, pairs = (np.load(folder / said["files"][name], mmap_mode="r") for name in ("weights", "merges"))
            flat, (keys, ranks, merged) = weights.view(np.ndarray), pairs.view(np.ndarray)
        except (OSError, ValueError, KeyError, TypeError):
            return None  # the caller exports again
        places = {
            name: flat[start : start + int(np.prod(shape))].reshape(shape)
            for name, (start, shape) in said["weights"].items()
        }
        known = BytePairs(keys, ranks, merged, **said["pairs"])
        return cls(Space(**said["space"]), said["image_size"], TextConfig(**said["shape"]), known, Weights(places))


def _whole(array: npt.NDArray[np.floating[Any]]) -> Vectors:
    """Return an array in float32; half precision is converted by bit shifts, many times faster than NumPy's way."""
    if array.dtype != np.float16:
        return array.astype(np.float32, copy=False)
    bits = array.view(np.int16).astype(np.int32)  # sign extension puts the sign into the highest bit
    bits <<= 13  # moves the fraction into place; the exponent is now too small by 112
    bits &= ~0x70000000  # clears the copies of the sign
    found = bits.view(np.float32)
    found *= np.float32(2.0**112)
    return found


def _active(x: Vectors, activation: str) -> Vectors:
    activated: Vectors
    if activation == "quick":
        activated = x / (1 + np.exp(-1.702 * x))
    elif activation == "tanh":
        activated = 0.5 * x * (1 + np.tanh(0.7978845608 * (x + 0.044715 * x * x * x)))
    else:
        activated = 0.5 * x * (1 + _erf(x * np.float32(0.7071067812)))
    return activated


def _erf(x: Vectors) -> Vectors:
    """Return the error function to 1.5e-7 (Abramowitz & Stegun, Handbook of Mathematical Functions, 7.1.26)."""
    size = np.abs(x)
    t = 1 / (1 + 0.3275911 * size)
    series = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t
    found: Vectors = np.copysign(1 - series * np.exp(-size * size), x)
    return found
