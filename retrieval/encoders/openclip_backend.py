"""Models of open_clip: tags of its list, checkpoint files, repositories of the hub, and folders.

Chooses how a model runs: its text encoder in NumPy where that is possible, the full model when a picture needs it.
"""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from ..types.results import ModelInfo
from . import Encoder, LoadOptions
from .lazy import LazyOpenClip
from .model_name import ModelName
from .numpy_text import NumpyTextEncoder

if TYPE_CHECKING:
    from .openclip import OpenClip


class OpenClipBackend:
    """Everything that `encoders.model_name` can spell; see `encoders.EncoderBackend`."""

    def matches(self, name: str) -> bool:  # noqa: ARG002  # what no other backend knows is refused by its spelling
        """Return True: it is the last one that is asked."""
        return True

    def load(self, name: str, options: LoadOptions) -> Encoder:
        """Load a model; its text-encoder export and its autotune result are stored in `options.cache`.

        Raises:
            ModelError: the name is unknown or the checkpoint is broken.
            ModelUnavailable: the model is not on this machine.
        """
        spelling = ModelName.parse(name).spelling
        place = options.cache / "towers" / hashlib.blake2b(spelling.encode(), digest_size=8).hexdigest()
        text_encoder = NumpyTextEncoder.load(place)
        if text_encoder is not None:
            return LazyOpenClip(text_encoder, lambda: _full_model(name, options))
        model = _full_model(name, options)
        from .export_text import export, sources

        text_encoder = export(model)
        if text_encoder is None:
            return model
        with contextlib.suppress(OSError):  # such as a full disk: the next process exports again
            text_encoder.save(place, sources(model))
        return LazyOpenClip(text_encoder, lambda: model, model)

    def installed(self, name: str) -> Path:
        """Return the checkpoint file or folder on this machine; see `checkpoints.required`."""
        from . import checkpoints

        return checkpoints.required(ModelName.parse(name))

    def pull(self, name: str) -> Path:
        """Return the checkpoint file or folder, downloaded if necessary; see `checkpoints.pull`."""
        from . import checkpoints

        return checkpoints.pull(ModelName.parse(name))

    def describe(self, *, everything: bool = False) -> list[ModelInfo]:
        """Return the models of `known.toml`; with `everything`, every architecture and tag that open_clip lists."""
        from . import model_list

        return model_list.everything() if everything else model_list.known()


def _full_model(name: str, options: LoadOptions) -> OpenClip:
    from .autotune import TuningTable
    from .openclip import OpenClip

    return OpenClip.load(name, options.device, options.precision, TuningTable(options.cache / "speeds.json"))
