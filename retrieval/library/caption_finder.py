"""Captions of one library, as `library.captions`: found for a picture, generated, written by hand or into XMP files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from ..sources import absolute_path, absolute_paths
from ..types.records import Answer, AttributedText, Progress, no_progress
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
            NotIndexed: the library has nothing at one of the places.
            LibraryLocked: another process is writing.
        """
        return self.services.captioner(progress).run(self.services.at(places), missing=missing)

    def set(self, path: str | Path, text: str, *, known: str | None = None) -> None:
        """Store a caption written by hand, replacing earlier edits and generated captions of the picture.

        With `known`, only if the caption by hand is still that one ("": there is none), so that nobody's is lost.

        Raises:
            NotIndexed: the library has no such picture.
            UsageError: the text is empty.
            Changed: the caption is no longer `known`.
        """
        from ..indexing import hand_captions

        hand_captions.write(self.services.storage, self.services.encoder(), absolute_path(path), text, known)

    def remove(self, path: str | Path, *, known: str | None = None) -> str:
        """Remove the caption written by hand of a picture, and return it; `known` as for `set`.

        Raises:
            NotIndexed: the library has no such picture.
            NotFound: it has no caption by hand.
            Changed: the caption is no longer `known`.
        """
        from ..indexing import hand_captions

        return hand_captions.remove(self.services.storage, absolute_path(path), known)

    def written_for(self, places: Sequence[str | Path]) -> list[tuple[Path, AttributedText]]:
        """Return the files at these places that have a caption, each with the latest: by hand, else by a model."""
        with self.services.storage.read() as catalog:
            files = catalog.items.within(self.services.at(places))
            found = catalog.captions.written({item.content for item in files})
        pairs = ((item.path, found[item.content]) for item in files if item.content in found)
        return [
            (path, AttributedText(each.text, "generated" if each.model else "edited", each.model))
            for path, each in pairs
        ]

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
