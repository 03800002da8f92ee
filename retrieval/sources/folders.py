"""Finds picture files in folders: recursively, with globs, without system folders; unreadable places are reported.

Does not open pictures.
"""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ..errors import SourceError
from ..types.records import RAW_SUFFIXES, VIDEO_SUFFIXES, Problem, Reason, ScannedFile
from . import absolute_path

PROCESSED = frozenset(
    ".jpg .jpeg .jpe .jfif .png .webp .gif .tif .tiff .bmp .dib .avif .heic .heif .hif .jp2 .j2k .jpx .jpf "
    ".ppm .pgm .pbm .pnm".split()
)
EXTENSIONS = PROCESSED | RAW_SUFFIXES | VIDEO_SUFFIXES
BESIDE = RAW_SUFFIXES | {".mov"}  # beside a picture of the same name: its RAW file, its live photo
SKIPPED_FOLDERS = frozenset({"@eaDir", "#recycle", "$RECYCLE.BIN", "node_modules", "__MACOSX"})
SIDECARS = (".xmp", ".txt")


@dataclass(frozen=True)
class Rules:
    """Which files of a folder are indexed. Globs are matched against the name and the path below the root."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    hidden: bool = False

    def takes(self, name: str, below: str) -> bool:
        """Whether a file is indexed; `below` is its path relative to the root."""
        if not self.hidden and name.startswith("."):  # macOS's `._name` too
            return False
        if _parts(name)[1] not in EXTENSIONS:
            return False
        if self.include and not _matches(name, below, self.include):
            return False
        return not _matches(name, below, self.exclude)

    def enters(self, name: str, below: str) -> bool:
        """Whether a folder is searched; `below` is its path relative to the root."""
        if name in SKIPPED_FOLDERS or (not self.hidden and name.startswith(".")):
            return False
        return name != ".git" and not _matches(name, below, self.exclude)


def matches(path: Path, globs: Sequence[str]) -> bool:
    """Whether a path, its name or one of its tails matches one of the globs."""
    tails = ("/".join(path.parts[-count:]) for count in range(1, len(path.parts) + 1))
    return any(_matches(path.name, tail, globs) for tail in (*tails, str(path)))


def _matches(name: str, below: str, globs: Sequence[str]) -> bool:
    return any(fnmatch.fnmatch(name, glob) or fnmatch.fnmatch(below, glob) for glob in globs)


class DirectoryEntry(NamedTuple):
    """A file as it is now; in strings and numbers, since most of many thousands are unchanged."""

    path: str
    size: int
    mtime_ns: int
    sidecar_mtime_ns: int

    def found(self) -> ScannedFile:
        """Return the file in the form that is passed on for reading."""
        return ScannedFile(Path(self.path), *self[1:])


def scan(roots: Iterable[Path], rules: Rules | None = None) -> Iterator[ScannedFile | Problem]:
    """Yield every picture file under `roots` in the form for reading, and unreadable places as problems."""
    return (entry.found() if isinstance(entry, DirectoryEntry) else entry for entry in scan_entries(roots, rules))


def scan_entries(roots: Iterable[Path], rules: Rules | None = None) -> Iterator[DirectoryEntry | Problem]:
    """Yield every picture file under `roots`, each once, in a stable order; unreadable places are yielded as problems.

    A root may be a single file, which is taken whatever the rules say. A RAW file or the video of a live photo beside a
    processed picture of the same name is part of that picture, not a second one.

    Raises:
        SourceError: a root does not exist.
    """
    seen: set[tuple[int, int]] = set()
    for root in roots:
        root = absolute_path(root)
        if root.is_dir():
            yield from _walk(str(root), "", rules or Rules(), seen)
        elif root.exists():
            yield _look(str(root))
        else:
            raise SourceError(f"{_show(root)} does not exist; give a folder of pictures or a picture file")


def _walk(folder: str, above: str, rules: Rules, seen: set[tuple[int, int]]) -> Iterator[DirectoryEntry | Problem]:
    """Yield the picture files of a folder whose path below the root is `above`."""
    try:
        status = os.stat(folder)  # noqa: PTH116  # strings, for speed; the same below
        if (status.st_dev, status.st_ino) in seen:  # a loop of symbolic links, or the same folder twice
            return
        seen.add((status.st_dev, status.st_ino))
        entries = sorted(os.scandir(folder), key=lambda entry: os.fsencode(entry.name))
    except OSError as exc:
        yield Problem(Path(folder), Reason.UNREADABLE, f"cannot list the folder: {exc.strerror}")
        return
    names = {entry.name for entry in entries}
    stems = {stem.lower() for stem, end in map(_parts, names) if end in PROCESSED}
    for entry in entries:
        below = above + entry.name
        if entry.is_dir():
            if rules.enters(entry.name, below):
                yield from _walk(entry.path, f"{below}/", rules, seen)
        elif rules.takes(entry.name, below):
            stem, end = _parts(entry.name)
            if end in BESIDE and stem.lower() in stems:
                continue
            yield _look(entry.path, names)


def _parts(name: str) -> tuple[str, str]:
    """Return the file name without its suffix, and the suffix in lower case."""
    stem, end = os.path.splitext(name)  # noqa: PTH122
    return stem, end.lower()


def companions(path: Path) -> list[Path]:
    """Return the files that belong to a picture: its sidecars, its RAW file, the video of a live photo."""
    same = (path.with_suffix(end) for each in BESIDE for end in (each, each.upper()))
    beside = [*sidecars(path), *(same if path.suffix.lower() in PROCESSED else ())]
    return [each for each in dict.fromkeys(beside) if each.is_file()]


def stands_for(path: Path) -> Path | None:
    """Return the processed picture that is indexed in place of a RAW file or live photo video, or None."""
    if path.suffix.lower() not in BESIDE:
        return None
    same = (each for each in path.parent.iterdir() if each.stem.lower() == path.stem.lower())
    return next((each for each in same if each.suffix.lower() in PROCESSED), None)


def _look(path: str, names: set[str] | None = None) -> DirectoryEntry | Problem:
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError as exc:
        reason = Reason.VANISHED if isinstance(exc, FileNotFoundError) else Reason.UNREADABLE
        return Problem(Path(path), reason, f"cannot look at the file: {exc.strerror}")
    return DirectoryEntry(path, status.st_size, status.st_mtime_ns, _sidecar_time(path, names))


def sidecars(path: Path) -> tuple[Path, ...]:
    """Return where the sidecars of a picture may be: `a.jpg.xmp` and `a.xmp`, and the same for `.txt`."""
    return tuple(place for end in SIDECARS for place in (path.with_name(path.name + end), path.with_suffix(end)))


def _sidecar_time(path: str, names: set[str] | None) -> int:
    """Return the time (ns) of the newest sidecar, or 0; `names` are all names in the folder, if known."""
    if names is not None:
        name = os.path.basename(path)  # noqa: PTH119
        stem = _parts(name)[0]
        if not any((name + end in names or stem + end in names) for end in SIDECARS):
            return 0
    newest = 0
    for place in sidecars(Path(path)):
        try:
            newest = max(newest, place.stat().st_mtime_ns)
        except OSError:
            continue
    return newest


def _show(path: Path) -> str:
    return os.fsencode(path).decode("utf-8", "backslashreplace")
