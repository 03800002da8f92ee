"""Decodes untrusted pictures in child processes, which are ended if they take too much time or memory.

Knows processes and their limits; does not know where the bytes come from.
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

LARGEST = 16_000_000  # maximum pixels of a returned picture; no model reads more
CONTEXT = multiprocessing.get_context("spawn")  # a fork would copy locks that this process's threads hold


@dataclass(frozen=True)
class Child:
    """A decoding process, and the parent's end of its pipe."""

    process: BaseProcess
    pipe: Connection


@dataclass
class Workers:
    """Decodes pictures in child processes, each started when first needed and again after it was ended."""

    count: int = 2
    seconds: float = 15.0  # for one picture
    memory: int = 2 << 30  # bytes that a child may use beyond its address space at the start
    max_megapixels: float = 100.0
    _free: queue.LifoQueue[Child | None] = field(default_factory=queue.LifoQueue)

    def __post_init__(self) -> None:
        for _ in range(self.count):
            self._free.put(None)

    def decode(self, data: bytes, least: int) -> Image.Image:
        """Return the upright RGB picture; its shorter side may be reduced to no less than twice the minimum asked for.

        Raises:
            PictureError: it is empty, cannot be decoded, or exceeds the time or memory limit.
        """
        if not data:
            raise PictureError(Reason.EMPTY, "the upload is empty")
        with self._child() as child:
            try:
                child.pipe.send((data, least, self.max_megapixels))
                if not child.pipe.poll(self.seconds):
                    _end(child)
                    raise PictureError(Reason.TOO_LARGE, f"it takes longer than {self.seconds:.0f} s to decode")
                reply = child.pipe.recv()
            except (EOFError, OSError) as exc:
                _end(child)
                raise PictureError(Reason.UNREADABLE, "decoding it took too much memory, or broke the decoder") from exc
        if len(reply) == 2 and isinstance(reply[1], str):
            raise PictureError(*reply)
        size, pixels = reply
        return Image.frombytes("RGB", size, pixels)

    def close(self) -> None:
        """End the idle child processes."""
        while not self._free.empty():
            child = self._free.get()
            if child is not None:
                _end(child)

    @contextmanager
    def _child(self) -> Iterator[Child]:
        """Lend a free child process, started if necessary."""
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
    """Run the child: decode one picture after the other until the parent is gone."""
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
            if image.width * image.height > LARGEST:  # long, thin ones: the shorter side sets no limit
                scale = math.sqrt(LARGEST / (image.width * image.height))
                image = image.resize((max(1, int(image.width * scale)), max(1, int(image.height * scale))))
            pipe.send((image.size, image.tobytes()))
        except PictureError as exc:
            pipe.send((str(exc.reason), str(exc)))


def _address_space() -> int:
    """Return the bytes of this process's address space; a usual value if the system does not tell."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123  # a file of the system
            return int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        return 4 << 30
