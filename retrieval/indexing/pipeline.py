"""Decoding runs ahead on threads while the model works; at most a window of pictures is in memory.

Knows files -> decoded pictures, in order; does not know the catalog or the model's answers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .. import pictures
from ..errors import PictureError
from ..records import Facts, Found, Problem, Reason
from ..sources.captions import sidecar_text

if TYPE_CHECKING:
    from PIL.Image import Image

    from ..records import Pixels


@dataclass(frozen=True)
class Ready:
    """A file that was read: known already (`content`), or decoded and waiting for the model (`pixels`)."""

    found: Found
    digest: str
    facts: Facts
    sidecar: str = ""  # what its `.txt` says
    content: int | None = None
    pixels: Pixels | None = None
    thumbnail: bytes = b""


@dataclass(frozen=True)
class Reader:
    """How files become `Ready`; called on several threads at once."""

    prepare: Callable[[Image], Pixels]
    least: int
    max_megapixels: float
    embedded: Mapping[str, int]  # content hash -> number, of what needs no model

    def read(self, found: Found) -> Ready | Problem:
        """One file; whatever is wrong with it comes back as a problem."""
        try:
            data, digest = pictures.read(found.path)
            content = self.embedded.get(digest)
            if content is not None:
                facts = pictures.sidecar_facts(found.path, pictures.facts(data))
                return Ready(found, digest, facts, sidecar_text(found.path), content=content)
            least = max(self.least, pictures.THUMBNAIL_SIDE // 2)
            picture = pictures.decode(data, found.path.name, least, self.max_megapixels)
            return Ready(
                found,
                digest,
                pictures.sidecar_facts(found.path, picture.facts),
                sidecar_text(found.path),
                pixels=self.prepare(picture.image),
                thumbnail=pictures.thumbnail(picture),
            )
        except PictureError as exc:
            return Problem(found.path, exc.reason, str(exc))
        except OSError as exc:  # a sidecar that vanished or cannot be read
            return Problem(found.path, Reason.UNREADABLE, f"cannot read what lies beside it: {exc.strerror}")


def read_ahead(
    files: Iterable[Found], reader: Reader, threads: int, window: int
) -> Iterator[tuple[Found, Ready | Problem]]:
    """Read `files` on `threads`, in order, never more than `window` ahead of the one who asks."""
    waiting: deque[tuple[Found, Future[Ready | Problem]]] = deque()
    rest = iter(files)
    pool = ThreadPoolExecutor(threads, thread_name_prefix="decode")
    try:
        while True:
            while len(waiting) < window and (found := next(rest, None)) is not None:
                waiting.append((found, pool.submit(reader.read, found)))
            if not waiting:
                return
            found, future = waiting.popleft()
            yield found, future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
