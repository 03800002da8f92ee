"""Pictures of strangers, decoded in processes of their own: what takes too long or too much memory ends there.

Knows processes and their limits; does not know where the bytes are from.
"""

from __future__ import annotations

import math
import multiprocessing
import queue
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from PIL import Image

from ..errors import PictureError
from ..types.records import Reason

LARGEST = 16_000_000  # pixels of what is handed on: no model sees more
CONTEXT = multiprocessing.get_context("spawn")  # a fork would have this process's threads and locks


@dataclass(frozen=True)
class Child:
    """A decoding process, and our end of its pipe."""

    process: BaseProcess
    pipe: Connection


@dataclass
class Workers:
    """Decodes pictures in child processes, each started when first needed and again when it was ended."""

    count: int = 2
    seconds: float = 15.0  # for one picture
    memory: int = 2 << 30  # bytes beyond what the process has to begin with
    max_megapixels: float = 100.0
    _free: queue.LifoQueue[Child | None] = field(default_factory=queue.LifoQueue)

    def __post_init__(self) -> None:
        for _ in range(self.count):
            self._free.put(None)

    def decode(self, data: bytes, least: int) -> Image.Image:
        """The upright RGB picture; its shorter side may be reduced to no less than twice `least` pixels.

        Raises:
            PictureError: it cannot be decoded, not in time, or not in the memory that it has.
        """
        if not data:
            raise PictureError(Reason.EMPTY, "the upload is empty")
        with self._child() as child:
            try:
                child.pipe.send((data, least, self.max_megapixels))
                if not child.pipe.poll(self.seconds):
                    _end(child)
                    raise PictureError(Reason.TOO_LARGE, f"it takes longer than {self.seconds:.0f} s to decode")
                found = child.pipe.recv()
            except (EOFError, OSError) as exc:
                _end(child)
                raise PictureError(Reason.UNREADABLE, "decoding it took too much memory, or broke the decoder") from exc
        if len(found) == 2 and isinstance(found[1], str):
            raise PictureError(*found)
        size, pixels = found
        return Image.frombytes("RGB", size, pixels)

    def close(self) -> None:
        """End the processes."""
        while not self._free.empty():
            child = self._free.get()
            if child is not None:
                _end(child)

    @contextmanager
    def _child(self) -> Iterator[Child]:
        """A process that is free, for a moment."""
        child = self._free.get()
        try:
            if child is None or not child.process.is_alive():
                child = self._started()
            yield child
        finally:
            self._free.put(child if child is not None and child.process.is_alive() else None)

    def _started(self) -> Child:
        ours, theirs = CONTEXT.Pipe()
        process = CONTEXT.Process(target=_work, args=(theirs, self.memory), daemon=True, name="decoder")
        process.start()
        theirs.close()
        return Child(process, ours)


def _end(child: Child) -> None:
    child.process.kill()
    child.process.join()
    child.pipe.close()


def _work(pipe: Connection, memory: int) -> None:
    """The child: one picture after the other, until our parent is gone."""
    from .decode import decode

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent
    resource.setrlimit(resource.RLIMIT_AS, (_address_space() + memory, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # it writes no file
    while True:
        try:
            data, least, megapixels = pipe.recv()
        except EOFError:
            return
        try:
            image = decode(data, "", least, megapixels).image
            if image.width * image.height > LARGEST:  # thin ones are not reduced by their shorter side
                scale = math.sqrt(LARGEST / (image.width * image.height))
                image = image.resize((max(1, int(image.width * scale)), max(1, int(image.height * scale))))
            pipe.send((image.size, image.tobytes()))
        except PictureError as exc:
            pipe.send((str(exc.reason), str(exc)))


def _address_space() -> int:
    """Bytes of addresses that this process has; where the system does not say, what a process usually has."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123  # a file of the system
            return int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        return 4 << 30
