"""Models without a library: measured on a caption file, listed, fetched."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from . import app, config
from .config import Settings
from .records import silent

if TYPE_CHECKING:
    from .encoders import Encoder
    from .evaluate.pairs import Pairs
    from .records import Step
    from .results import Evaluation, ModelInfo, Reranking, VlmInfo


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
    from .evaluate import pairs

    settings = settings or config.load()
    encoder = app.encoder(settings, settings.model or "builtin")
    return pairs.evaluate(encoder.space.model, _encoded(encoder, captions, images, settings, progress))


def evaluate_rerank(
    captions: str | Path,
    images: str | Path,
    settings: Settings | None = None,
    *,
    depth: int = 20,
    weight: float | None = None,
    progress: Callable[[Step], None] = silent,
) -> Reranking:
    """Text to image on a caption file, by `Settings.model` alone and with `Settings.vlm`; needs no library.

    Raises:
        SourceError: the file or all its pictures cannot be read.
        UsageError: the settings name no vision-language model.
    """
    from .evaluate import reranking

    settings = settings or config.load()
    model = app.vlm(settings)
    encoder = app.encoder(settings, settings.model or "builtin")
    pairs = _encoded(encoder, captions, images, settings, progress)
    return reranking.evaluate(pairs, model, depth=depth, weight=weight, progress=progress)


def _encoded(
    encoder: Encoder, captions: str | Path, images: str | Path, settings: Settings, progress: Callable[[Step], None]
) -> Pairs:
    from .evaluate import pairs

    return pairs.encode(
        encoder,
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
