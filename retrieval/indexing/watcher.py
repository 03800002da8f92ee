"""Watches folders and indexes what changes in them as soon as the changes have settled.

Events only say where to look; the work is an ordinary indexing run, so a missed event does no harm. Knows file system
events (watchdog); does not know the library.
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
from ..sources import absolute_path

QUIET = 1.0  # seconds without a change after which a burst of changes, or a copy, is over
LONGEST = 15.0  # seconds after which changes are indexed even if they go on
RESCAN = 900.0  # seconds after which everything is scanned, in case an event was missed
HARMLESS = frozenset({"opened", "closed_no_write"})  # events that change nothing


@dataclass
class Watcher:
    """Watches folders. `update` indexes the given places; `tell` receives lines for people."""

    folders: Sequence[Path]
    update: Callable[[Sequence[Path]], object]
    tell: Callable[[str], None]
    own: Path  # the library's folder, whose changes are ignored
    poll: float | None = None  # seconds between polls; None: use the events of the system
    quiet: float = QUIET
    rescan: float = RESCAN
    _changes: queue.Queue[Path] = field(default_factory=queue.Queue)
    _seen: dict[Path, tuple[int, int] | None] = field(default_factory=dict)  # each folder's identity when last checked

    def run(self, stop: threading.Event) -> None:
        """Index everything, then whatever changes, until `stop` is set.

        Raises:
            SourceError: a folder cannot be watched.
        """
        self.folders = [absolute_path(folder) for folder in self.folders]
        observer = self._observer()
        observer.start()
        try:
            self._attach(observer)  # before the first run, so that changes during it are not missed
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
        """Watch folders that are new or were replaced; return those seen before, which must be indexed again."""
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
            observer.schedule(handler, str(folder.resolve()), recursive=True)  # a symbolic link itself has no events
        except OSError as exc:
            raise SourceError(
                f"cannot watch {folder}: {exc.strerror}; use --poll 30s, or raise the system's limits "
                "(on Linux, fs.inotify.max_user_watches and max_user_instances)"
            ) from exc

    def _burst(self, stop: threading.Event) -> list[Path]:
        """Return changes that belong together: those before a pause of `quiet` seconds, or for at most `LONGEST`."""
        paths: list[Path] = []
        started = time.monotonic()
        while not stop.is_set():
            try:
                paths.append(self._changes.get(timeout=self.quiet))
            except queue.Empty:
                return paths
            if len(paths) == 1:
                started = time.monotonic()
            if time.monotonic() - started > LONGEST:
                return paths
        return paths

    def _places(self, changed: Sequence[Path]) -> list[Path]:
        """Return the watched folders that have changed; they are indexed as a whole, by their own rules."""
        return [folder for folder in self._there() if folder in changed]


@dataclass(eq=False)  # watchdog keeps handlers in sets
class _Handler(FileSystemEventHandler):
    """Queues a watched folder whenever something in it changes, except the library's own files."""

    folder: Path
    own: Path
    changes: queue.Queue[Path]

    def dispatch(self, event: FileSystemEvent) -> None:
        """Queue the folder of an event; watchdog calls this on its own thread."""
        paths = [Path(os.fsdecode(path)) for path in (event.src_path, event.dest_path) if path]
        if event.event_type not in HARMLESS and not all(path.is_relative_to(self.own) for path in paths):
            self.changes.put(self.folder)


def _identity(folder: Path) -> tuple[int, int] | None:
    """Return what tells a folder from another one at its path (such as an empty mount point); None if it is gone."""
    try:
        status = folder.stat()
    except OSError:
        return None
    return (status.st_dev, status.st_ino) if folder.is_dir() else None
