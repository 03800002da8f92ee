"""The services of one opened library: indexing, search and the models they need, each created when first needed.

Knows how they depend on each other; `backends` chooses the classes of the models.
"""

from __future__ import annotations

import os
import threading
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypedDict, Unpack

from .. import config
from ..config import Settings
from ..errors import LibraryNotFound, ModelChanged, NotIndexed
from ..sources import absolute_paths
from ..types.records import no_progress
from . import backends

if TYPE_CHECKING:
    from ..calibration.calibration import Calibration
    from ..encoders import Encoder
    from ..indexing import Indexer
    from ..indexing.captioner import Captioner
    from ..indexing.ocr_runner import OcrRunner
    from ..search import Searcher
    from ..search.pagination import Pager
    from ..search.presence import FilePresence
    from ..search.rerank import Reranker
    from ..sources.rules import Rules
    from ..storage.storage import Storage
    from ..types.records import Progress, Space
    from ..vlm import VisionLanguageModel


class IndexOptions(TypedDict, total=False):
    """How an indexing run treats files that are known; see `Library.index`."""

    rules: Rules | None
    retry: bool
    reread: bool
    forget_missing: bool


@dataclass
class ModelCache:
    """The models of the settings, each loaded once, when it is first needed; safe for several threads."""

    settings: Settings
    _encoders: dict[str, Encoder] = field(default_factory=dict)
    _vlm: VisionLanguageModel | None = None
    _vlm_given: bool = True  # not loaded by its name
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _vlm_lock: threading.Lock = field(default_factory=threading.Lock)  # separate: searches do not wait for it

    @classmethod
    def of(cls, settings: Settings, encoder: Encoder | None = None, vlm: VisionLanguageModel | None = None) -> Self:
        """Return the models of the settings, with a given encoder or vision-language model in place of theirs."""
        from ..encoders.batching import batched

        if encoder is None:
            return cls(settings, _vlm=vlm)
        name = encoder.space.model
        return cls(replace(settings, model=name), {name: batched(encoder)}, vlm)

    @property
    def loaded_vlm(self) -> VisionLanguageModel | None:
        """The vision-language model, if it is loaded."""
        return self._vlm

    def encoder(self, model: str) -> Encoder:
        """Return the encoder with this model name; calls of several threads are batched."""
        with self._lock:
            if model not in self._encoders:
                self._encoders[model] = backends.encoder(self.settings, model)
            return self._encoders[model]

    def vlm(self) -> VisionLanguageModel:
        """Return the vision-language model of the settings."""
        with self._vlm_lock:
            if self._vlm is None:
                self._vlm, self._vlm_given = backends.vlm(self.settings), False
            return self._vlm

    def unload_vlm(self) -> None:
        """Let go of the vision-language model, unless it was given: the next one that needs it loads it again."""
        with self._vlm_lock:
            if not self._vlm_given:
                self._vlm = None


@dataclass
class Services:
    """The services of one library, or of one folder of it."""

    storage: Storage
    models: ModelCache
    folder: Path | None = None  # None: the whole library
    _calibration: Calibration | None = None
    _file_presence: FilePresence | None = None

    @property
    def file_presence(self) -> FilePresence:
        """What looks whether the files of an answer are there."""
        from ..search.presence import FilePresence

        if self._file_presence is None:
            self._file_presence = FilePresence()
        return self._file_presence

    @property
    def settings(self) -> Settings:
        """The settings that the library was opened with."""
        return self.models.settings

    def at(self, places: Sequence[str | Path] | None) -> list[Path] | None:
        """Return places by their absolute paths, None for all of the library.

        Raises:
            NotIndexed: the library has nothing at one of them.
        """
        found = absolute_paths(places)
        with self.storage.read() as catalog:
            for place in found or ():
                if not catalog.items.within([place]):
                    there = "index it first: retrieval index FOLDER" if place.exists() else "there is no such file"
                    raise NotIndexed(f"the library has nothing at {place}; {there}")
        return found

    def within(self, folder: Path) -> Services:
        """Return services that are limited to one folder of the library, with the same models."""
        return Services(self.storage.within(folder), self.models, folder)

    @property
    def model(self) -> str:
        """The model of the active space; the built-in one in a new library."""
        try:
            return self.storage.active_space()[1].model
        except LibraryNotFound:
            return "builtin"

    def encoder(self, model: str = "") -> Encoder:
        """Return the encoder with this model name; without a name, the encoder of the active space.

        Raises:
            ModelError: the model is unknown.
            ModelChanged: its weights have changed since the library was indexed.
        """
        return self.models.encoder(model) if model else self.encoder_of(self.storage.active_space()[1])

    def encoder_of(self, space: Space) -> Encoder:
        """Return the encoder that made the embeddings of a space.

        Raises:
            ModelChanged: its weights have changed since.
        """
        encoder = self.encoder(space.model)
        if encoder.space != space:
            raise ModelChanged(
                f"the library was indexed with other weights of the model {space.model}; "
                "encode it anew with `retrieval index`, which goes through all its folders"
            )
        return encoder

    def vlm(self) -> VisionLanguageModel:
        """Return the vision-language model of the settings."""
        return self.models.vlm()

    def indexer(self, progress: Callable[[Progress], None], **how: Unpack[IndexOptions]) -> Indexer:
        """Return an indexer with these options."""
        from ..indexing import Indexer, Options
        from ..sources.rules import Rules

        options = Options(
            rules=how.get("rules") or Rules(),
            retry=how.get("retry", False),
            reread=how.get("reread", False),
            forget_missing=how.get("forget_missing", False),
            forget_after=self.settings.forget_after,
            file_timeout=self.settings.file_timeout,
            batch_size=self.settings.batch_size,
            threads=self.settings.threads,
            max_megapixels=self.settings.max_megapixels,
        )
        return Indexer(self.storage, self.encoder(self.settings.model or self.model), options, progress)

    def captioner(self, progress: Callable[[Progress], None] = no_progress) -> Captioner:
        """Return a captioner with the vision-language model of the settings."""
        from ..indexing.captioner import Captioner

        return Captioner(self.storage, self.encoder(self.model), self.vlm(), self.settings.max_megapixels, progress)

    def ocr_runner(self, progress: Callable[[Progress], None] = no_progress) -> OcrRunner:
        """Return an OCR runner."""
        from ..indexing.ocr_runner import OcrRunner

        return OcrRunner(self.storage, backends.text_reader(), self.settings.max_megapixels, progress)

    def searcher(self) -> Searcher:
        """Return a searcher over the active space."""
        from ..search import Searcher

        return Searcher(self.storage, self.calibration(), self.encoder_of, self.settings.max_megapixels)

    def calibration(self) -> Calibration:
        """Return the calibration of the library (what its scores mean), created once."""
        from ..calibration.calibration import Calibration

        if self._calibration is None:
            self._calibration = Calibration(self.storage, self.encoder_of)
        return self._calibration

    def pager(self) -> Pager:
        """Return a pager, which stores long answers and gives them page by page."""
        from ..search.pagination import AnswerStore, Pager

        own = "pages" if self.folder is None else f"pages-{zlib.crc32(os.fsencode(self.folder)):08x}"
        return Pager(self.searcher(), AnswerStore(config.cache_folder() / own))

    def reranker(self, progress: Callable[[Progress], None] = no_progress) -> Reranker:
        """Return a reranker with the vision-language model of the settings."""
        from ..search.rerank import Reranker

        return Reranker(self.storage, self.vlm(), max_megapixels=self.settings.max_megapixels, progress=progress)
