"""Captions pictures with a vision-language model; the captions are stored and searchable from then on.

Does not know which model it runs. A text by a person is never replaced by a generated one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from .. import pictures
from ..encoders import Encoder
from ..errors import PictureError
from ..storage.storage import Storage
from ..types.records import Item, Picture, Problem, Progress, no_progress
from ..types.results import CaptionReport
from ..vlm import IMAGE_SIZE, VisionLanguageModel
from . import text_contents

BATCH = 8  # captions in one transaction, which a killed process loses
PROMPT = "caption"  # the name of the prompt, stored with each caption


@dataclass(frozen=True)
class Captioner:
    """Captions the pictures of a library that this model has not captioned yet."""

    storage: Storage
    encoder: Encoder
    model: VisionLanguageModel
    max_megapixels: float = 250.0
    progress: Callable[[Progress], None] = no_progress

    def run(self, places: Sequence[Path] | None, *, missing: bool = False) -> CaptionReport:
        """Caption the pictures in `places` (None: all); with `missing`, only those without any text.

        On Ctrl-C, committed captions are kept and the result has `interrupted` set.

        Raises:
            LibraryLocked: another process is writing.
            ModelError: the model failed; committed captions are kept.
        """
        started = time.monotonic()
        report = CaptionReport(model=self.model.name)
        with self.storage.write_lock("retrieval caption"):
            todo, settled = self._todo(places, missing)
            report = replace(report, settled=settled)
            try:
                for start in range(0, len(todo), BATCH):
                    report = self._batch(todo[start : start + BATCH], report)
                    self.progress(Progress("captions", min(start + BATCH, len(todo)), len(todo)))
            except KeyboardInterrupt:
                report = replace(report, interrupted=True)
            finally:
                self.storage.vectors.save()
        return replace(report, seconds=time.monotonic() - started)

    def _todo(self, places: Sequence[Path] | None, missing: bool) -> tuple[list[tuple[int, Item]], int]:
        """Return the contents to caption, each with an item that holds it, and how many need no caption."""
        with self.storage.read() as catalog:
            open_ones = catalog.captions.lacking(self.model.name, of_any_source=missing)
            first = catalog.items.one_of_each(places)
        todo = [(content, first[content]) for content in open_ones if content in first]
        return todo, len(first) - len(todo)

    def _batch(self, todo: Sequence[tuple[int, Item]], report: CaptionReport) -> CaptionReport:
        opened: list[tuple[int, Picture]] = []
        problems = list(report.problems)
        for content, item in todo:
            try:
                opened.append((content, pictures.load(item.path, IMAGE_SIZE, self.max_megapixels, item.second)))
            except PictureError as exc:
                problems.append(Problem(item.path, exc.reason, str(exc)))
        captions = self.model.caption([picture.image for _, picture in opened]) if opened else []
        with self.storage.transaction() as catalog:
            for (content, _), caption in zip(opened, captions, strict=True):
                text = text_contents.add(catalog, [caption])[0]
                catalog.captions.put_generated(content, text, self.model.name, PROMPT)
        text_contents.embed(self.storage, self.encoder, no_progress)
        return replace(report, captioned=report.captioned + len(captions), problems=tuple(problems))
