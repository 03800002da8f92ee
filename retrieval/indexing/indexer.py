"""Indexing runs: plan, then batches of pictures, then texts.

Each batch is one transaction, so a killed process loses at most one batch. Does not know terminals or HTTP.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np

from ..calibration.calibration import Calibration
from ..encoders import Encoder
from ..pictures.video import is_video
from ..runtime.timing import span
from ..sources import absolute_path
from ..sources.folders import Rules
from ..storage.storage import Storage
from ..types.records import Kind, Problem, Progress, ScannedFile, Vectors, no_progress
from ..types.results import Plan, Report
from . import fingerprint_backfill, text_contents
from . import plan as plans
from .decode_ahead import DecodedFile, DecodedFrame, Decoder, read_ahead, work_ahead
from .geocode import look_up_places
from .known_contents import KnownContents

Batch: TypeAlias = list[tuple[ScannedFile, DecodedFile | Problem]]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Options:
    """Options of an indexing run."""

    rules: Rules = field(default_factory=Rules)
    retry: bool = False  # also retry files that failed before and have not changed
    batch_size: int = 32
    threads: int = 4
    max_megapixels: float = 250.0


@dataclass
class Indexer:
    """Brings a library up to date with folders and caption files."""

    storage: Storage
    encoder: Encoder
    options: Options = field(default_factory=Options)
    progress: Callable[[Progress], None] = no_progress

    def plan(self, folders: Sequence[Path]) -> Plan:
        """Return what `run` would do; changes nothing.

        Raises:
            SourceError: a folder does not exist.
        """
        with self.storage.read() as catalog:
            indexed = catalog.items.indexed(
                catalog.spaces.id_of(self.encoder.space) or 0, [absolute_path(folder) for folder in folders]
            )
            failed = catalog.problems.all()
        return plans.make_plan(
            folders,
            self.options.rules,
            indexed,
            failed,
            retry=self.options.retry,
            seen=lambda count: self.progress(Progress("scan", count)),
        )

    def run(self, folders: Sequence[Path], captions: Sequence[tuple[Path, Path | None]] = ()) -> Report:
        """Index `folders`, then caption files (each with the folder that its picture names are relative to).

        On Ctrl-C, committed work is kept and the report has `interrupted` set.

        Raises:
            SourceError: a folder or caption file cannot be read.
            LibraryLocked: another process is writing.
        """
        with self.storage.write_lock("retrieval index"):
            return self.run_held(folders, captions)

    def run_held(self, folders: Sequence[Path], captions: Sequence[tuple[Path, Path | None]] = ()) -> Report:
        """Do the same as `run`; the caller holds `write_lock()`."""
        started = time.monotonic()
        folders = [absolute_path(folder) for folder in folders]
        captions = [(absolute_path(table), images) for table, images in captions]
        run = _Run(self, self._start(folders))
        try:
            plan = self.plan(self._all_roots(folders))
            log.info("indexing %s", ", ".join(map(str, folders)))
            run.pictures(plan)
            run.texts(captions)
            self._switch()
        except KeyboardInterrupt:
            run.report = replace(run.report, interrupted=True)
        self.storage.vectors.save()
        if not run.report.interrupted:
            self._calibrate()
        return replace(run.report, seconds=time.monotonic() - started, model=self.encoder.space.model)

    def _start(self, folders: Sequence[Path]) -> int:
        with self.storage.transaction() as catalog:
            catalog.roots.add(folder for folder in folders if folder.is_dir())
            return catalog.spaces.add(self.encoder.space)

    def _all_roots(self, folders: Sequence[Path]) -> list[Path]:
        """Return the folders asked for.

        If the model changes, also every known folder and file that exists, so that the new space becomes complete.
        """
        with self.storage.read() as catalog:
            serving, roots = catalog.spaces.active(), catalog.roots.all()
            changing = serving is not None and serving[1] != self.encoder.space
            files = [item.path for item in catalog.items.all()] if changing else []
        if not changing:
            return list(folders)
        return list(
            dict.fromkeys([*folders, *(root for root in roots if root.is_dir()), *(f for f in files if f.is_file())])
        )

    def _switch(self) -> None:
        """Make the new model's space the active one once it is complete."""
        with self.storage.transaction() as catalog:
            space_id, serving = catalog.spaces.add(self.encoder.space), catalog.spaces.active()
            if serving is None or serving[0] == space_id:
                return
            if not any(catalog.contents.lacking(space_id, kind) for kind in Kind):
                log.info("searches use %s from now on", self.encoder.space.model)
                catalog.spaces.activate(space_id)

    def _calibrate(self) -> None:
        """Compute the calibration now, so that the first search need not."""
        with self.storage.read() as catalog:
            serving = catalog.spaces.active()
        if serving is not None and serving[1] == self.encoder.space:
            Calibration(self.storage, lambda _: self.encoder).image_scale()


