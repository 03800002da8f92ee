"""All errors that this package raises, as one tree; a message says what happened, to what, and what to do next.

RetrievalError                      exit code of the command line
├── UsageError                      2  a query, a number or an option that makes no sense
│   ├── QueryError                     points at the place in the query
│   └── NotFound                       there is no item or job of this number
├── LibraryError                    3  the library cannot be used
│   ├── LibraryNotFound
│   ├── LibraryVersionError            written by another version
│   ├── LibraryDamaged                 its files are broken or disagree
│   ├── LibraryLocked                  another process is writing
│   ├── Changed                        someone else has changed it since it was read
│   └── LibraryReadOnly
├── ModelError                      4  the model cannot be loaded or does not fit
│   ├── ModelUnavailable               it is not on this machine, or its server does not answer
│   ├── ModelChanged                   its weights are not those that the library was indexed with
│   └── ModelRefused                   its server refuses the request
├── SourceError                     5  an input that was named cannot be read at all
│   ├── NotIndexed                     the library has nothing at a path
│   └── PictureError                   one picture, with its reason
└── StorageFull                     6  the disk is full
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class RetrievalError(Exception):
    """Any failure that this package foresees; `str()` is a message for people."""

    exit_code = 1


class UsageError(RetrievalError):
    """The request makes no sense: an empty query, `k` of zero, two queries at once."""

    exit_code = 2


class QueryError(UsageError):
    """A query that cannot be understood; the message shows the place in it."""

    def __init__(self, message: str, query: str, place: tuple[int, int]) -> None:
        first, last = place
        start = max(0, first - 60)  # of a long query, only the part around the place is shown
        line = "".join(" " if sign.isspace() else sign for sign in query[start : last + 20])
        super().__init__(f"{message}\n  {line}\n  {' ' * (first - start)}{'^' * max(1, last - first)}")
        self.reason, self.query, self.place = message, query, place


class NotFound(UsageError):
    """There is no item, or no job, of this number."""


class LibraryError(RetrievalError):
    """The library cannot do what was asked."""

    exit_code = 3


class LibraryNotFound(LibraryError):
    """There is no library at this path."""


class LibraryVersionError(LibraryError):
    """The library was written by a version that this one cannot read."""


class LibraryDamaged(LibraryError):
    """A file of the library is damaged, and opening the library cannot repair it."""


class LibraryLocked(LibraryError):
    """Another process is writing to the library; the message names it."""


class Changed(LibraryError):
    """What is to be changed is no longer what the caller has read; the message says what it is now."""


class LibraryReadOnly(LibraryError):
    """The library's folder cannot be written to."""


class ModelError(RetrievalError):
    """A model name, checkpoint or device that cannot be used."""

    exit_code = 4


class ModelUnavailable(ModelError):
    """The model is not on this machine and cannot be fetched now, or its server does not answer."""


class ModelChanged(ModelError):
    """The model's weights are not those that the library was indexed with: pixels cannot be compared until then."""


class ModelRefused(ModelError):
    """The model's server refuses the request, and would refuse it again."""


class SourceError(RetrievalError):
    """A folder, caption file or list that cannot be read."""

    exit_code = 5


class NotIndexed(SourceError):
    """The library has nothing at a path."""


class PictureError(SourceError):
    """One picture that cannot be used; `reason` is a short, stable word for it (see `records.Reason`)."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Name the file in any error about one picture; one that is not there was never there, as far as is known.

    Raises:
        PictureError: that error.
    """
    try:
        yield
    except PictureError as exc:
        why = "no such file" if exc.reason == "vanished" else str(exc)
        raise PictureError(exc.reason, f"{path}: {why}") from exc


class StorageFull(RetrievalError):
    """The disk that holds the library has no room left; what was committed before is kept."""

    exit_code = 6
