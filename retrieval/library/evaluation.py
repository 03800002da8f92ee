"""Measures models: on a caption file, or on the captions that people gave a library's own pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from .. import config
from ..config import Settings
from ..types.records import no_progress
from . import backends

if TYPE_CHECKING:
    from ..encoders import Encoder
    from ..evaluate.pairs import Pairs
    from ..types.records import Progress
    from ..types.results import Evaluation, Gain, Reranking
    from .library import Library


def evaluate_model(
    captions: str | Path,
    images: str | Path,
    settings: Settings | None = None,
    progress: Callable[[Progress], None] = no_progress,
) -> Evaluation:
    """Return recall and MRR of `Settings.model` on a caption file, in both directions; needs no library.

    Raises:
        SourceError: the file, or every one of its pictures, cannot be read.
    """
    from ..evaluate import pairs

    settings = settings or config.load()
    encoder = backends.encoder(settings, settings.model or "builtin")
    return pairs.evaluate(encoder.space.model, _encoded(encoder, captions, images, settings, progress))


def evaluate_rerank(
    captions: str | Path,
    images: str | Path,
    settings: Settings | None = None,
    *,
    depth: int = 20,
    weight: float | None = None,
    progress: Callable[[Progress], None] = no_progress,
) -> Reranking:
    """Return text-to-image results on a caption file, with and without `Settings.vlm`; needs no library.

    Raises:
        SourceError: the file, or every one of its pictures, cannot be read.
        ModelError: a model is unknown or cannot be loaded.
    """
    from ..evaluate import reranking

    settings = settings or config.load()
    model = backends.vlm(settings)
    encoder = backends.encoder(settings, settings.model or "builtin")
    pairs = _encoded(encoder, captions, images, settings, progress)
    return reranking.evaluate(pairs, model, depth=depth, weight=weight, progress=progress)


def _encoded(
    encoder: Encoder, captions: str | Path, images: str | Path, settings: Settings, progress: Callable[[Progress], None]
) -> Pairs:
    from ..evaluate import pairs

    return pairs.encode(
        encoder,
        Path(captions),
        Path(images),
        batch_size=settings.batch_size,
        threads=settings.threads,
        progress=progress,
    )


def evaluate_library(library: Library) -> Evaluation:
    """Return recall and MRR of a library's model on the captions that people gave its pictures, in both directions.

    Raises:
        UsageError: the library has too few such captions.
    """
    from ..evaluate import own_captions, pairs

    return pairs.evaluate(library.model, own_captions.pairs_of(library.storage))


def evaluate_library_rerank(
    library: Library,
    *,
    depth: int = 20,
    weight: float | None = None,
    progress: Callable[[Progress], None] = no_progress,
) -> Reranking:
    """Return what `Settings.vlm` adds on the captions that people gave a library's pictures.

    The result is stored, if it was measured with the model's own weight. If the model adds nothing, `Library.search`
    does not rerank with it from then on.

    Raises:
        UsageError: the library has too few such captions.
        LibraryLocked: another process is writing.
    """
    from ..evaluate import own_captions, reranking

    model, found = library.services.vlm(), own_captions.pairs_of(library.storage)
    gained = reranking.evaluate(found, model, depth=depth, weight=weight, progress=progress)
    if gained.weight == model.weight:  # the weight that `search` uses
        own_captions.keep(library.storage, model.identity, gained.gains["MRR"], gained.captions)
    return gained


def evaluate_captions_by_models(library: Library) -> tuple[Gain, int] | None:
    """Return what captions by models add to mean reciprocal rank in a library, and on how many captions by people.

    The result is stored: captions by models order hits only where it is above zero for sure. None if too few pictures
    have captions by both.

    Raises:
        UsageError: the library has too few captions by people.
        LibraryLocked: another process is writing.
    """
    from ..evaluate import own_captions
    from ..search.hybrid import unit_of
    from ..storage.catalog.annotations import CAPTIONS_BY_MODELS

    scale = library.services.calibration().image_scale()
    if scale is None:
        return None
    found = own_captions.pairs_of(library.storage)
    trial = own_captions.captions_by_models(library.storage, found, unit_of(scale))
    if trial is not None:
        own_captions.keep(library.storage, CAPTIONS_BY_MODELS, *trial)
    return trial
