"""The built-in model as an `Encoder` that needs no torch: its tokenizer, its preprocessing and its two ONNX graphs.

Knows the folder `builtin/`; `builtin_towers.py` is the same model in torch, for a GPU.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ModelError
from ..types.records import Pixels, Space, Vectors
from .onnx_towers import OnnxTowers

if TYPE_CHECKING:
    from PIL.Image import Image
    from tokenizers import Tokenizer

BUILTIN = Path(__file__).parent / "builtin"
CONFIG = "config.json"
WEIGHTS = "model.safetensors"
TOKENIZER = "tokenizer.json"
HEAD = ("visual.head.weight", "visual.head.bias")
PIECE = 4  # pictures in a call


@dataclass
class BuiltinEncoder:
    """The built-in model on the CPU."""

    space: Space
    image_size: int
    context: int  # tokens of a text, at most
    folder: Path
    towers: OnnxTowers = field(repr=False)

    @classmethod
    def load(cls, folder: Path = BUILTIN) -> BuiltinEncoder:
        """Read the configuration; the graphs load when they are needed.

        Raises:
            ModelError: the configuration is missing or damaged.
        """
        try:
            said = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
            space = Space("builtin", int(said["dimensions"]), str(said["fingerprint"]))
            return cls(space, int(said["image_size"]), int(said["context"]), folder, OnnxTowers(folder, PIECE))
        except (OSError, ValueError, KeyError, TypeError) as exc:
            raise ModelError(f"cannot read the built-in model in {folder}: {exc}; install the package again") from exc

    def prepare(self, image: Image) -> Pixels:
        """Return one upright RGB picture, squashed to the model's square: (side, side, 3) uint8."""
        return squashed(image, self.image_size)

    def images(self, batch: Sequence[Pixels]) -> Vectors:
        """Return the embeddings of n prepared pictures: (n, dimensions) float32 unit rows."""
        if not len(batch):
            return np.empty((0, self.space.dimensions), np.float32)
        return self.towers.images(np.stack(batch))

    def texts(self, batch: Sequence[str]) -> Vectors:
        """Return the embeddings of n texts: (n, dimensions) float32 unit rows; long texts are truncated."""
        if not len(batch):
            return np.empty((0, self.space.dimensions), np.float32)
        return self.towers.texts([each.ids for each in self.tokenizer.encode_batch(list(batch))], padding=0)

    def patch_features(self, image: Image) -> Vectors:
        """Return the patch features of one upright RGB picture: (rows, columns, dimensions) float32 unit rows."""
        return self.projected(self.towers.cells(self.prepare(image)[None])[0])

    def projected(self, cells: Vectors) -> Vectors:
        """Return cells of the last feature map, or means of them, in the space: (..., channels) to unit rows."""
        weight, bias = self.head
        rows = cells @ weight.T + bias
        unit: Vectors = rows / np.linalg.norm(rows, axis=-1, keepdims=True)
        return unit

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The WordPiece tokenizer, which truncates texts to the model's context."""
        return tokenizer(self.folder, self.context)

    @cached_property
    def head(self) -> tuple[Vectors, Vectors]:
        """The weight, (dimensions, channels), and the bias that turn a cell of the last feature map into the space."""
        from safetensors import safe_open

        with safe_open(self.folder / WEIGHTS, "numpy") as stored:
            weight, bias = (stored.get_tensor(name).astype(np.float32) for name in HEAD)
        return weight, bias


@lru_cache(1)
def shared() -> BuiltinEncoder:
    """Return the built-in encoder of this process; whoever reads it shares its graphs.

    Raises:
        ModelError: as `BuiltinEncoder.load`.
    """
    return BuiltinEncoder.load()


def squashed(image: Image, side: int) -> Pixels:
    """Resize an RGB picture to a square, whatever its shape: (side, side, 3) uint8."""
    from PIL.Image import Resampling

    return np.asarray(image.resize((side, side), Resampling.BICUBIC))


def tokenizer(folder: Path, context: int) -> Tokenizer:
    """Return the tokenizer of a folder, which truncates to `context` tokens.

    Raises:
        ModelError: its file is missing or damaged.
    """
    from tokenizers import Tokenizer

    try:
        found: Tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
    except Exception as exc:  # the library raises plain `Exception`
        raise ModelError(f"cannot read {folder / TOKENIZER}: {exc}; install the package again") from exc
    found.enable_truncation(context)
    found.no_padding()
    return found
