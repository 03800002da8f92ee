"""Models of open_clip: tags of its list, checkpoint files, repositories of the hub, and folders.

Chooses how a model runs: its text part in NumPy and its image part in ONNX Runtime, where that is possible and faster,
the full model in torch else. Both parts are exported once.
"""

from __future__ import annotations

import contextlib
import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..runtime import extras
from ..types.results import ModelInfo
from . import Encoder, LoadOptions
from .autotune import TuningTable
from .lazy import LazyOpenClip
from .model_name import ModelName
from .numpy_text import NumpyTextEncoder
from .onnx_image import OnnxImageEncoder, tried

if TYPE_CHECKING:
    from .openclip import OpenClip


class OpenClipBackend:
    """Everything that `encoders.model_name` can spell; see `encoders.EncoderBackend`."""

    def matches(self, name: str) -> bool:  # noqa: ARG002  # what no other backend knows is refused by its spelling
        """Return True: it is the last one that is asked."""
        return True

    def load(self, name: str, options: LoadOptions) -> Encoder:
        """Load a model; its exports and its autotune result are stored in `options.cache`.

        Raises:
            ModelError: the name is unknown or the checkpoint is broken.
            ModelUnavailable: the model is not on this machine.
        """
        spelling = ModelName.parse(name).spelling
        extras.require("torch", f"the model {name}")
        own = hashlib.blake2b(spelling.encode(), digest_size=8).hexdigest()
        text_place, image_place = options.cache / "towers" / own, options.cache / "image-towers" / own
        exports = options.on_cpu and sys.platform != "darwin"  # there, torch runs on the GPU
        text, speeds = NumpyTextEncoder.load(text_place), TuningTable(options.cache / "speeds.json")
        image = OnnxImageEncoder.load(image_place) if exports else None
        lacking = text is None or (exports and image is None and not tried(image_place))
        if text is not None and not lacking:
            return LazyOpenClip(text, lambda: _full_model(name, options), image, speeds)
        model = _full_model(name, options)
        from . import export_image, export_text

        files = export_text.sources(model)
        text = text or export_text.export(model)
        if text is None:
            return model
        with contextlib.suppress(OSError):  # such as a full disk: the next process exports again
            text.save(text_place, files)
        if exports and image is None and not tried(image_place):
            image = export_image.export(model, files, image_place)
        return LazyOpenClip(text, lambda: model, image, speeds, model)

    def installed(self, name: str) -> Path:
        """Return the checkpoint file or folder on this machine; see `checkpoints.required`."""
        from . import checkpoints

        parsed = ModelName.parse(name)
        extras.require("torch", f"the model {name}")
        return checkpoints.required(parsed)

    def pull(self, name: str, options: LoadOptions) -> Path:
        """Return the checkpoint file or folder, downloaded if necessary; see `checkpoints.pull`."""
        from . import checkpoints

        parsed = ModelName.parse(name)
        extras.require("torch", f"the model {name}")
        place = checkpoints.pull(parsed)
        self.load(name, options)  # exports its parts
        return place

    def describe(self, *, everything: bool = False) -> list[ModelInfo]:
        """Return the models of `known.toml`; with `everything`, every architecture and tag that open_clip lists."""
        from . import model_list

        if everything:
            extras.require("torch", "the list of open_clip")
        return model_list.everything() if everything else model_list.known()


def _full_model(name: str, options: LoadOptions) -> OpenClip:
    from .openclip import OpenClip

    return OpenClip.load(name, options.device, options.precision, TuningTable(options.cache / "speeds.json"))
