"""Decodes files on threads, ahead of the model, with at most one window of pictures in memory.

Results come in the order of the files. Does not know the catalog or what the model returns.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from .. import pictures
from ..errors import PictureError
from ..pictures import live_photo, video
from ..pictures.video_metadata import read_video_metadata
from ..runtime.daemon_pool import DaemonPool, Stalled, Task, alive
from ..runtime.timing import span
from ..types.records import Facts, Problem, Reason, ScannedFile
from .known_contents import KnownContents

if TYPE_CHECKING:
    from PIL.Image import Image

    from ..pictures.metadata.found import Found
    from ..types.records import Pixels


BROKEN = "put back a whole copy, or leave it out with --exclude"
NEXT_STEPS = {
    **dict.fromkeys(Reason, BROKEN),
    Reason.EMPTY: "copy it again, or delete it",
    Reason.NOT_A_PICTURE: "give it its right ending, or leave it out with --exclude",
    Reason.VANISHED: "run it again when it is back",
}

log = logging.getLogger(__name__)

FILE_TIMEOUT = 60.0  # seconds without progress after which a file is given up
DAMAGED = "a part of the picture is missing; the rest is used"

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class DecodedFrame:
    """One picture: known already (`content`), or decoded and waiting for the model (`pixels`)."""

    digest: str
    content: int | None = None
    pixels: Pixels | None = None
    thumbnail: bytes = b""
    fingerprint: int = 0
    second: float | None = None  # time of a video frame


@dataclass(frozen=True)
class DecodedFile:
    """A file that was read: one picture, or the frames of a video."""

    file: ScannedFile
    shots: tuple[DecodedFrame, ...]
    facts: Facts
    sidecar: str = ""  # text of its `.txt` sidecar
    remarks: tuple[Problem, ...] = ()  # what could not be used of it, or of its sidecars

    @property
    def waiting(self) -> int:
        """How many of its pictures the model must encode."""
        return sum(shot.pixels is not None for shot in self.shots)


@dataclass(frozen=True)
class LivePhotoFilm:
    """A film that is the moving part of a photo beside it, and no file of its own."""

    file: ScannedFile


ReadFile: TypeAlias = DecodedFile | LivePhotoFilm | Problem


@dataclass(frozen=True)
class Decoder:
    """Reads and decodes files; called by several threads at once."""

    prepare: Callable[[Image], Pixels]
    image_size: int
    max_megapixels: float
    seen: KnownContents | None = None  # what is already encoded; None: encode everything

    def read(self, file: ScannedFile) -> ReadFile:
        """Read and decode one file; any error with it is returned as a problem."""
        try:
            if live_photo.is_film_of(file.path, file.part_of, self.max_megapixels):
                return LivePhotoFilm(file)
            shots, found = (self._frames if video.is_video(file.path) else self._picture)(file.path)
            sidecars = pictures.read_sidecars(file.sidecars, found)
            facts = found.facts(file.path.name)
        except PictureError as exc:
            return Problem(file.path, exc.reason, f"{exc}; {NEXT_STEPS[Reason(exc.reason)]}")
        except Exception as exc:  # whatever is wrong with one file, or with this program, the run goes on
            log.exception("reading %s failed", file.path)
            return Problem(file.path, Reason.UNREADABLE, f"reading it failed: {type(exc).__name__}: {exc}")
        remarks = sidecars.problems
        if facts.damaged:
            remarks += (Problem(file.path, Reason.DAMAGED, DAMAGED),)
        return DecodedFile(file, shots, facts, sidecars.text, remarks)

    def _picture(self, path: Path) -> tuple[tuple[DecodedFrame, ...], Found]:
        with span("read"):
            data, digest = pictures.read_file(path)
        content = self.seen.get(digest) if self.seen else None
        with span("decode"):
            opened = pictures.open_picture(data, path.name, self.max_megapixels)
            if content is not None:
                return (DecodedFrame(digest, content),), opened.found
            alive()
            image = opened.pixels(self._least)
        alive()
        return (self._shot(digest, image),), opened.found

    def _shot(self, digest: str, image: Image, second: float | None = None) -> DecodedFrame:
        with span("prepare"):
            prepared = self.prepare(image)
        with span("thumbnail"):
            thumbnail, fingerprint = pictures.thumbnail(image)
        return DecodedFrame(digest, None, prepared, thumbnail, fingerprint, second)

    def _frames(self, path: Path) -> tuple[tuple[DecodedFrame, ...], Found]:
        digest = pictures.hash_file(path)
        start, numbers = f"{digest}@", self.seen.frames(digest) if self.seen else {}
        known = sorted((float(each.removeprefix(start)), each) for each in numbers)
        found = read_video_metadata(path)
        if known:
            return tuple(DecodedFrame(each, numbers[each], second=second) for second, each in known), found
        shots = (
            self._shot(f"{start}{frame.second:.3f}", frame.image, round(frame.second, 3))
            for frame in video.scenes(path, self._least)
        )
        return tuple(shots), found

    @property
    def _least(self) -> int:
        return max(self.image_size, pictures.THUMBNAIL_SIDE // 2)


def work_ahead(batches: Iterable[T], work: Callable[[T], R], seconds: float) -> Iterator[tuple[T, R]]:
    """Yield each batch with the result of `work`; the next batch is processed while the caller uses this one.

    Ctrl-C does not wait for work that runs.
    """
    pool = DaemonPool(1, seconds, "ahead")
    last: tuple[T, Task[R]] | None = None
    try:
        for batch in batches:
            following = batch, pool.submit(partial(work, batch))
            if last is not None:
                yield last[0], last[1].future.result()
            last = following
        if last is not None:
            yield last[0], last[1].future.result()
    finally:
        pool.close()


def read_ahead(
    files: Iterable[ScannedFile], reader: Decoder, threads: int, window: int, seconds: float = FILE_TIMEOUT
) -> Iterator[tuple[ScannedFile, ReadFile]]:
    """Read `files` on `threads` threads and yield them in order, at most `window` files ahead of the caller.

    A file that makes no progress for so many `seconds` is given up, and yielded as a problem.
    """
    waiting: deque[tuple[ScannedFile, Task[ReadFile]]] = deque()
    rest = iter(files)
    pool = DaemonPool(threads, seconds, "decode")
    try:
        while True:
            while len(waiting) < window and (found := next(rest, None)) is not None:
                waiting.append((found, pool.submit(partial(reader.read, found))))
            if not waiting:
                return
            found, task = waiting.popleft()
            try:
                yield found, pool.result(task)
            except Stalled:
                message = f"reading it made no progress for {seconds:.0f} s (RETRIEVAL_FILE_TIMEOUT); run it again"
                yield found, Problem(found.path, Reason.UNREADABLE, message)
    finally:
        pool.close()
