"""Copies or links picture files into a folder. Nothing there is ever overwritten.

Does not know libraries.
"""

from __future__ import annotations

import filecmp
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from ..errors import SourceError


@dataclass(frozen=True)
class FileAction:
    """What was done to one file: copied, linked or moved; `reason` says why it was left alone."""

    path: Path
    to: Path
    done: bool = False
    reason: str = ""


def copied(paths: Sequence[Path], folder: Path) -> Iterator[FileAction]:
    """Copy files, with their times, into a folder; yield what was done to each.

    Raises:
        SourceError: the folder cannot be created.
    """
    return _each(paths, folder, shutil.copy2)


def linked(paths: Sequence[Path], folder: Path) -> Iterator[FileAction]:
    """Make symbolic links to files in a folder; yield what was done to each.

    Raises:
        SourceError: the folder cannot be created.
    """
    return _each(paths, folder, lambda path, to: to.symlink_to(path))


def _each(paths: Sequence[Path], folder: Path, put: Callable[[Path, Path], object]) -> Iterator[FileAction]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise SourceError(f"{folder} cannot be used as the folder for the files: {exc.strerror}") from exc
    for path in paths:
        to = folder / path.name
        try:
            if not path.exists():
                yield FileAction(path, to, reason="there is no such file any more")
                continue
            to = next(place for place in _names(to) if not taken(place) or _same(path, place))
            if taken(to):
                yield FileAction(path, to, reason="it is there already")
                continue
            put(path, to)
        except OSError as exc:
            yield FileAction(path, to, reason=exc.strerror or str(exc))
        else:
            yield FileAction(path, to, done=True)


def _same(path: Path, to: Path) -> bool:
    """Whether `to` is the same file as `path`, or a copy of it."""
    return to.exists() and (to.samefile(path) or filecmp.cmp(path, to, shallow=False))


def free(path: Path) -> Path:
    """Return the path, with a number added if something is there already."""
    return next(place for place in _names(path) if not taken(place))


def taken(path: Path) -> bool:
    """Whether anything exists at the path, even a broken link."""
    return path.exists() or path.is_symlink()


def _names(path: Path) -> Iterator[Path]:
    yield path
    for number in count(2):
        yield path.with_name(f"{path.stem} ({number}){path.suffix}")
