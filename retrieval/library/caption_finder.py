"""Captions of one library, as `library.captions`: found for a picture, generated, written by hand or into XMP files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from ..errors import UsageError
from ..sources import absolute_path, absolute_paths
from ..types.records import Answer, Progress, no_progress
from ..types.request import SearchOptions, SearchRequest
from .services import Services

if TYPE_CHECKING:
    from ..indexing.sidecar_writer import SidecarWriter
    from ..types.results import CaptionReport, SidecarReport


@dataclass(frozen=True)
class CaptionFinder:
    """The captions of a library that is only read."""

    services: Services
    search: Callable[[SearchRequest], Answer]

    def find(self, picture: str | Path | bytes, **options: Unpack[SearchOptions]) -> Answer:
        """Return the texts of the library that fit a picture best: a file, in the library or not, or its bytes.

        Raises:
            PictureError: the picture cannot be used.
        """
        return self.search(SearchRequest.texts_for(picture, **options))


@dataclass(frozen=True)
class CaptionEditor(CaptionFinder):
    """The captions of a library that can be written."""

    def generate(
        self,
        places: Sequence[str | Path] | None = None,
        *,
        missing: bool = False,
        progress: Callable[[Progress], None] = no_progress,
    ) -> CaptionReport:
        """Caption pictures with the vision-language model of the settings; the captions are searchable from then on.

        `places` are folders or files of the library (None: all of it); `missing`: only pictures without any text.

        Raises:
            ModelError: the model is unknown or cannot be loaded.
            LibraryLocked: another process is writing.
        """
        return self.services.captioner(progress).run(absolute_paths(places), missing=missing)

    def set(self, path: str | Path, text: str) -> None:
        """Store a caption written by hand, replacing earlier edits and generated captions of the picture.

        Raises:
            UsageError: the library has no such picture, or the text is empty.
        """
        from ..indexing.captioner import write_caption

        place, storage = absolute_path(path), self.services.storage
        with storage.read() as catalog:
            content = catalog.items.contents_at([place]).get(place)
        if content is None or not text.strip():
            raise UsageError(f"the library has no picture {path}" if content is None else "the caption is empty")
        write_caption(storage, self.services.encoder(), content, " ".join(text.split()))

    def write_xmp(
        self, places: Sequence[str | Path] | None = None, *, progress: Callable[[Progress], None] = no_progress
    ) -> SidecarReport:
        """Write captions made here into XMP files beside the pictures; `places` as for `generate`.

        A picture with a description of its own keeps it.

        Raises:
            LibraryLocked: another process is writing.
        """
        return self._xmp(progress).write(absolute_paths(places))

    def undo_xmp(
        self, places: Sequence[str | Path] | None = None, *, progress: Callable[[Progress], None] = no_progress
    ) -> SidecarReport:
        """Restore the XMP files that `write_xmp` changed; `places` as for `generate`.

        Raises:
            LibraryLocked: another process is writing.
        """
        return self._xmp(progress).undo(absolute_paths(places))

    def _xmp(self, progress: Callable[[Progress], None]) -> SidecarWriter:
        from ..indexing.sidecar_writer import SidecarWriter

        return SidecarWriter(self.services.storage, progress)
