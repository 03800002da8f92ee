"""What the server has: the library, parts of it for those who may see a folder, indexing jobs, decoders.

Knows which calls must not meet; does not know HTTP.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from PIL.Image import Image

from ..errors import RetrievalError, UsageError
from ..library.library import Library
from ..library.view import Questions
from ..pictures.worker import Workers
from ..runtime.timing import step
from ..vlm import Ability, VisionLanguageModel
from .jobs import Jobs
from .previews import Previews
from .tokens import Caller

PARTS = 32  # folders that are kept open


@dataclass
class Service:
    """One library that is served."""

    library: Library
    roots: dict[str, Path] = field(default_factory=dict)  # folders that may be indexed over HTTP, by their name
    fetches: bool = False  # whether pictures may be searched by their address on the web
    originals: bool = True  # whether the files themselves are given out, beside thumbnails
    workers: Workers = field(default_factory=Workers)
    speaking: threading.Lock = field(default_factory=threading.Lock)  # of a vision-language model, one answer at a time
    _parts: dict[Path, Questions] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.jobs = Jobs(self.library)
        self.previews = Previews(self.library.settings.max_megapixels)

    def asked_by(self, caller: Caller) -> Questions:
        """The library, as far as a caller may see it."""
        if caller.folder is None:
            return Questions(self.library.parts, reads_files=caller.trusted)
        with self._lock:
            if caller.folder not in self._parts:
                if len(self._parts) >= PARTS:
                    self._parts.pop(next(iter(self._parts)))
                self._parts[caller.folder] = replace(self.library.within(caller.folder), reads_files=False)
            return self._parts[caller.folder]

    def picture(self, data: bytes, least: int) -> Image:
        """The picture of an upload; see `Workers.decode`."""
        with step("decode"):
            return self.workers.decode(data, least)

    @contextmanager
    def speaks(self) -> Iterator[VisionLanguageModel]:
        """The vision-language model, for one at a time."""
        with self.speaking:
            model = self.library.parts.vlm()
            with step("speak"):
                yield model

    @property
    def grounds(self) -> bool | None:
        """Whether the vision-language model finds what a phrase says; None where it is not loaded yet."""
        seer = self.library.parts.models.seer
        return None if seer is None else Ability.GROUND in seer.abilities

    def warm(self) -> None:
        """Load what the first query would wait for; what is wrong with it is told to who asks."""
        with suppress(RetrievalError):
            self.library.search("a photo", k=1)

    def root(self, name: str, folder: str) -> Path:
        """A folder below one of the roots.

        Raises:
            UsageError: there is no such root, or the folder is not below it.
        """
        if name not in self.roots:
            known = ", ".join(self.roots) or "none: start the server with --root FOLDER"
            raise UsageError(f"there is no root {name!r}; known: {known}")
        base = self.roots[name].resolve()
        found = (base / folder).resolve() if "\0" not in folder else base.parent
        if not found.is_relative_to(base) or not found.is_dir():
            raise UsageError(f"{folder!r} is no folder below {name}")
        return found

    def close(self) -> None:
        """End everything that is at work."""
        self.jobs.close()
        self.workers.close()
