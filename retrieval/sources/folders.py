"""Finds picture files in folders: recursively, by rules, without system folders; what cannot be read is reported.

Does not open pictures. Each folder is listed on a thread that is given up when the drive stops answering.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

from ..errors import SourceError
from ..runtime.daemon_pool import DaemonPool, Stalled, alive, in_time
from ..types.records import Problem, Reason, ScannedFile
from . import absolute_path
from .companions import Companions, IndexedPictures
from .links import Homes
from .rules import EXTENSIONS, RootRules, Rules, ending

SECONDS = 60.0  # without a sign of life, after which a folder is given up
BEAT = 64  # entries between two signs of life
PACKET, SYNC = 188, 0x47  # MPEG transport streams: each packet's length in bytes, and its first byte
KINDS = {stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket", stat.S_IFBLK: "a device", stat.S_IFCHR: "a device"}

GONE = "it is not there now; what the library has of it is kept, and comes back with it"

T = TypeVar("T")


class DirectoryEntry(NamedTuple):
    """A file as it is now; in strings and numbers, since most of many thousands are unchanged."""

    path: str
    size: int
    mtime_ns: int
    ctime_ns: int
    sidecar_digest: str
    sidecars: tuple[str, ...]  # names in the same folder
    part_of: str = ""  # name of the picture in the same folder that a RAW file or film may be part of

    def found(self) -> ScannedFile:
        """Return the file in the form that is passed on for reading."""
        path = Path(self.path)
        beside = tuple(path.with_name(name) for name in self.sidecars)
        whole = path.with_name(self.part_of) if self.part_of else None
        return ScannedFile(path, *self[1:5], beside, whole)


def scan(roots: Sequence[Path], rules: Rules | None = None) -> Iterator[ScannedFile | Problem]:
    """Yield every picture file under `roots` in the form for reading, and unreadable places as problems."""
    entries = Scan(roots, rules or Rules()).entries()
    return (entry.found() if isinstance(entry, DirectoryEntry) else entry for entry in entries)


def is_missing(path: Path, seconds: float = SECONDS) -> bool:
    """Return whether there is nothing at a path; one whose drive does not answer in time may be there."""
    try:
        return not in_time(partial(os.path.lexists, path), seconds)
    except Stalled:
        return False


@dataclass
class Scan:
    """One walk through `roots`; the counts are complete when `entries` is exhausted."""

    roots: Sequence[Path]
    rules: Rules = field(default_factory=Rules)
    seconds: float = SECONDS
    known: Sequence[Path] = ()  # folders that were indexed: one that is gone is a problem, and no error
    passed_over: dict[Path, Counter[str]] = field(default_factory=dict)  # of each root: files by unused ending
    unused: set[tuple[str, str]] = field(default_factory=set)  # options and patterns that fitted nothing
    led_out: list[str] = field(default_factory=list)  # links to pictures or folders outside of all roots: not followed
    _seen: set[tuple[int, int]] = field(default_factory=set)
    _names: dict[str, Companions] = field(default_factory=dict)  # of folders in which single files were named

    def entries(self) -> Iterator[DirectoryEntry | Problem]:
        """Yield every picture file under the roots, each once, in a stable order, and unreadable places as problems.

        A root may be a single file, which is taken whatever the rules say.

        Raises:
            SourceError: a root does not exist, and is not among the known ones.
            UsageError: a pattern is none.
        """
        self._pool = DaemonPool(1, self.seconds, "scan")
        self._homes = Homes([*self.roots, *self.known])
        used: set[tuple[str, str]] = set()
        try:
            for root in map(absolute_path, self.roots):
                kind = self._patiently(partial(_kind, root), root)
                if isinstance(kind, Problem):
                    yield kind
                elif kind == "folder":
                    rules = self.rules.at(str(root))
                    yield from self._walk(root, rules)
                    used |= self.rules.patterns - rules.unused
                elif kind == "file":
                    entry = self._patiently(partial(self._single, root), root)
                    yield entry
                elif root in self.known:
                    yield Problem(root, Reason.VANISHED, GONE)
                else:
                    raise SourceError(f"{_show(root)} does not exist; give a folder of pictures or a picture file")
        finally:
            self._pool.close()
        self.unused = self.rules.patterns - used if self.passed_over else set()

    def _walk(self, root: Path, rules: RootRules) -> Iterator[DirectoryEntry | Problem]:
        """Yield the picture files below a root; folders that wait are kept here, so no depth is too deep."""
        counts = self.passed_over.setdefault(root, Counter())
        waiting: list[Iterator[_Folder | DirectoryEntry | Problem]] = [iter([_Folder(str(root), "")])]
        while waiting:
            found = next(waiting[-1], None)
            if found is None:
                waiting.pop()
            elif isinstance(found, _Folder):
                listing = self._patiently(partial(_list, found, rules, self._seen, self._homes), Path(found.path))
                if isinstance(listing, Problem):
                    yield listing
                else:
                    counts.update(listing.passed_over)
                    self.led_out += listing.led_out
                    waiting.append(iter(listing.found))
            else:
                yield found

    def _patiently(self, work: Callable[[], T], place: Path) -> T | Problem:
        try:
            return self._pool.result(self._pool.submit(work))
        except Stalled:
            return Problem(place, Reason.UNREADABLE, f"its drive has not answered for {self.seconds:.0f} s")
        except OSError as exc:
            return Problem(place, Reason.UNREADABLE, f"cannot list the folder: {exc.strerror}")

    def _single(self, path: Path) -> DirectoryEntry | Problem:
        folder = str(path.parent)
        if folder not in self._names:
            try:
                home = Homes([path.parent])
                names = os.listdir(folder)  # noqa: PTH208
                self._names[folder] = Companions([name for name in names if not home.leads_out(f"{folder}/{name}")])
            except OSError:  # a folder that may be entered, but not listed
                self._names[folder] = Companions(())
        return _look(str(path), self._names[folder])


class _Folder(NamedTuple):
    path: str
    below: str  # the path below the root, empty or ending in "/"


@dataclass
class _Listing:
    found: list[_Folder | DirectoryEntry | Problem] = field(default_factory=list)
    passed_over: Counter[str] = field(default_factory=Counter)
    led_out: list[str] = field(default_factory=list)


def _kind(path: Path) -> str:
    """Return whether a path is a folder or a file, or an empty text if it does not exist."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError, ValueError):  # a name with NUL is none
        return ""
    except OSError:
        return "file"  # it is there; `_look` says what is wrong with it
    return "folder" if stat.S_ISDIR(mode) else "file"