@dataclass
class _Run:
    """The state of one run: its space and the report so far."""

    indexer: Indexer
    space_id: int
    report: Report = field(default_factory=Report)

    def pictures(self, plan: Plan) -> None:
        """Read, encode and store the files of the plan; remove those that are gone."""
        storage, encoder, options = self.indexer.storage, self.indexer.encoder, self.indexer.options
        seen = KnownContents.by(storage, self.space_id, len(plan.todo))
        with storage.read() as catalog:
            leaving = list(catalog.items.contents_at(plan.gone).values())
        self.report = replace(self.report, unchanged=plan.unchanged, failed_before=plan.failed_before)
        with storage.transaction() as catalog:  # problems with folders are recorded anew, where they persist
            catalog.problems.clear([path for path in catalog.problems.all() if path.is_dir()])
        self._note(plan.problems)
        reader = Decoder(encoder.prepare, encoder.image_size, options.max_megapixels, seen)
        window = 2 * options.batch_size + options.threads
        added, todo, done = {found.path for found in plan.added}, plan.todo, 0
        photos = [found for found in todo if not is_video(found.path)]
        videos = [found for found in todo if is_video(found.path)]
        for files, ahead in ((photos, window), (videos, 2)):  # one video may have as many frames as a whole window
            batches = _batches(read_ahead(files, reader, options.threads, ahead), options.batch_size)
            for batch, (fresh, vectors) in work_ahead(batches, self._encode):
                done += len(batch)
                with span("store"):
                    self._store(batch, fresh, vectors, seen, added, leaving)
                self.indexer.progress(Progress("pictures", done, len(todo)))
        with storage.transaction() as catalog:
            removed = catalog.items.remove(plan.gone)
            catalog.problems.clear(plan.gone)
            catalog.problems.clear(path for path in catalog.problems.all() if not path.exists())
            catalog.contents.drop_orphans()
        look_up_places(storage)
        fingerprint_backfill.complete(storage, self.indexer.progress)
        self.report = replace(self.report, removed=removed - self.report.moved)

    def _note(self, problems: Sequence[Problem]) -> None:
        with self.indexer.storage.transaction() as catalog:
            for problem in problems:
                catalog.problems.put(problem)
        _log(problems)
        self.report = replace(self.report, problems=self.report.problems + tuple(problems))

    def _encode(self, batch: Batch) -> tuple[dict[str, DecodedFrame], Vectors]:
        """Return the new pictures of the batch by hash, and their embeddings `(n, dimensions)`."""
        shots = [shot for _, ready in batch if isinstance(ready, DecodedFile) for shot in ready.shots]
        fresh = {shot.digest: shot for shot in shots if shot.pixels is not None}
        pixels = [shot.pixels for shot in fresh.values() if shot.pixels is not None]
        size, encoder = self.indexer.options.batch_size, self.indexer.encoder
        with span("encode"):  # in several calls: a video may have more frames than a batch
            parts = [encoder.images(pixels[k : k + size]) for k in range(0, len(pixels), size)]
        return fresh, np.concatenate(parts) if parts else encoder.images([])

    def _store(
        self,
        batch: Batch,
        fresh: dict[str, DecodedFrame],
        vectors: Vectors,
        seen: KnownContents,
        added: set[Path],
        leaving: list[int],
    ) -> None:
        """Store a batch in one transaction."""
        report, problems = self.report, []
        left = {digest: place for place, digest in enumerate(fresh) if digest not in seen.ids}  # not stored meanwhile
        fresh, vectors = {digest: fresh[digest] for digest in left}, vectors[list(left.values())]
        with self.indexer.storage.transaction() as catalog:
            numbers = {
                digest: catalog.contents.add(Kind.PICTURE, digest, thumbnail=shot.thumbnail)
                for digest, shot in fresh.items()
            }
            space = self.indexer.encoder.space
            stored = catalog.embeddings(self.space_id, space, Kind.PICTURE)
            stored.put(list(numbers.values()), vectors)
            catalog.fingerprints.put({numbers[digest]: shot.fingerprint for digest, shot in fresh.items()})
            first = set(numbers)
            for file, ready in batch:
                if isinstance(ready, Problem):
                    catalog.problems.put(ready, file)
                    problems.append(ready)
                    continue
                held = [(s.content or numbers.get(s.digest) or seen.ids[s.digest], s.second) for s in ready.shots]
                catalog.items.put(file, held, ready.facts)
                content, digest = held[0][0], ready.shots[0].digest
                text_contents.link(catalog, content, ready.facts, ready.sidecar, file.path)
                new = file.path in added
                stored_before = digest not in first
                first -= {shot.digest for shot in ready.shots}
                moved = new and stored_before and content in leaving
                if moved:
                    leaving.remove(content)
                report = replace(
                    report,
                    added=report.added + (new and not moved),
                    changed=report.changed + (not new),
                    moved=report.moved + moved,
                    duplicates=report.duplicates + (new and stored_before and not moved),
                )
            catalog.problems.clear(file.path for file, ready in batch if isinstance(ready, DecodedFile))
        seen.add(numbers)
        _log(problems)
        self.report = replace(report, encoded=report.encoded + len(fresh), problems=report.problems + tuple(problems))

    def texts(self, captions: Sequence[tuple[Path, Path | None]]) -> None:
        """Link caption files, then embed every text that has no embedding yet."""
        storage = self.indexer.storage
        linked, problems = 0, []
        for table, images in captions:
            with storage.transaction() as catalog:
                count, bad = text_contents.read_file(catalog, table, images)
            linked += count
            problems += bad
        _log(problems)
        encoded = text_contents.embed(storage, self.indexer.encoder, self.indexer.progress)
        self.report = replace(
            self.report, texts=encoded, captions=linked, problems=self.report.problems + tuple(problems)
        )


def _log(problems: Sequence[Problem]) -> None:
    for problem in problems:
        log.info("cannot use %s: %s", problem.path, problem.message or problem.reason)


def _batches(results: Iterator[tuple[ScannedFile, DecodedFile | Problem]], size: int) -> Iterator[Batch]:
    """Yield batches of about `size` pictures for the model, with the files in between that need no model."""
    batch: Batch = []
    waiting = 0
    for found, ready in results:
        batch.append((found, ready))
        waiting += ready.waiting if isinstance(ready, DecodedFile) else 0
        if waiting >= size or len(batch) >= 16 * size:
            yield batch
            batch, waiting = [], 0
    if batch:
        yield batch
