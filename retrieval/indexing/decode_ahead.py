"""Decodes files on threads, ahead of the model, with at most one window of pictures in memory.

Results come in the order of the files. Does not know the catalog or what the model returns.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from .. import pictures
from ..errors import PictureError
from ..pictures import video
from ..runtime.timing import span
from ..sources.caption_files import sidecar_text
from ..types.records import Facts, Problem, Reason, ScannedFile
from .known_contents import KnownContents

if TYPE_CHECKING:
    from PIL.Image import Image

    from ..types.records import Pixels


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

    @property
    def waiting(self) -> int:
        """How many of its pictures the model must encode."""
        return sum(shot.pixels is not None for shot in self.shots)


@dataclass(frozen=True)
class Decoder:
    """Reads and decodes files; called by several threads at once."""

    prepare: Callable[[Image], Pixels]
    image_size: int
    max_megapixels: float
    seen: KnownContents | None = None  # what is already encoded; None: encode everything

    def read(self, file: ScannedFile) -> DecodedFile | Problem:
        """Read and decode one file; any error with it is returned as a problem."""
        try:
            shots, facts = (self._frames if video.is_video(file.path) else self._picture)(file.path)
            return DecodedFile(file, shots, pictures.sidecar_facts(file.path, facts), sidecar_text(file.path))
        except PictureError as exc:
            return Problem(file.path, exc.reason, str(exc))
        except OSError as exc:  # a sidecar that vanished or cannot be read
            return Problem(file.path, Reason.UNREADABLE, f"cannot read the sidecar beside it: {exc.strerror}")

    def _picture(self, path: Path) -> tuple[tuple[DecodedFrame, ...], Facts]:
        with span("read"):
            data, digest = pictures.read(path)
        content = self.seen.get(digest) if self.seen else None
        if content is not None:
            return (DecodedFrame(digest, content),), pictures.facts(data)
        with span("decode"):
            picture = pictures.decode(data, path.name, self._least, self.max_megapixels)
        return (self._shot(digest, picture.image),), picture.facts

    def _shot(self, digest: str, image: Image, second: float | None = None) -> DecodedFrame:
        with span("prepare"):
            prepared = self.prepare(image)
        with span("thumbnail"):
            thumbnail, fingerprint = pictures.thumbnail(image)
        return DecodedFrame(digest, None, prepared, thumbnail, fingerprint, second)

    def _frames(self, path: Path) -> tuple[tuple[DecodedFrame, ...], Facts]:
        digest = video.digest(path)
        start, numbers = f"{digest}@", self.seen.frames(digest) if self.seen else {}
        known = sorted((float(each.removeprefix(start)), each) for each in numbers)
        if known:
            return tuple(DecodedFrame(each, numbers[each], second=second) for second, each in known), video.facts(path)
        shots = (
            self._shot(f"{start}{frame.second:.3f}", frame.image, round(frame.second, 3))
            for frame in video.scenes(path, self._least)
        )
        return tuple(shots), video.facts(path)

    @property
    def _least(self) -> int:
        return max(self.image_size, pictures.THUMBNAIL_SIDE // 2)


def work_ahead(batches: Iterable[T], work: Callable[[T], R]) -> Iterator[tuple[T, R]]:
    """Yield each batch with the result of `work`; the next batch is processed while the caller uses this one."""
    pool = ThreadPoolExecutor(1, thread_name_prefix="ahead")
    last: tuple[T, Future[R]] | None = None
    try:
        for batch in batches:
            following = batch, pool.submit(copy_context().run, work, batch)
            if last is not None:
                yield last[0], last[1].result()
            last = following
        if last is not None:
            yield last[0], last[1].result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def read_ahead(
    files: Iterable[ScannedFile], reader: Decoder, threads: int, window: int
) -> Iterator[tuple[ScannedFile, DecodedFile | Problem]]:
    """Read `files` on `threads` threads and yield them in order, at most `window` files ahead of the caller."""
    waiting: deque[tuple[ScannedFile, Future[DecodedFile | Problem]]] = deque()
    rest = iter(files)
    pool = ThreadPoolExecutor(threads, thread_name_prefix="decode")
    try:
        while True:
            while len(waiting) < window and (found := next(rest, None)) is not None:
                waiting.append((found, pool.submit(copy_context().run, reader.read, found)))
            if not waiting:
                return
            found, future = waiting.popleft()
            yield found, future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
