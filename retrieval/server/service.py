"""What the routes share: the library, views of it limited to one folder, indexing jobs, decoding processes.

Serializes calls that must not run at the same time; does not know HTTP.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from PIL.Image import Image

from ..errors import LibraryError, RetrievalError, UsageError
from ..library import backends
from ..library.library import Library
from ..library.view import LibraryView
from ..pictures.worker import Workers
from ..queries import dates
from ..runtime import free_memory
from ..runtime.timing import span
from ..sources import absolute_path
from ..vlm import VisionLanguageModel
from .jobs import Jobs
from .previews import Previews
from .tokens import Caller

ROOTS_SECONDS = 5.0
TIDY_SECONDS, IDLE_SECONDS = 60.0, 600.0  # between two tidyings, and after which a model is let go
PARTS = 32  # views of single folders that are kept


@dataclass
class Service:
    """One library, with all that a server needs to serve it."""

    library: Library
    roots: dict[str, Path] = field(default_factory=dict)  # folders that may be indexed over HTTP, by their name
    fetches: bool = False  # whether pictures are fetched for a search by URL
    originals: bool = True  # whether original files are served, besides thumbnails
    workers: Workers = field(default_factory=Workers)
    speaking: threading.Lock = field(default_factory=threading.Lock)  # held while the vision-language model answers
    _parts: dict[Path, LibraryView] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _ended: threading.Event = field(default_factory=threading.Event)
    _spoke_at: float = field(default_factory=time.monotonic)  # when the vision-language model last answered
    _roots_read: tuple[float, tuple[Path, ...]] = (-math.inf, ())

    def __post_init__(self) -> None:
        self.jobs = Jobs(self.library, self.root)
        self.previews = Previews(self.library.settings.max_megapixels)

    def asked_by(self, caller: Caller) -> LibraryView:
        """Return the library, limited to what this caller may see."""
        if caller.folder is None:
            return LibraryView(self.library.services, reads_files=caller.trusted)
        with self._lock:
            if caller.folder not in self._parts:
                if len(self._parts) >= PARTS:
                    self._parts.pop(next(iter(self._parts)))
                self._parts[caller.folder] = replace(self.library.within(caller.folder), reads_files=False)
            return self._parts[caller.folder]

    def picture(self, data: bytes, least: int) -> Image:
        """Return an upload as an upright RGB picture, its shorter side reduced to no less than twice `least` pixels.

        Raises:
            PictureError: it cannot be decoded, or takes too much time or memory.
        """
        with span("decode"):
            return self.workers.decode(data, least)

    @contextmanager
    def speaks(self) -> Iterator[VisionLanguageModel]:
        """Give exclusive use of the vision-language model while the block runs."""
        with self.speaking:
            model = self.library.services.vlm()
            with span("speak"):
                yield model
            self._spoke_at = time.monotonic()

    @property
    def abilities(self) -> tuple[str, ...] | None:
        """What the vision-language model can do; None while that is not known, as it is not loaded."""
        model = self.library.services.models.loaded_vlm
        known = backends.vlm_abilities(self.library.settings) if model is None else model.abilities
        return None if known is None else tuple(sorted(known))

    @property
    def model_names(self) -> tuple[str, ...]:
        """The names of the vision-language model and of the encoder."""
        return tuple(dict.fromkeys((self.library.settings.vlm, self.library.model)))

    def library_roots(self) -> tuple[Path, ...]:
        """Return the folders that the library was indexed from; read anew after some seconds."""
        with self._lock:
            at, found = self._roots_read
        if time.monotonic() - at > ROOTS_SECONDS:
            with suppress(LibraryError), self.library.storage.read() as catalog:
                found = tuple(catalog.roots.all())
            with self._lock:
                self._roots_read = time.monotonic(), found
        return found

    def warm(self) -> None:
        """Load what the first queries need, by a search; errors are left for the first query to report."""
        with suppress(RetrievalError):
            self.library.search("a photo", k=1)
        dates.warm()

    def tidy(self) -> None:
        """Give memory back from time to time, and let go of the vision-language model when no one has used it."""
        while not self._ended.wait(TIDY_SECONDS):
            idle = time.monotonic() - self._spoke_at > IDLE_SECONDS
            if idle and self.library.services.models.loaded_vlm is not None and self.speaking.acquire(blocking=False):
                try:
                    self.library.services.models.unload_vlm()
                finally:
                    self.speaking.release()
            free_memory.give_back()

    def root(self, name: str, folder: str) -> Path:
        """Return a folder below one of the roots, by its absolute path.

        Raises:
            UsageError: there is no root of this name, or no such folder below it.
        """
        if name not in self.roots:
            known = ", ".join(self.roots) or "none: start the server with --root FOLDER"
            raise UsageError(f"there is no root {name!r}; known: {known}")
        base = self.roots[name]
        found = absolute_path(base / folder) if "\0" not in folder else base.parent  # links in it are not resolved
        if not found.resolve().is_relative_to(base.resolve()) or not found.is_dir():
            raise UsageError(f"{folder!r} is not a folder below {name}")
        return found

    def close(self) -> None:
        """Stop the indexing job and end the decoding processes."""
        self._ended.set()
        self.jobs.close()
        self.workers.close()
