"""Indexing runs: plan, then batches of pictures, then texts.

Each batch is one transaction, so a killed process loses at most one batch. Does not know terminals or HTTP.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np

from ..calibration.calibration import Calibration
from ..encoders import Encoder
from ..errors import SourceError
from ..pictures.video import is_video
from ..runtime.timing import span
from ..sources import absolute_path
from ..sources.folders import Scan
from ..sources.rules import Rules
from ..storage.catalog import CatalogSession
from ..storage.storage import Storage
from ..types.records import Kind, Problem, Progress, Reason, ScannedFile, Vectors, no_progress
from ..types.results import Plan, Report
from . import absence, fingerprint_backfill, own_words, text_contents
from .decode_ahead import DAMAGED, DecodedFile, DecodedFrame, Decoder, LivePhotoFilm, ReadFile, read_ahead, work_ahead
from .geocode import look_up_places
from .known_contents import KnownContents
from .plan import KnownFiles, Planner

Batch: TypeAlias = list[tuple[ScannedFile, ReadFile]]

KEPT = "{} files that are not there are kept for their captions, ratings or lessons; `retrieval remove` forgets them"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Options:
    """Options of an indexing run."""

    rules: Rules = field(default_factory=Rules)
    retry: bool = False  # also retry files that failed before and have not changed
    reread: bool = False  # read the metadata of known files anew, without encoding them
    forget_missing: bool = False  # forget the files below the folders that are not there
    forget_after: float = 0.0  # days after which absent files are forgotten; 0: never
    file_timeout: float = 60.0  # seconds without progress after which a file or folder is given up
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
            UsageError: a pattern of the rules is none.
        """
        places = [absolute_path(folder) for folder in folders]
        with self.storage.read() as catalog:
            known = KnownFiles(
                catalog.items.indexed(catalog.spaces.id_of(self.encoder.space) or 0, places),
                catalog.problems.all(),
                catalog.live_photo_films.all(),
                catalog.roots.all(),
            )
        files = [place for place in places if str(place) in known.indexed]
        scan = Scan(places, self.options.rules, self.options.file_timeout, [*known.roots, *files])
        planner = Planner(known, retry=self.options.retry, reread=self.options.reread)
        plan = planner.plan(scan, lambda count: self.progress(Progress("scan", count)))
        roots = absence.gone_roots(self.storage, places, self.options.file_timeout)
        with self.storage.read() as catalog:
            absent = set(catalog.items.absent(roots)) if roots else set()
            gone = tuple(path for root in roots for path in catalog.items.below(root) if path not in absent)
        return replace(plan, gone=plan.gone + gone, gone_roots=tuple(roots))

    def run(self, folders: Sequence[Path], captions: Sequence[tuple[Path, Path | None]] = ()) -> Report:
        """Index `folders`, then caption files (each with the folder that its picture names are relative to).

        On Ctrl-C, committed work is kept and the report has `interrupted` set.

        Raises:
            SourceError: a folder does not exist, or the only caption file of a run without folders cannot be read.
            LibraryLocked: another process is writing.
        """
        with self.storage.write_lock("retrieval index"):
            return self.run_held(folders, captions)

    def run_held(self, folders: Sequence[Path], captions: Sequence[tuple[Path, Path | None]] = ()) -> Report:
        """Do the same as `run`; the caller holds `write_lock()`."""
        started = time.monotonic()
        folders = [absolute_path(folder) for folder in folders]
        captions = [(absolute_path(table), images) for table, images in captions]
        run = _Run(self, self._space())
        try:
            plan = self.plan(self._all_roots(folders))
            log.info("indexing %s", ", ".join(map(str, folders)))
            run.pictures(plan)
            run.forget(folders)
            run.texts(captions, alone=not folders)
            self._switch()
        except KeyboardInterrupt:
            run.report = replace(run.report, interrupted=True)
        self.storage.vectors.save()
        if not run.report.interrupted:
            self._calibrate()
        return replace(run.report, seconds=time.monotonic() - started, model=self.encoder.space.model)

    def _space(self) -> int:
        with self.storage.transaction() as catalog:
            return catalog.spaces.add(self.encoder.space)

    def _all_roots(self, folders: Sequence[Path]) -> list[Path]:
        """Return the folders asked for.

        If the model changes, also every known folder and file that is there, so that the new space becomes complete.
        """
        with self.storage.read() as catalog:
            serving, roots = catalog.spaces.active(), catalog.roots.all()
            if serving is None or serving[1] == self.encoder.space:
                return list(folders)
            alone = [item.path for item in catalog.items.all() if not any(map(item.path.is_relative_to, roots))]
        gone = absence.gone_roots(self.storage, folders, self.options.file_timeout)
        there = (root for root in roots if root not in gone)
        return list(dict.fromkeys([*folders, *there, *(file for file in alone if file.is_file())]))

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
    """The state of one run: its space, what it knows of the files, and the report so far."""

    indexer: Indexer
    space_id: int
    report: Report = field(default_factory=Report)
    seen: KnownContents = field(init=False)
    added: set[Path] = field(default_factory=set)  # files that the library did not know
    reread: set[Path] = field(default_factory=set)
    failed: set[Path] = field(default_factory=set)
    leaving: dict[int, list[Path]] = field(default_factory=dict)  # absent files, by content: where moved files were
    moved: set[Path] = field(default_factory=set)  # of those, the ones that were found at another place
    unseen: list[Path] = field(default_factory=list)  # places that could not be looked at

    def pictures(self, plan: Plan) -> None:
        """Read, encode and store the files of the plan; note which of the others are absent."""
        storage = self.indexer.storage
        self.seen = KnownContents.by(storage, self.space_id, len(plan.todo))
        with storage.transaction() as catalog:
            for path, content in (catalog.items.absent() | catalog.items.contents_at(plan.gone)).items():
                self.leaving.setdefault(content, []).append(path)
            catalog.problems.clear(plan.solved)
            for root, counts in plan.passed_over.items():
                catalog.roots.put(root, counts)
        endings = Counter[str]()
        for counts in plan.passed_over.values():
            endings.update(counts)
        self.report = replace(
            self.report,
            unchanged=plan.unchanged,
            failed_before=plan.failed_before,
            passed_over=dict(endings.most_common()),
            notes=plan.notes,
        )
        self._note(plan.problems)
        self.unseen = [problem.path for problem in plan.problems if problem.reason != Reason.VANISHED]
        self.added, self.reread = {file.path for file in plan.added}, {file.path for file in plan.reread}
        self._read(plan.todo)
        alone = [file for file in plan.standby if file.part_of in self.failed]  # RAW files of broken JPEGs
        self.added |= {file.path for file in alone}
        self._read(alone)
        self._note_absence(plan, {file.path for file in alone})
        look_up_places(storage)
        fingerprint_backfill.complete(storage, self.indexer.progress)

    def _read(self, todo: Sequence[ScannedFile]) -> None:
        """Read files, encode what is new, and store them batch by batch."""
        encoder, options = self.indexer.encoder, self.indexer.options
        reader = Decoder(encoder.prepare, encoder.image_size, options.max_megapixels, self.seen)
        window, done = 2 * options.batch_size + options.threads, 0
        photos = [found for found in todo if not is_video(found.path)]
        videos = [found for found in todo if is_video(found.path)]
        if todo:
            self.indexer.progress(Progress("pictures", 0, len(todo)))  # the first batch loads the model
        for files, ahead in ((photos, window), (videos, 2)):  # one video may have as many frames as a whole window
            results = read_ahead(files, reader, options.threads, ahead, options.file_timeout)
            batches = _batches(results, options.batch_size)
            for batch, (fresh, vectors) in work_ahead(batches, self._encode, options.file_timeout):
                done += len(batch)
                with span("store"):
                    self._store(batch, fresh, vectors)
                self.indexer.progress(Progress("pictures", done, len(todo)))

    def _note_absence(self, plan: Plan, used: set[Path]) -> None:
        """Note which files are not there and which are again; nothing about them is deleted."""
        unused = (file.path for file in plan.standby)  # RAW files whose picture can be used by now
        missing = [path for path in (*plan.gone, *unused) if path not in self.moved and path not in used]
        with self.indexer.storage.transaction() as catalog:
            absent = catalog.items.mark_absent(missing)
            catalog.items.mark_present(
                (file.path for file in plan.returned), {file.path: file.ctime_ns for file in plan.returned}
            )
            catalog.problems.clear(plan.gone)
            catalog.roots.drop([root for root in plan.gone_roots if not catalog.items.below(root)])  # all has moved
            catalog.contents.settle()
        self.report = replace(self.report, absent=absent, returned=self.report.returned + len(plan.returned))

    def forget(self, folders: Sequence[Path]) -> None:
        """Forget absent files: of these folders if the options ask for it, of all after the time of the settings."""
        options, notes, forgotten = self.indexer.options, list(self.report.notes), 0
        for asked, within, days in (
            (options.forget_missing, folders, 0.0),
            (options.forget_after > 0, None, options.forget_after),
        ):
            if asked:
                count, kept = absence.forget(self.indexer.storage, within, days, self.unseen)
                forgotten += count
                notes += [KEPT.format(kept)] if kept else []
        self.report = replace(self.report, removed=forgotten, notes=tuple(notes))

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
        # known pictures alone must not load the model
        return fresh, np.concatenate(parts) if parts else np.empty((0, encoder.space.dimensions), np.float32)

    def _store(self, batch: Batch, fresh: dict[str, DecodedFrame], vectors: Vectors) -> None:
        """Store a batch in one transaction."""
        report, problems = self.report, []
        new = {digest: place for place, digest in enumerate(fresh) if digest not in self.seen.ids}  # not yet stored
        fresh, vectors = {digest: fresh[digest] for digest in new}, vectors[list(new.values())]
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
                    self.failed.add(file.path)
                    continue
                catalog.problems.clear((file.path, *file.sidecars))
                if isinstance(ready, LivePhotoFilm):
                    catalog.live_photo_films.put(file)
                    continue
                held = [(s.content or numbers.get(s.digest) or self.seen.ids[s.digest], s.second) for s in ready.shots]
                content, digest = held[0][0], ready.shots[0].digest
                ready = self._with_damage(catalog, content, ready)
                own_words.carry_over(catalog, file.path, content)
                catalog.items.put(file, held, ready.facts)
                text_contents.link(catalog, content, ready.facts, ready.sidecar, file.path)
                for remark in ready.remarks:
                    catalog.problems.put(remark, file if remark.path == file.path else None)
                problems += ready.remarks
                stored_before = digest not in first
                first -= {shot.digest for shot in ready.shots}
                report = self._counted(report, catalog, file.path, content, stored_before=stored_before)
        self.seen.add(numbers)
        _log(problems)
        self.report = replace(report, encoded=report.encoded + len(fresh), problems=report.problems + tuple(problems))

    def _with_damage(self, catalog: CatalogSession, content: int, ready: DecodedFile) -> DecodedFile:
        """Return what was read of a file; known pixels were not decoded again, and are as damaged as they were."""
        if ready.facts.damaged or ready.shots[0].pixels is not None or not catalog.items.damaged([content]):
            return ready
        problem = Problem(ready.file.path, Reason.DAMAGED, DAMAGED)
        return replace(ready, facts=replace(ready.facts, damaged=True), remarks=(*ready.remarks, problem))

    def _counted(
        self, report: Report, catalog: CatalogSession, path: Path, content: int, *, stored_before: bool
    ) -> Report:
        """Return the report with one more file; a new one with the content of an absent one has been moved."""
        if path in self.reread:
            return replace(report, reread=report.reread + 1)
        if path not in self.added:
            return replace(report, changed=report.changed + 1)
        places = [place for place in self.leaving.get(content, []) if place != path]
        if stored_before and places:
            place = places[0]
            self.leaving[content].remove(place)
            catalog.items.remove([place])
            self.moved.add(place)
            return replace(report, moved=report.moved + 1)
        return replace(report, added=report.added + 1, duplicates=report.duplicates + stored_before)

    def texts(self, captions: Sequence[tuple[Path, Path | None]], *, alone: bool) -> None:
        """Link caption files, then embed every text that has no embedding yet.

        Raises:
            SourceError: the only file of a run that is about nothing else (`alone`) cannot be read; otherwise, a file
                that cannot be read is a problem.
        """
        storage = self.indexer.storage
        linked, problems, notes = 0, list[Problem](), list(self.report.notes)
        for table, images in captions:
            try:
                with storage.transaction() as catalog:
                    found = text_contents.read_file(catalog, table, images)
            except SourceError as exc:
                if alone and len(captions) == 1:  # nothing else was asked for
                    raise
                problems.append(Problem(table, Reason.UNREADABLE, str(exc)))
                continue
            linked += found.linked
            problems += found.problems
            notes += found.notes
        _log(problems)
        encoded = text_contents.embed(storage, self.indexer.encoder, self.indexer.progress)
        self.report = replace(
            self.report,
            texts=encoded,
            captions=linked,
            problems=self.report.problems + tuple(problems),
            notes=tuple(notes),
        )


def _log(problems: Sequence[Problem]) -> None:
    for problem in problems:
        log.info("cannot use %s: %s", problem.path, problem.message or problem.reason)


def _batches(results: Iterator[tuple[ScannedFile, ReadFile]], size: int) -> Iterator[Batch]:
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
