"""Dynamic batching: while the model is busy, calls of other threads wait and are then joined into one batch.

An idle model is called at once, without waiting for more calls. Knows threads; does not know the model.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence, Sized
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

from ..types.records import Pixels, Space, Vectors
from . import Encoder, SupportsPatchFeatures

if TYPE_CHECKING:
    from PIL.Image import Image

T = TypeVar("T")
MOST = 64  # inputs per joined call; a larger batch of one thread is not split
TOKENS = 2048  # tokens in a pass over texts, which limits memory


def by_length(tokens: Sequence[Sized]) -> Iterator[list[int]]:
    """Yield the places of texts, those of similar length together, as many as fit into a pass."""
    order = sorted(range(len(tokens)), key=lambda place: len(tokens[place]))
    while order:
        longest = len(tokens[order[min(len(order), TOKENS // 8) - 1]])
        count = max(1, TOKENS // longest)
        yield order[:count]
        order = order[count:]


def batched(encoder: Encoder) -> Encoder:
    """Return the encoder with the calls of several threads joined, including patch features if it has them."""
    if isinstance(encoder, SupportsPatchFeatures):
        return _BatchedWithPatches(encoder, encoder)
    return BatchedEncoder(encoder)


class BatchedEncoder:
    """An encoder that joins the calls of several threads into one batch."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._images: _CallQueue[Pixels] = _CallQueue(encoder.images)
        self._texts: _CallQueue[str] = _CallQueue(encoder.texts)

    @property
    def space(self) -> Space:
        """The embedding space of the model."""
        return self._encoder.space

    @property
    def image_size(self) -> int:
        """Side of the model's input in pixels."""
        return self._encoder.image_size

    def prepare(self, image: Image) -> Pixels:
        """Prepare one picture in the calling thread."""
        return self._encoder.prepare(image)

    def images(self, batch: Sequence[Pixels]) -> Vectors:
        """Return the embeddings of n prepared pictures, (n, dimensions), batched with other threads' calls."""
        return self._images(batch)

    def texts(self, batch: Sequence[str]) -> Vectors:
        """Return the embeddings of n texts, (n, dimensions), batched with other threads' calls."""
        return self._texts(batch)


class _BatchedWithPatches(BatchedEncoder):
    def __init__(self, encoder: Encoder, grids: SupportsPatchFeatures) -> None:
        super().__init__(encoder)
        self._grids, self._one = grids, threading.Lock()

    def patch_features(self, image: Image) -> Vectors:
        """Return the patch features of a picture, one picture at a time."""
        with self._one:
            return self._grids.patch_features(image)


@dataclass
class _Job(Generic[T]):
    batch: Sequence[T]
    rows: Vectors | None = None
    error: Exception | None = None


@dataclass
class _CallQueue(Generic[T]):
    """One method of a model, called by one thread at a time on behalf of all waiting threads."""

    call: Callable[[Sequence[T]], Vectors]
    waiting: list[_Job[T]] = field(default_factory=list)
    _list: threading.Lock = field(default_factory=threading.Lock)
    _model: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, batch: Sequence[T]) -> Vectors:
        job = _Job(batch)
        with self._list:
            self.waiting.append(job)
        with self._model:  # the thread that holds the lock serves all waiting jobs
            while job.rows is None and job.error is None:
                self._serve_all(self._taken(), job)
        if job.error is not None:
            raise job.error
        assert job.rows is not None  # served without an error
        return job.rows

    def _taken(self) -> list[_Job[T]]:
        """Remove and return the waiting jobs that fit into one batch, at least the first."""
        with self._list:
            count, inputs = 0, 0
            while count < len(self.waiting) and (not count or inputs + len(self.waiting[count].batch) <= MOST):
                inputs += len(self.waiting[count].batch)
                count += 1
            taken, self.waiting = self.waiting[:count], self.waiting[count:]
        return taken

    def _serve_all(self, jobs: Sequence[_Job[T]], own: _Job[T]) -> None:
        """Serve the jobs; if interrupted (Ctrl-C), put the other threads' unserved jobs back into the queue."""
        try:
            self._serve(jobs)
        except BaseException:
            left = [job for job in jobs if job is not own and job.rows is None and job.error is None]
            with self._list:
                self.waiting = left + self.waiting
            raise

    def _serve(self, jobs: Sequence[_Job[T]]) -> None:
        try:
            rows = self.call([each for job in jobs for each in job.batch])
        except Exception as exc:
            if len(jobs) == 1:
                jobs[0].error = exc
                return
            for job in jobs:  # one job caused the error: run each alone, so only that one fails
                self._serve([job])
            return
        for job, some in zip(jobs, np.split(rows, np.cumsum([len(job.batch) for job in jobs])[:-1]), strict=True):
            job.rows = some
