"""Lists and downloads models; needs no library."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .. import config
from . import backends

if TYPE_CHECKING:
    from ..types.results import ModelInfo, VlmInfo


def encoders(*, everything: bool = False) -> list[ModelInfo]:
    """Return the table of encoders; with `everything`, also open_clip's whole list."""
    return [row for backend in backends.encoder_backends() for row in backend.describe(everything=everything)]


def pull(model: str) -> Path:
    """Download an encoder, unless it is on this machine, and prepare it for use; return the path of its files.

    Raises:
        ModelError: the model is unknown.
        ModelUnavailable: there is no network.
    """
    return backends.encoder_backend(model).pull(model, backends.load_options(config.load()))


def vlms() -> list[VlmInfo]:
    """Return the table of vision-language models."""
    from ..vlm import model_list

    return model_list.known()


def pull_vlm(model: str) -> Path:
    """Download a vision-language model, unless it is on this machine; return the path of its files.

    Raises:
        ModelError: the model is unknown.
        ModelUnavailable: there is no network.
    """
    from ..vlm import checkpoints
    from ..vlm.model_name import VlmName

    return checkpoints.pull(VlmName.parse(model))
