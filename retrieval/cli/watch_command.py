"""The `retrieval watch` command."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import click

from ..config import Settings
from ..errors import LibraryLocked, SourceError, UsageError
from ..library.library import Library
from ..sources.rules import Rules
from ..types.results import Report
from ..types.serialize import show_path, to_jsonable
from .options import (
    BATCH_SIZE,
    DEVICE,
    INDEX,
    MODEL,
    PATH,
    PRECISION,
    RULES,
    WORKERS,
    Duration,
    json_option,
    option_group,
    settings_options,
)
from .output import note, note_problems

WAIT = 2.0  # seconds between tries while another process writes


@click.command(name="watch")
@click.argument("folders", nargs=-1, type=PATH)
@option_group("rules", Rules, *RULES)
@click.option("--poll", type=Duration(), help="Check at this interval, for network drives that do not report changes.")
@settings_options(INDEX, MODEL, DEVICE, PRECISION, BATCH_SIZE, WORKERS)
@json_option
def command(folders: tuple[Path, ...], rules: Rules, poll: float | None, settings: Settings, as_json: bool) -> None:
    """Index FOLDERS, then whatever changes in them, until Ctrl-C. New photos are found within seconds.

    A burst of files, or one that is still being copied, is indexed when it has come to rest; what is moved is not
    encoded again. A drive that goes away keeps its pictures in the library, and is read when it is back.

    \b
    Examples:
      retrieval watch ~/Pictures
      retrieval watch /mnt/nas/photos --poll 30s
    """
    from ..indexing.watcher import Watcher

    if not folders:
        raise UsageError("name at least one folder to watch")
    places = [folder.expanduser() for folder in folders]
    for place in places:
        if not place.is_dir():
            raise SourceError(f"{show_path(place)} is not a folder; give one to watch")
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with Library.create(None, settings) as library:
        note(f"library: {show_path(library.path)}")
        note(f"watching {', '.join(map(show_path, places))}; Ctrl-C ends it")

        def update(changed: Sequence[Path]) -> None:
            _show(_indexed(library, changed, rules, stop), as_json)

        try:
            Watcher(places, update, note, library.path.absolute(), poll).run(stop)
        except KeyboardInterrupt:
            stop.set()
    note("stopped; what was done is kept")


def _indexed(library: Library, places: Sequence[Path], rules: Rules, stop: threading.Event) -> Report:
    """Index these folders, waiting while another process writes; return the report."""
    reported = False
    while True:
        try:
            report = library.index(places, rules=rules)
        except LibraryLocked as exc:
            if not reported:
                note(f"{exc} (trying again until then)")
            reported = True
            if stop.wait(WAIT):
                return Report(interrupted=True)
        else:
            if report.interrupted:
                raise KeyboardInterrupt
            return report


def _show(report: Report, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(to_jsonable(report), ensure_ascii=False))
        return
    counts = {"new": report.added, "changed": report.changed, "moved": report.moved, "copies": report.duplicates}
    counts |= {"not there any more": report.absent, "there again": report.returned, "forgotten": report.removed}
    said = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    if said:
        click.echo(f"{time.strftime('%H:%M:%S')}  {said}; {report.encoded} encoded in {report.seconds:.1f} s")
    note_problems(report.problems)
