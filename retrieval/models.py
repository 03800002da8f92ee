"""Models without a library: measured on a caption file, listed, fetched."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from . import app, config
from .config import Settings
from .records import silent

if TYPE_CHECKING:
    from .records import Evaluation, ModelInfo, Step, VlmInfo


def evaluate_model(
    captions: str | Path,
    images: str | Path,
    settings: Settings | None = None,
    progress: Callable[[Step], None] = silent,
) -> Evaluation:
    """Recall and MRR of `Settings.model` on a caption file, both ways; needs no library.

    Raises:
        SourceError: the file or all its pictures cannot be read.
    """
    from .evaluate import evaluate

    settings = settings or config.load()
    return evaluate(
        app.encoder(settings, settings.model or "builtin"),
        Path(captions),
        Path(images),
        batch_size=settings.batch_size,
        threads=settings.threads,
        progress=progress,
    )


def encoders(*, everything: bool = False) -> list[ModelInfo]:
    """The table of encoders; with `everything`, open_clip's whole list too."""
    from .encoders import listing

    return listing.everything() if everything else listing.known()


def pull(model: str) -> Path:
    """Fetch an encoder; where its files are.

    Raises:
        ModelError: unknown; ModelUnavailable: no network.
    """
    from .encoders import checkpoints
    from .encoders.names import ModelName

    return checkpoints.pull(ModelName.parse(model))


def vlms() -> list[VlmInfo]:
    """The table of vision-language models."""
    from .vlm import listing

    return listing.known()


def pull_vlm(model: str) -> Path:
    """Fetch a vision-language model; where its files are.

    Raises:
        ModelError: unknown; ModelUnavailable: no network.
    """
    from .vlm import checkpoints
    from .vlm.names import VlmName

    return checkpoints.pull(VlmName.parse(model))
