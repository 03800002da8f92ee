"""The `retrieval index` command."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from ..config import Settings
from ..errors import RetrievalError, SourceError, UsageError
from ..library import backends
from ..library.library import Library, plan
from ..library.services import IndexOptions
from ..sources import absolute_path
from ..sources.folders import is_missing
from ..sources.lists import read_paths
from ..sources.rules import Rules
from ..types.records import Reason
from ..types.results import Plan, Report
from ..types.serialize import show_path, to_jsonable
from .ocr_command import show_transcribed
from .options import (
    BATCH_SIZE,
    DEVICE,
    INDEX,
    MODEL,
    PATH,
    PRECISION,
    RULES,
    WORKERS,
    json_option,
    option_group,
    settings_options,
)
from .output import endings, note, note_problems, plural, print_json, rate, stopped
from .progress import progress

OF_ROWS = (Reason.BAD_ROW, Reason.MISSING_PICTURE)  # problems of rows of caption files, which are not kept
SHOWN = 5  # problems listed at the end of a run


@dataclass(frozen=True)
class SourceOptions:
    """What to index."""

    folders: tuple[Path, ...]
    captions: tuple[Path, ...]
    images: Path | None
    stdin: bool

    def places(self, known: Callable[[Path], bool], roots: Callable[[], Sequence[Path]]) -> list[Path]:
        """Return the folders and files to index; missing paths from standard input are left out, with a note.

        `known` says whether a folder or file was indexed before: one of these may be missing, as when a drive is not
        mounted. If nothing is named, the folders of the library are, which `roots` returns.

        Raises:
            UsageError: nothing was named.
            SourceError: a folder or file that was named does not exist.
        """
        named = [folder.expanduser() for folder in self.folders]
        for place in named:
            if is_missing(place) and not known(absolute_path(place)):
                raise SourceError(f"{show_path(place)} does not exist; give a folder of pictures or a picture file")
        listed = read_paths(sys.stdin.buffer) if self.stdin else []
        for place in [place for place in listed if not place.exists()]:
            note(f"not there, left out: {show_path(place)}")
            listed.remove(place)
        if not named and not self.captions and not self.stdin:
            named = list(roots())
        if not named and not listed and not self.captions:
            raise UsageError("name at least one folder of pictures (or --captions FILE, or --stdin)")
        return named + listed

    def tables(self) -> list[Path | tuple[Path, Path]]:
        """Return the caption files, each with the folder of its pictures if one was given."""
        return [(table, self.images) if self.images else table for table in self.captions]


@dataclass(frozen=True)
class RunOptions:
    """How to index it."""

    retry: bool
    reread: bool
    forget_missing: bool
    ocr: bool
    dry_run: bool

    def with_rules(self, rules: Rules) -> IndexOptions:
        """Return the options of the indexing run itself."""
        return {
            "rules": rules,
            "retry": self.retry,
            "reread": self.reread,
            "forget_missing": self.forget_missing,
        }


@click.command(name="index")
@option_group(
    "given",
    SourceOptions,
    click.argument("folders", nargs=-1, type=PATH),
    click.option("--captions", multiple=True, type=PATH, help="A caption file: CSV, JSONL or COCO JSON."),
    click.option("--images", type=PATH, help="The folder that the caption files' picture names are relative to."),
    click.option("--stdin", is_flag=True, help="Read paths from standard input, one a line or ended by NUL."),
)
@option_group("rules", Rules, *RULES)
@option_group(
    "how",
    RunOptions,
    click.option("--retry", is_flag=True, help="Try files again that failed before."),
    click.option("--reread", is_flag=True, help="Read the metadata of all files anew, without encoding them."),
    click.option(
        "--forget-missing",
        is_flag=True,
        help="Forget files that are not there, except those with your captions, ratings or lessons.",
    ),
    click.option("--ocr", is_flag=True, help="Then read the text in pictures, too; see `retrieval ocr`."),
    click.option("--dry-run", is_flag=True, help="Show what would happen; change nothing."),
)
@settings_options(INDEX, MODEL, DEVICE, PRECISION, BATCH_SIZE, WORKERS)
@json_option
def command(given: SourceOptions, rules: Rules, how: RunOptions, settings: Settings, as_json: bool) -> None:
    """Index FOLDERS of pictures (or single files) and caption files.

    Without FOLDERS, all folders of the library are brought up to date.
    Only new and changed files are read; moved files and copies cost nothing. Files that are not there any more leave
    the answers, but are not forgotten: they come back with their drive, captions and all. A file that cannot be used
    is reported with its reason (`retrieval status --problems`) and tried again when it changes. Patterns are those
    of git's .gitignore: `thumbs`, `*.mp4`, `2019/**`.
    Ctrl-C is safe at any moment: the next run goes on where this one stopped.

    \b
    Examples:
      retrieval index ~/Pictures
      retrieval index
      retrieval index photos --captions captions.csv --images photos
      retrieval index ~/Pictures --exclude screenshots --dry-run
      find . -name '*.jpg' -print0 | retrieval index --stdin
      retrieval index ~/Pictures --model ViT-B-32/openai
    """
    places = given.places(lambda place: _is_indexed(place, settings), lambda: _roots(settings))
    note(f"library: {show_path(backends.library_path(None, settings))}")
    if how.dry_run:
        found = plan(places, settings, **how.with_rules(rules))
        print_json(_as_json(found)) if as_json else _show_plan(found)
        return
    with Library.create(None, settings) as library:
        with progress(quiet=as_json) as show:
            report = library.index(places, given.tables(), progress=show, **how.with_rules(rules))
            texts = library.read_texts(places, progress=show) if how.ocr and not report.interrupted else None
        if as_json:
            print_json(to_jsonable(report) | ({"ocr": to_jsonable(texts)} if texts else {}))
        else:
            show_report(report)
        if texts and not as_json:
            show_transcribed(texts)
        if library.model != report.model:
            note(f"{library.model} still answers queries: {report.model} has not encoded all pictures yet")
    if report.interrupted or (texts and texts.interrupted):
        stopped()


def _roots(settings: Settings) -> list[Path]:
    try:
        with Library.open(None, settings, read_only=True) as library:
            return list(library.status().roots)
    except RetrievalError:  # as below
        return []


def _is_indexed(place: Path, settings: Settings) -> bool:
    try:
        with Library.open(None, settings, read_only=True) as library:
            return place in library.status().roots or library.items.has(place)
    except RetrievalError:  # there is no library yet, or it says what is wrong when it is opened below
        return False


def _as_json(plan: Plan) -> dict[str, object]:
    """Return a plan with the numbers that a report has, under the same names, and the files that they count."""
    files = {
        "added": plan.added,
        "changed": plan.changed,
        "retried": plan.retried,
        "unembedded": plan.unembedded,
        "reread": plan.reread,
        "returned": plan.returned,
        "standby": plan.standby,
    }
    paths = {name: [file.path for file in some] for name, some in files.items()} | {"absent": list(plan.gone)}
    return {
        "dry_run": True,
        **{name: len(some) for name, some in paths.items()},
        "unchanged": plan.unchanged,
        "failed_before": plan.failed_before,
        "files": paths,
        "absent_roots": plan.gone_roots,
        "problems": plan.problems,
        "notes": plan.notes,
    }


def _show_plan(plan: Plan) -> None:
    rows = {
        "new": len(plan.added),
        "changed": len(plan.changed),
        "to try again": len(plan.retried),
        "not known to this model": len(plan.unembedded),
        "unchanged": plan.unchanged,
        "failed before": plan.failed_before,
        "to read metadata of": len(plan.reread),
        "there again": len(plan.returned),
        "not there any more": len(plan.gone),
        "problems": len(plan.problems),
    }
    for name, count in rows.items():
        if count:
            click.echo(f"{count:>8}  {name}")
    click.echo("nothing was changed (--dry-run)" if any(rows.values()) else "no pictures found")


def show_report(report: Report) -> None:
    """Print what an indexing run did."""
    parts = {
        "new": report.added,
        "changed": report.changed,
        "moved": report.moved,
        "copy" if report.duplicates == 1 else "copies": report.duplicates,
        "metadata read anew": report.reread,
        "there again": report.returned,
        "not there any more": report.absent,
        "forgotten": report.removed,
        "unchanged": report.unchanged,
        "captions": report.captions,
    }
    said = ", ".join(f"{count} {name}" for name, count in parts.items() if count) or "no pictures found"
    speed = rate(report.encoded, report.seconds)
    encoded = f"{plural(report.encoded, 'picture')} encoded in {report.seconds:.1f} s"
    click.echo(f"{said}; {encoded}{f' ({speed})' if speed else ''}")
    note_problems(report.problems[:SHOWN])
    rows = {reason: count for reason, count in report.reasons.items() if reason in OF_ROWS}
    files = {reason: count for reason, count in report.reasons.items() if reason not in OF_ROWS}
    listed = "; `retrieval status --problems` lists them"
    for said, reasons, more in (
        ("could not be used", files, listed),
        ("are used, but not whole", report.remarks, listed),
        ("rows of caption files could not be used", rows, "; picture names are relative to the file, or to --images"),
    ):
        if reasons:
            counts = ", ".join(f"{count} {reason}" for reason, count in reasons.items())
            note(f"{sum(reasons.values())} {said} ({counts}){more}")
    if report.absent:
        note("what is not there any more is kept, with its captions; `retrieval remove` or --forget-missing forgets it")
    if report.passed_over:
        note(f"passed over {endings(report.passed_over)}: not files with pictures that are read")
    for line in report.notes:
        note(f"note: {line}")
    if report.failed_before:
        note(f"{report.failed_before} failed before and have not changed; --retry tries them again")
