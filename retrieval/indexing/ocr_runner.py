"""Reads text in pictures (OCR), once for each content; apart from indexing, since it takes seconds per picture.

Does not know which engine it runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from .. import pictures
from ..errors import PictureError
from ..ocr import IMAGE_SIZE, TextReader
from ..storage.storage import Storage
from ..types.records import Item, Problem, Progress, no_progress
from ..types.results import OcrReport


@dataclass(frozen=True)
class OcrRunner:
    """Runs OCR on the pictures of a library that this engine has not read yet."""

    storage: Storage
    reader: TextReader
    max_megapixels: float = 250.0
    progress: Callable[[Progress], None] = no_progress

    def run(self, places: Sequence[Path] | None) -> OcrReport:
        """Read the text in the pictures in `places` (None: all).

        On Ctrl-C, stored results are kept and the result has `interrupted` set.

        Raises:
            LibraryLocked: another process is writing.
        """
        started = time.monotonic()
        report = OcrReport(engine=self.reader.name)
        with self.storage.write_lock("retrieval ocr"):
            todo, settled = self._todo(places)
            report = replace(report, settled=settled)
            try:
                for number, item in enumerate(todo, start=1):
                    report = self._read(item, report)
                    self.progress(Progress("texts in pictures", number, len(todo)))
            except KeyboardInterrupt:
                report = replace(report, interrupted=True)
        return replace(report, seconds=time.monotonic() - started)

    def _todo(self, places: Sequence[Path] | None) -> tuple[list[Item], int]:
        """Return one item of each content to read, and how many contents were read before."""
        with self.storage.read() as catalog:
            first = catalog.items.one_of_each(places)
            known = catalog.annotations.with_ocr_by(self.reader.name)
        todo = [item for content, item in first.items() if content not in known]
        return todo, len(first) - len(todo)

    def _read(self, item: Item, report: OcrReport) -> OcrReport:
        try:
            picture = pictures.load(item.path, IMAGE_SIZE, self.max_megapixels, item.second)
        except PictureError as exc:
            problem = Problem(item.path, exc.reason, str(exc))
            return replace(report, problems=(*report.problems, problem))
        lines = self.reader.read(picture.image)
        with self.storage.transaction() as catalog:
            catalog.annotations.put_ocr_lines(item.content, self.reader.name, lines)
        return replace(report, read=report.read + 1, with_text=report.with_text + bool(lines))