def _list(folder: _Folder, rules: RootRules, seen: set[tuple[int, int]], homes: Homes) -> _Listing:
    """Return what is in a folder: the folders to enter, the files to index, and what cannot be read.

    Raises:
        OSError: it cannot be listed.
    """
    listing = _Listing()
    status = os.stat(folder.path)  # noqa: PTH116  # strings, for speed; the same below
    if (status.st_dev, status.st_ino) in seen:  # a loop of symbolic links, or the same folder twice
        return listing
    seen.add((status.st_dev, status.st_ino))
    with os.scandir(folder.path) as entries:
        ordered = sorted(entries, key=lambda entry: os.fsencode(entry.name))
    outside = {entry.name for entry in ordered if entry.is_symlink() and homes.leads_out(entry.path)}
    companions = Companions([entry.name for entry in ordered if entry.name not in outside])
    places: list[_Folder | os.DirEntry[str] | Problem] = []  # in order; files that are taken are looked at below
    rest: list[str] = []
    for number, entry in enumerate(ordered):
        if number % BEAT == 0:
            alive()
        name = entry.name
        try:
            is_folder = entry.is_dir()
        except OSError as exc:  # a link that leads in a circle, or to where one may not look
            if not rules.skips(name):
                places.append(Problem(Path(entry.path), Reason.UNREADABLE, f"cannot look at it: {exc.strerror}"))
            continue
        if name in outside:
            wanted = rules.enters if is_folder else rules.takes
            listing.led_out += [entry.path] if wanted(name, folder.below + name) else []
        elif is_folder:
            if rules.enters(name, folder.below + name):
                places.append(_Folder(entry.path, f"{folder.below}{name}/"))
        elif rules.takes(name, folder.below + name):
            places.append(entry)
        elif not rules.skips(name) and not (entry.is_symlink() and not os.path.exists(entry.path)):  # noqa: PTH110
            rest.append(name)
    pictures = IndexedPictures([place.name for place in places if isinstance(place, os.DirEntry)])
    used: set[str] = set()
    for number, place in enumerate(places):
        if number % BEAT == 0:
            alive()
        if not isinstance(place, os.DirEntry):
            listing.found.append(place)
        elif place.name.endswith((".ts", ".TS")) and not _is_transport_stream(place.path):
            listing.passed_over[".ts"] += 1
        else:
            looked = _look(place.path, companions, pictures.part_of(place.name))
            if isinstance(looked, DirectoryEntry) and looked.sidecars:
                used.update(looked.sidecars)
            listing.found.append(looked)
    listing.passed_over.update(ending(name) for name in rest if name not in used and ending(name) not in EXTENSIONS)
    return listing


def _is_transport_stream(path: str) -> bool:
    """Whether a `.ts` file holds video, and not the source code of a program."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:  # noqa: PTH123  # a pipe must not block
            head = file.read(PACKET + 1) or b""
    except OSError:
        return True  # it is reported when it is read
    return len(head) > PACKET and head[0] == head[PACKET] == SYNC


def _look(path: str, companions: Companions, part_of: str = "") -> DirectoryEntry | Problem:
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError as exc:
        reason = Reason.VANISHED if isinstance(exc, FileNotFoundError) else Reason.UNREADABLE
        return Problem(Path(path), reason, f"cannot look at the file: {exc.strerror}")
    if not stat.S_ISREG(status.st_mode):
        kind = KINDS.get(stat.S_IFMT(status.st_mode), "something else")
        return Problem(Path(path), Reason.UNSUPPORTED, f"it is {kind}, not a file with a picture")
    folder, name = os.path.split(path)
    sidecars = companions.sidecars(name)
    digest = _digest(folder, sidecars) if sidecars else ""
    return DirectoryEntry(path, status.st_size, status.st_mtime_ns, status.st_ctime_ns, digest, sidecars, part_of)


def sidecar_digest(path: Path) -> str:
    """Return what changes whenever a sidecar of a picture changes, comes or goes; empty if there is none.

    Raises:
        OSError: the folder cannot be listed.
    """
    names = Companions(os.listdir(path.parent)).sidecars(path.name)  # noqa: PTH208
    return _digest(str(path.parent), names) if names else ""


def _digest(folder: str, names: Iterable[str]) -> str:
    """Return a digest of names, sizes and times: the change time (ctime) tells of edits that keep the file's time."""
    stamp = hashlib.blake2b(digest_size=8)
    for name in names:
        try:
            status = os.stat(f"{folder}/{name}")  # noqa: PTH116
            state = f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"
        except OSError as exc:
            state = str(exc.errno)
        stamp.update(os.fsencode(name) + b"\0" + state.encode())
    return stamp.hexdigest()


def _show(path: Path) -> str:
    return os.fsencode(path).decode("utf-8", "backslashreplace")
