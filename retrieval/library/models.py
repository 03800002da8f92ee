"""Models without a library: listed, fetched."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..types.results import ModelInfo, VlmInfo


def encoders(*, everything: bool = False) -> list[ModelInfo]:
    """The table of encoders; with `everything`, open_clip's whole list too."""
    from ..encoders import listing

    return listing.everything() if everything else listing.known()


def pull(model: str) -> Path:
    """Fetch an encoder; where its files are.

    Raises:
        ModelError: unknown; ModelUnavailable: no network.
    """
    from ..encoders import checkpoints
    from ..encoders.names import ModelName

    return checkpoints.pull(ModelName.parse(model))


def vlms() -> list[VlmInfo]:
    """The table of vision-language models."""
    from ..vlm import listing

    return listing.known()


def pull_vlm(model: str) -> Path:
    """Fetch a vision-language model; where its files are.

    Raises:
        ModelError: unknown; ModelUnavailable: no network.
    """
    from ..vlm import checkpoints
    from ..vlm.names import VlmName

    return checkpoints.pull(VlmName.parse(model))
