"""One library with all its operations: index, search, caption, rerank, iterate, remove.

The public class of the Python API, which every front end uses. It delegates all work.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Self, Unpack

from .. import config
from ..config import Settings
from ..errors import LibraryNotFound, SourceError
from ..sources import absolute_path
from ..types.records import Problem, Progress, no_progress
from . import backends
from .services import IndexOptions, ModelCache, Services
from .view import LibraryView

if TYPE_CHECKING:
    from types import TracebackType

    from ..encoders import Encoder
    from ..sources.rules import Rules
    from ..transfer.duplicates import DuplicateFinder
    from ..types.records import Progress
    from ..types.results import OcrReport, Plan, Report
    from ..vlm import VisionLanguageModel
    from .caption_finder import CaptionEditor


class Library(LibraryView):
    """A library with all its operations. Use it as a context manager, or call `close`.

    with Library.open("indexes/holidays") as library:
        for hit in library.search("a dog on the beach", k=3).hits:
            print(hit.score, hit.path)
    """

    @classmethod
    def open(
        cls,
        path: str | Path | None = None,
        settings: Settings | None = None,
        *,
        read_only: bool = False,
        encoder: Encoder | None = None,
        vlm: VisionLanguageModel | None = None,
    ) -> Self:
        """Open a library; without `path`, the default one (see `config.default_index`).

        A given `encoder` or vision-language model `vlm` is used in place of the one that the settings name.

        Raises:
            LibraryNotFound: there is no library.
            LibraryVersionError: the library was written by another version of the package.
            LibraryDamaged: its manifest or catalog is damaged.
        """
        from ..storage.storage import Storage

        settings = settings or config.load()
        storage = Storage.open(
            backends.library_path(path, settings), backends.vector_store(settings), read_only=read_only
        )
        return cls(Services(storage, ModelCache.of(settings, encoder, vlm)))

    @classmethod
    def create(
        cls,
        path: str | Path | None = None,
        settings: Settings | None = None,
        *,
        encoder: Encoder | None = None,
        vlm: VisionLanguageModel | None = None,
    ) -> Self:
        """Open a library, creating an empty one if there is none; `encoder` and `vlm` as for `open`.

        Raises:
            LibraryError: the folder holds something else or cannot be written to.
            ModelError: the settings name a model that is unknown or not on this machine; nothing is created then.
        """
        from ..storage.storage import Storage

        settings = settings or config.load()
        if encoder is None and settings.model:
            backends.encoder_backend(settings.model).installed(settings.model)
        storage = Storage.create(backends.library_path(path, settings), backends.vector_store(settings))
        return cls(Services(storage, ModelCache.of(settings, encoder, vlm)))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the library's files."""
        self.storage.close()

    # --- writing -------------------------------------------------------------------------------------------

    def index(
        self,
        folders: Sequence[str | Path],
        captions: Sequence[str | Path | tuple[str | Path, str | Path]] = (),
        *,
        rules: Rules | None = None,
        retry: bool = False,
        reread: bool = False,
        forget_missing: bool = False,
        progress: Callable[[Progress], None] = no_progress,
    ) -> Report:
        """Bring the library up to date with folders (or single pictures) and caption files.

        Files that are not found any more leave the answers, and all that is known of them is kept until they are
        back; `forget_missing` forgets those below the folders, but for the ones with captions by hand, ratings or
        lessons. `retry` tries files again that failed and have not changed; `reread` reads the metadata of all files
        anew, without encoding them. A caption file may come with the folder that its picture names are relative to.
        If `Settings.model` is not the model of the library, everything is encoded again; the old space stays active
        until the new one is complete.

        Raises:
            SourceError: a folder or caption file cannot be read. One bad picture is a problem in the report instead.
            LibraryLocked: another process is writing.
            StorageFull: the disk is full; what was committed is kept.
        """
        pairs = [(entry, None) if isinstance(entry, str | Path) else entry for entry in captions]
        tables = [(Path(table), Path(images) if images else None) for table, images in pairs]
        return self.services.indexer(
            progress, rules=rules, retry=retry, reread=reread, forget_missing=forget_missing
        ).run([Path(folder) for folder in folders], tables)

    def plan(self, folders: Sequence[str | Path], **how: Unpack[IndexOptions]) -> Plan:
        """Return what `index` would do with these folders and options; changes nothing.

        Raises:
            SourceError: a folder does not exist.
        """
        return self.services.indexer(no_progress, **how).plan([Path(folder) for folder in folders])

    def read_texts(
        self, places: Sequence[str | Path] | None = None, *, progress: Callable[[Progress], None] = no_progress
    ) -> OcrReport:
        """Read the text in pictures (OCR), once for each; it is searchable from then on. `places` as for `caption`.

        Raises:
            LibraryLocked: another process is writing.
            ModelUnavailable: the packages for OCR are not installed.
            NotIndexed: the library has nothing at one of the places.
        """
        return self.services.ocr_runner(progress).run(self.services.at(places))

    def import_embeddings(
        self,
        folder: str | Path,
        images: str | Path | None = None,
        *,
        progress: Callable[[Progress], None] = no_progress,
    ) -> Report:
        """Index pictures by embeddings that were made elsewhere, without encoding them (see `transfer.imports`).

        Raises:
            SourceError: the folder holds no such files.
            ModelError: the embeddings are of another model than that of the settings.
        """
        from ..transfer.import_embeddings import EmbeddingImporter

        place, base = absolute_path(folder), absolute_path(images) if images else None
        encoder = self.services.encoder(self.settings.model or self.model)
        task = EmbeddingImporter(self.storage, encoder, self.settings.max_megapixels, progress)
        with self.storage.write_lock("retrieval import"):
            tables = task.read(place, base)
            indexer = self.services.indexer(progress)
            report = indexer.run_held(task.pictures, [(table, base or place) for table in tables])
        told = {problem.path for problem in task.problems}  # a row without a caption is no problem here, either
        others = [each for each in report.problems if each.path not in told and each.path not in tables]
        return replace(report, duplicates=0, problems=(*task.problems, *others))  # imported pictures are known by now

    def import_archives(
        self, archives: Sequence[Path], to: str | Path, *, progress: Callable[[Progress], None] = no_progress
    ) -> Report:
        """Unpack webdataset archives into a folder, and index it.

        Raises:
            SourceError: the folder cannot be written to, or no archive can be read.
        """
        from ..transfer.archives import CAPTIONS, unpack

        place = absolute_path(to)
        problems: list[Problem] = []
        found = 0
        for number, each in enumerate(unpack(archives, place), start=1):
            problems += [each] if isinstance(each, Problem) else []
            found += isinstance(each, Path)
            progress(Progress("unpack", number))
        if problems and not found:
            raise SourceError(f"{problems[0].path}: {problems[0].message}")
        captions = [table for archive in archives if (table := place / archive.stem / CAPTIONS).exists()]
        report = self.index([place], captions, progress=progress)
        return replace(report, problems=(*problems, *report.problems))

    @property
    def captions(self) -> CaptionEditor:
        """The captions of the pictures: find them for a picture, generate them, write them by hand or to XMP files."""
        from .caption_finder import CaptionEditor

        return CaptionEditor(self.services, self.search)

    @property
    def duplicates(self) -> DuplicateFinder:
        """The tool that finds (nearly) identical pictures, and links or moves them; it never deletes."""
        from ..transfer.duplicates import DuplicateFinder

        return DuplicateFinder(self.storage)

    def relocate(self, old: str | Path, new: str | Path) -> int:
        """Record that a folder (or file) of the library lies at another path now; return how many files that moves.

        Raises:
            UsageError: the library has nothing at the old path.
            SourceError: there is nothing at the new path.
        """
        from ..indexing import relocate

        return relocate.relocate(self.storage, absolute_path(old), absolute_path(new))

    def remove(self, paths: Sequence[str | Path]) -> int:
        """Remove pictures, folders and caption files from the library, not from disk; return how many pictures.

        Raises:
            NotIndexed: the library has nothing at one of the paths.
        """
        from ..indexing import remove

        return remove.remove_paths(self.storage, map(absolute_path, paths))

    def remove_model(self, model: str) -> int:
        """Delete the embeddings of a model that is not active; return how many there were.

        Raises:
            UsageError: the library has no embeddings of this model outside the active space.
        """
        from ..indexing import remove

        return remove.remove_model(self.storage, model)


def plan(folders: Sequence[str | Path], settings: Settings, **how: Unpack[IndexOptions]) -> Plan:
    """Return what `Library.index` would do with these folders; a missing library is not created.

    Raises:
        SourceError: a folder does not exist.
    """
    from tempfile import TemporaryDirectory

    try:
        with Library.open(None, settings, read_only=True) as library:
            return library.plan(folders, **how)
    except LibraryNotFound:
        with TemporaryDirectory() as nowhere, Library.create(Path(nowhere) / "library", settings) as library:
            return library.plan(folders, **how)
