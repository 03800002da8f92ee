"""The `retrieval status` command."""

from __future__ import annotations

import click

from ..config import Settings
from ..library.library import Library
from ..types.records import Status
from ..types.serialize import show_path
from .options import INDEX, json_option, settings_options
from .output import endings, note, plural, print_json, print_rows, size


@click.command(name="status")
@settings_options(INDEX)
@click.option("--problems", is_flag=True, help="List the files that could not be used, with their reasons.")
@json_option
def command(settings: Settings, problems: bool, as_json: bool) -> None:
    """Show what the library holds: pictures, texts, models, problems.

    \b
    Examples:
      retrieval status
      retrieval status --problems
    """
    with Library.open(None, settings) as library:
        if problems:
            unusable = library.problems()
            if as_json:
                print_json({"problems": unusable})
            else:
                rows = [(show_path(each.path), each.reason, each.message) for each in unusable]
                print_rows(("path", "reason", "message"), rows)
                note(plural(len(unusable), "problem"))
            return
        status = library.status()
        print_json(status) if as_json else _show(status)


def _show(status: Status) -> None:
    serving = status.serving
    rows = {
        "library": f"{show_path(status.path)} ({size(status.bytes)})",
        "pictures": f"{status.items} files, {status.pictures} different pictures",
        "texts": f"{status.texts}, used {status.captions} times as captions",
        "model": f"{serving.model}, {serving.dimensions} dimensions" if serving else "none yet",
        "folders": ", ".join(show_path(root) for root in status.roots) or "none",
        "problems": f"{status.problems}" + (" (--problems lists them)" if status.problems else ""),
    }
    if status.absent:
        rows["not there"] = f"{status.absent} files, kept until they are back (`retrieval index` looks for them)"
    if status.passed_over:
        rows["passed over"] = f"{endings(status.passed_over)} (not files with pictures that are read)"
    waiting = [space.model for space in status.spaces if space != serving]
    if waiting:
        rows["other models"] = ", ".join(waiting)
    if status.writer:
        rows["writing now"] = status.writer
    for name, value in rows.items():
        click.echo(f"{name:>12}  {value}")
