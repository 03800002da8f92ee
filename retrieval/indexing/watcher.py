"""Folders that are watched: whatever changes in them is indexed as soon as it has come to rest.

Events only say where to look; what is done is an ordinary indexing run, so nothing depends on catching every event.
Knows the file system's events (watchdog); does not know the library.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver
from watchdog.observers.polling import PollingObserver

from ..errors import SourceError
from ..sources import placed

QUIET = 1.0  # seconds without a change after which a burst, or the copying of a file, is over
LONGEST = 15.0  # seconds after which it is indexed all the same
RESCAN = 900.0  # seconds after which everything is looked at, should an event have been missed
HARMLESS = frozenset({"opened", "closed_no_write"})  # events that change nothing


@dataclass
class Watcher:
    """Watches folders. `update` indexes places; `tell` is given lines for people."""

    folders: Sequence[Path]
    update: Callable[[Sequence[Path]], object]
    tell: Callable[[str], None]
    own: Path  # the library's folder, in which it is itself that changes things
    poll: float | None = None  # seconds between looks, where the system does not tell of changes; none: it does
    quiet: float = QUIET
    rescan: float = RESCAN
    _changes: queue.Queue[Path] = field(default_factory=queue.Queue)
    _seen: dict[Path, tuple[int, int] | None] = field(default_factory=dict)  # what a folder was when it was last there

    def run(self, stop: threading.Event) -> None:
        """Index everything, then whatever changes, until told to stop."""
        self.folders = [placed(folder) for folder in self.folders]
        observer = self._observer()
        observer.start()
        try:
            self._attach(observer)  # before the first run: what changes meanwhile is not missed
            self.update(self._there())
            looked = time.monotonic()
            while not stop.is_set():
                back = self._attach(observer)
                changes = self._burst(stop) if not back else []
                if time.monotonic() - looked > self.rescan:
                    back, looked = self._there(), time.monotonic()
                places = back or self._places(changes)
                if places and not stop.is_set():
                    self.update(places)
        finally:
            observer.stop()
            observer.join()

    def _observer(self) -> BaseObserver:
        return Observer() if self.poll is None else PollingObserver(timeout=self.poll)

    def _there(self) -> list[Path]:
        return [folder for folder in self.folders if folder.is_dir()]

    def _attach(self, observer: BaseObserver) -> list[Path]:
        """Watch folders that have come, or come back; those, to be indexed, but for the first time."""
        came: list[Path] = []
        for folder in self.folders:
            now = _identity(folder)
            if folder in self._seen and self._seen[folder] == now:
                continue
            if now is None:
                self.tell(f"{folder} is not there; what the library knows of it is kept until it is back")
            else:
                self._watch(observer, folder)
                came += [folder] if folder in self._seen else []
            self._seen[folder] = now
        return came

    def _watch(self, observer: BaseObserver, folder: Path) -> None:
        for watch in [watch for watch in observer.emitters if Path(watch.watch.path) == folder.resolve()]:
            observer.unschedule(watch.watch)
        try:
            handler = _Handler(folder, self.own.resolve(), self._changes)
            observer.schedule(handler, str(folder.resolve()), recursive=True)  # a link itself tells of nothing
        except OSError as exc:
            raise SourceError(
                f"cannot watch {folder}: {exc.strerror}; --poll 30s needs no help of the system, or let it watch more "
                "(on Linux fs.inotify.max_user_watches and max_user_instances)"
            ) from exc

    def _burst(self, stop: threading.Event) -> list[Path]:
        """Changes that belong together: until nothing has changed for a while, or for as long as one waits."""
        found: list[Path] = []
        started = time.monotonic()
        while not stop.is_set():
            try:
                found.append(self._changes.get(timeout=self.quiet))
            except queue.Empty:
                return found
            if len(found) == 1:
                started = time.monotonic()
            if time.monotonic() - started > LONGEST:
                return found
        return found

    def _places(self, changed: Sequence[Path]) -> list[Path]:
        """The watched folders in which something has changed; their rules hold from there on."""
        return [folder for folder in self._there() if folder in changed]


@dataclass(eq=False)  # watchdog keeps handlers in sets
class _Handler(FileSystemEventHandler):
    """Puts a watched folder into a queue whenever something in it changes, but for the library's own files."""

    folder: Path
    own: Path
    changes: queue.Queue[Path]

    def dispatch(self, event: FileSystemEvent) -> None:
        """Called by watchdog on its own thread."""
        paths = [Path(os.fsdecode(path)) for path in (event.src_path, event.dest_path) if path]
        if event.event_type not in HARMLESS and not all(path.is_relative_to(self.own) for path in paths):
            self.changes.put(self.folder)


def _identity(folder: Path) -> tuple[int, int] | None:
    """What tells a folder from another one in the same place, such as the one under a drive that is not mounted."""
    try:
        status = folder.stat()
    except OSError:
        return None
    return (status.st_dev, status.st_ino) if folder.is_dir() else None
