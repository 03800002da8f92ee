"""The built-in model: by ONNX Runtime on the CPU, by torch on a GPU or in another precision.

Both read the same weights and make the same embedding space.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..runtime import extras
from ..types.results import ModelInfo
from . import Encoder, LoadOptions
from .builtin_encoder import BUILTIN, BuiltinEncoder, shared

if TYPE_CHECKING:
    from .openclip import OpenClip


class BuiltinBackend:
    """The one model `builtin`; see `encoders.EncoderBackend`."""

    def matches(self, name: str) -> bool:
        """Return whether it is `builtin`."""
        return name == "builtin"

    def load(self, name: str, options: LoadOptions) -> Encoder:  # noqa: ARG002  # there is one
        """Load the model.

        Raises:
            ModelError: its files are damaged, or there is no such device or precision.
            ModelUnavailable: ONNX Runtime, or for a GPU torch, is not installed.
        """
        encoder = shared()
        if options.on_cpu:
            return encoder
        from .lazy import LazyOpenClip

        return LazyOpenClip(encoder, lambda: _in_torch(encoder, options))

    def installed(self, name: str) -> Path:  # noqa: ARG002  # there is one
        """Return the folder of its files, which are part of the package."""
        return BUILTIN

    def pull(self, name: str, options: LoadOptions) -> Path:  # noqa: ARG002  # it is prepared already
        """Return what is here already."""
        return self.installed(name)

    def describe(self, *, everything: bool = False) -> list[ModelInfo]:  # noqa: ARG002  # `model_list` lists it first
        """Return nothing: the table of open_clip's models begins with it."""
        return []


def _in_torch(encoder: BuiltinEncoder, options: LoadOptions) -> OpenClip:
    extras.require("torch", "the built-in model on a GPU or in another precision")
    from . import builtin_torch

    return builtin_torch.load(encoder, options.device, options.precision)
