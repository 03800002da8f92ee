"""The `retrieval ocr` command."""

from __future__ import annotations

from pathlib import Path

import click

from ..config import Settings
from ..errors import UsageError
from ..library.library import Library
from ..types.results import OcrReport
from ..types.serialize import show_path
from .options import INDEX, PATH, json_option, settings_options
from .output import note, note_problems, print_json, stopped
from .progress import progress


@click.command(name="ocr")
@click.argument("places", nargs=-1, type=PATH)
@click.option("--all", "everything", is_flag=True, help="Every picture of the library.")
@settings_options(INDEX)
@json_option
def command(places: tuple[Path, ...], everything: bool, settings: Settings, as_json: bool) -> None:
    """Read the text in the pictures in PLACES (folders or files of the library), once for each picture.

    What was read is found by search from then on; text:WORDS looks there alone. Ctrl-C is safe at any moment: the next
    run goes on where this one stopped.

    \b
    Examples:
      retrieval ocr --all
      retrieval ocr ~/Pictures/receipts
      retrieval search 'text:"invoice" plumber'
    """
    named = [place.expanduser() for place in places]
    if not named and not everything:
        raise UsageError("name folders or pictures of the library, or all of it with --all")
    with Library.open(None, settings) as library:
        note(f"library: {show_path(library.path)}")
        with progress(quiet=as_json) as show:
            found = library.read_texts(None if everything else named, progress=show)
        print_json(found) if as_json else show_transcribed(found)
    if found.interrupted:
        stopped()


def show_transcribed(found: OcrReport) -> None:
    """Print how many pictures a run read."""
    settled = f", {found.settled} were read before" if found.settled else ""
    click.echo(f"{found.read} pictures read in {found.seconds:.1f} s, {found.with_text} have text{settled}")
    note_problems(found.problems)
