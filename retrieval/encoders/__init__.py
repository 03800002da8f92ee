"""Encoders: pictures and texts to unit embeddings in one space. Knows nothing of files or storage.

A kind of encoder is one file with a backend, which loads what it matches, and one line in `library.backends`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from ..runtime import extras

if TYPE_CHECKING:
    from PIL.Image import Image

    from ..types.records import Pixels, Space, Vectors
    from ..types.results import ModelInfo

NVIDIA = Path("/dev/nvidiactl")  # where a driver is, there is this: asking torch would take a second


class Encoder(Protocol):
    """A dual encoder. Contract: rows have unit length, and an input gives the same row alone as in a batch."""

    @property
    def space(self) -> Space:
        """The embedding space of the model."""
        ...

    @property
    def image_size(self) -> int:
        """Side of the model's input in pixels; a decoder need not deliver much more."""
        ...

    def prepare(self, image: Image) -> Pixels:
        """Return one upright RGB picture as the model's input; thread-safe."""
        ...

    def images(self, batch: Sequence[Pixels]) -> Vectors:
        """Return the embeddings of n prepared pictures: (n, dimensions) float32 unit rows."""
        ...

    def texts(self, batch: Sequence[str]) -> Vectors:
        """Return the embeddings of n texts: (n, dimensions) float32 unit rows."""
        ...


@runtime_checkable
class SupportsPatchFeatures(Protocol):
    """An encoder that also embeds each part of a picture (patch features)."""

    def patch_features(self, image: Image) -> Vectors:
        """Return the patch features of one upright RGB picture: (rows, columns, dimensions) float32 unit rows.

        They lie in the encoder's embedding space.

        Raises:
            UsageError: this model has no patch features.
        """
        ...


@dataclass(frozen=True)
class LoadOptions:
    """How a model is loaded and run."""

    device: str = "auto"  # auto, cpu, cuda, cuda:N, mps
    precision: str = "auto"  # auto, float32, bfloat16, float16
    cache: Path = Path()  # a folder for what can be made again

    @property
    def on_cpu(self) -> bool:
        """Whether float32 on a CPU is what is asked for, or what `auto` comes to here."""
        cpu = self.device == "cpu" or (self.device == "auto" and not (NVIDIA.exists() and extras.installed("torch")))
        return cpu and self.precision in ("auto", "float32")


class EncoderBackend(Protocol):
    """One kind of encoders: which model names are its own, and all that can be done with them."""

    def matches(self, name: str) -> bool:
        """Return whether a model name is one of this kind; it need not exist."""
        ...

    def load(self, name: str, options: LoadOptions) -> Encoder:
        """Load a model.

        Raises:
            ModelError: the name is unknown or the checkpoint is broken.
            ModelUnavailable: the model is not on this machine.
        """
        ...

    def installed(self, name: str) -> Path:
        """Return where a model's files are on this machine, without loading them or using the network.

        Raises:
            ModelError: the name is unknown.
            ModelUnavailable: the model is known but not on this machine; the message says how to get it.
        """
        ...

    def pull(self, name: str, options: LoadOptions) -> Path:
        """Download a model, unless it is on this machine, and prepare it for its first use; return where its files are.

        Raises:
            ModelError: the name is unknown.
            ModelUnavailable: there is no network or no such repository, or the download broke off.
        """
        ...

    def describe(self, *, everything: bool = False) -> list[ModelInfo]:
        """Return the rows of the table of models: recommended ones, or with `everything` all that are known."""
        ...
