"""Models without a library: listed, fetched."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..types.results import ModelInfo, VlmInfo


def encoders(*, everything: bool = False) -> list[ModelInfo]:
    """The table of encoders; with `everything`, open_clip's whole list too."""
    from ..encoders import registry

    return registry.everything() if everything else registry.known()


def pull(model: str) -> Path:
    """Fetch an encoder; where its files are.

    Raises:
        ModelError: unknown; ModelUnavailable: no network.
    """
    from ..encoders import checkpoints
    from ..encoders.model_name import ModelName

    return checkpoints.pull(ModelName.parse(model))


def vlms() -> list[VlmInfo]:
    """The table of vision-language models."""
    from ..vlm import registry

    return registry.known()


def pull_vlm(model: str) -> Path:
    """Fetch a vision-language model; where its files are.

    Raises:
        ModelError: unknown; ModelUnavailable: no network.
    """
    from ..vlm import checkpoints
    from ..vlm.model_name import VlmName

    return checkpoints.pull(VlmName.parse(model))
