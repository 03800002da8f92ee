"""The image part of an open_clip model by ONNX Runtime, from the user's cache: a process that shows it a picture needs
neither torch nor open_clip.

Knows its own cache folder; does not know where models come from. `export_image.py` writes the folder.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ModelError
from ..runtime import private_files
from ..types.records import Pixels, Vectors
from . import export_manifest
from .onnx_towers import OnnxTowers

if TYPE_CHECKING:
    from PIL.Image import Image

FORMAT = 2
MANIFEST = "image.json"
PIECE = 4  # pictures in a call
INTERPOLATIONS = ("bilinear", "bicubic")


@dataclass(frozen=True)
class Geometry:
    """How a model resizes and crops a picture, as torchvision does it for open_clip."""

    height: int
    width: int
    interpolation: str  # one of `INTERPOLATIONS`
    squash: bool  # resize to height and width, whatever the picture's shape; else the shorter side, and crop the rest

    def cut(self, image: Image) -> Pixels:
        """Resize and crop an upright RGB picture: (height, width, 3) uint8."""
        from PIL.Image import Resampling

        kind = Resampling[self.interpolation.upper()]
        if self.squash:
            return np.asarray(image.resize((self.width, self.height), kind))
        short, long = sorted(image.size)
        side, other = self.height, int(self.height * long / short)
        size = (side, other) if image.width <= image.height else (other, side)
        resized = image if image.size == size else image.resize(size, kind)
        left, top = round((size[0] - self.width) / 2), round((size[1] - self.height) / 2)
        return np.asarray(resized.crop((left, top, left + self.width, top + self.height)))


@dataclass
class OnnxImageEncoder:
    """The image part of a model."""

    geometry: Geometry
    towers: OnnxTowers

    @classmethod
    def load(cls, folder: Path) -> OnnxImageEncoder | None:
        """Return what is stored in a folder; None if nothing is, or one of its source files has changed."""
        try:
            said = export_manifest.read(folder / MANIFEST, FORMAT)
            return None if said is None else cls(Geometry(**said["geometry"]), OnnxTowers(folder, PIECE))
        except (KeyError, TypeError):
            return None  # the caller exports again

    def prepare(self, image: Image) -> Pixels:
        """Return one upright RGB picture as the model's input."""
        return self.geometry.cut(image)

    def images(self, batch: Sequence[Pixels]) -> Vectors:
        """Return the embeddings of n prepared pictures: (n, dimensions) float32 unit rows.

        Raises:
            ModelError: the export is damaged.
        """
        try:
            return self.towers.images(np.stack(batch))
        except ModelError:
            with contextlib.suppress(OSError):  # the next process exports again
                (self.towers.folder / MANIFEST).unlink(missing_ok=True)
            raise


def tried(folder: Path) -> bool:
    """Return whether an export of the same source files was made, or was refused and is not worth trying again."""
    return export_manifest.read(folder / MANIFEST, FORMAT) is not None


def store(graph: Path, geometry: Geometry | None, sources: Sequence[Path], folder: Path) -> None:
    """Move an exported graph's folder into the cache, the manifest last; valid until one of the source files changes.

    Without `geometry`, only that there is no export is stored.

    Raises:
        OSError: the folder or a file cannot be written.
    """
    private_files.make_folder(folder.parent)
    shutil.rmtree(folder, ignore_errors=True)
    for file in graph.iterdir():
        file.chmod(0o600)
    shutil.move(graph, folder)
    export_manifest.write(folder / MANIFEST, FORMAT, sources, {"geometry": geometry and asdict(geometry)})
