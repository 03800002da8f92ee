"""The built-in model: by ONNX Runtime on the CPU, by torch on a GPU or in another precision.

Both read the same weights and make the same embedding space.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ..types.results import ModelInfo
from . import Encoder, LoadOptions
from .builtin_encoder import BUILTIN, BuiltinEncoder

if TYPE_CHECKING:
    from .openclip import OpenClip

NVIDIA = Path("/dev/nvidiactl")  # where a driver is, there is this: asking torch would take a second


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
        encoder = BuiltinEncoder.load()
        gpu = NVIDIA.exists() and find_spec("torch") is not None
        if (options.device == "cpu" or (options.device == "auto" and not gpu)) and options.precision in (
            "auto",
            "float32",
        ):
            return encoder
        from .lazy import LazyOpenClip

        return LazyOpenClip(encoder, lambda: _in_torch(encoder, options))

    def installed(self, name: str) -> Path:  # noqa: ARG002  # there is one
        """Return the folder of its files, which are part of the package."""
        return BUILTIN

    def pull(self, name: str) -> Path:
        """Return what is here already."""
        return self.installed(name)

    def describe(self, *, everything: bool = False) -> list[ModelInfo]:  # noqa: ARG002  # `model_list` lists it first
        """Return nothing: the table of open_clip's models begins with it."""
        return []


def _in_torch(encoder: BuiltinEncoder, options: LoadOptions) -> OpenClip:
    from . import builtin_torch

    return builtin_torch.load(encoder, options.device, options.precision)
