"""Writes captions into XMP sidecars beside the pictures, and restores the sidecars.

A sidecar's earlier contents are stored in the catalog before the file changes, so nothing is lost. Never touches a
picture, nor a sidecar with a description of its own. Videos get none: their captions are of single frames.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import SourceError
from ..pictures import sidecars
from ..sources.folders import sidecar_digest
from ..storage.catalog.captions import WrittenCaption
from ..storage.storage import Storage
from ..types.records import Item, Problem, Progress, Reason, no_progress
from ..types.results import SidecarReport


@dataclass(frozen=True)
class SidecarWriter:
    """Writes captions of a library into sidecars, and restores them."""

    storage: Storage
    progress: Callable[[Progress], None] = no_progress

    def write(self, places: Sequence[Path] | None) -> SidecarReport:
        """Write the caption of every picture in `places` (None: all) that has one by hand or by a model.

        Raises:
            LibraryLocked: another process is writing.
        """
        return self._each(places, "retrieval caption --write-xmp", self._write)

    def undo(self, places: Sequence[Path] | None) -> SidecarReport:
        """Restore every sidecar that was written for pictures in `places` (None: all).

        Raises:
            LibraryLocked: another process is writing.
        """
        return self._each(places, "retrieval caption --undo-xmp", lambda item, _words: self._undo(item))

    def _each(
        self, places: Sequence[Path] | None, task: str, step: Callable[[Item, WrittenCaption | None], str]
    ) -> SidecarReport:
        """Apply `step` to each picture in turn; videos are left out."""
        report = SidecarReport()
        with self.storage.write_lock(task):
            with self.storage.read() as catalog:
                items = [item for item in catalog.items.within(places) if item.second is None]
                words = catalog.captions.written(item.content for item in items)
            for number, item in enumerate(items, start=1):
                report = self._tried(item, words.get(item.content), report, step)
                self.progress(Progress("sidecars", number, len(items)))
        return report

    def _tried(
        self,
        item: Item,
        words: WrittenCaption | None,
        report: SidecarReport,
        step: Callable[[Item, WrittenCaption | None], str],
    ) -> SidecarReport:
        try:
            outcome = step(item, words)
        except (SourceError, OSError) as exc:
            place = sidecars.place_of(item.path)
            message = (exc.strerror or str(exc)) if isinstance(exc, OSError) else str(exc)
            return replace(report, problems=(*report.problems, Problem(place, Reason.UNREADABLE, message)))
        return replace(report, **{outcome: getattr(report, outcome) + 1}) if outcome else report

    def _write(self, item: Item, words: WrittenCaption | None) -> str:
        if words is None:
            return ""
        place = sidecars.place_of(item.path)
        now = place.read_bytes() if place.is_file() else None
        if not item.path.is_file():
            raise SourceError("the picture is no longer there")
        with self.storage.read() as catalog:
            known = catalog.annotations.sidecar(place)
        before = known.before if known and now is not None and _digest(now) == known.after else now
        if item.facts.description:
            return "kept"
        after = sidecars.with_caption(before, words.text, words.model)
        if after is None:
            return "kept"
        if after == now:
            return "unchanged"
        with self.storage.transaction() as catalog:  # before the file changes, so that it can be undone
            catalog.annotations.put_sidecar(place, before, _digest(after))
        self._put(item, place, after)
        return "written"

    def _undo(self, item: Item) -> str:
        place = sidecars.place_of(item.path)
        with self.storage.read() as catalog:
            record = catalog.annotations.sidecar(place)
        if record is None:
            return ""
        now = place.read_bytes() if place.is_file() else None
        if now is not None and now != record.before:
            if _digest(now) != record.after:
                raise SourceError("it was changed since; it stays as it is")
            self._put(item, place, record.before)
        with self.storage.transaction() as catalog:
            catalog.annotations.drop_sidecar(place)
        return "undone"

    def _put(self, item: Item, place: Path, data: bytes | None) -> None:
        """Write the file atomically, or delete it if `data` is None.

        Its modification time is recorded, so that the next indexing run need not read the picture again.
        """
        if data is None:
            place.unlink()
        else:
            part = place.with_name(place.name + ".part")
            part.write_bytes(data)
            part.replace(place)
        with self.storage.transaction() as catalog:
            catalog.items.saw_sidecars(item.id, sidecar_digest(item.path))


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()
