"""`retrieval caption`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ..config import Settings
from ..errors import UsageError
from ..library import Library
from ..records import Described
from .options import DEVICE, INDEX, PATH, PRECISION, VLM_OPTIONS, json_option, settings_options
from .output import note, print_json, show_path
from .progress import progress


@click.command(name="caption")
@click.argument("places", nargs=-1, type=PATH)
@click.option("--all", "everything", is_flag=True, help="Every picture of the library.")
@click.option("--missing", is_flag=True, help="Only pictures that have no text at all.")
@click.option("--set", "text", metavar="TEXT", help="Write TEXT as the caption of one picture, in place of a model's.")
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
@settings_options(INDEX, DEVICE, PRECISION, *VLM_OPTIONS)
@json_option
def command(
    places: tuple[Path, ...],
    everything: bool,
    missing: bool,
    text: str | None,
    quiet: bool,
    settings: Settings,
    as_json: bool,
) -> None:
    """Caption the pictures in PLACES (folders or files of the library) with a vision-language model.

    The captions are kept with the pictures and found by search from then on. What people wrote is never touched.
    Ctrl-C is safe at any moment: the next run goes on where this one stopped.

    \b
    Examples:
      retrieval caption --all --missing
      retrieval caption ~/Pictures/2024
      retrieval caption photo.jpg --set "Grandma's kitchen, before the fire"
    """
    named = [place.expanduser() for place in places]
    if text is not None and (len(named) != 1 or everything or missing):
        raise UsageError('--set writes the caption of one picture: retrieval caption photo.jpg --set "..."')
    if not named and not everything:
        raise UsageError("name folders or pictures of the library, or all of it with --all")
    with Library.open(None, settings) as library:
        note(f"library: {show_path(library.path)}")
        if text is not None:
            library.set_caption(named[0], text)
            note(f"{show_path(named[0])}: {text}")
            return
        with progress(quiet=quiet or as_json) as show:
            found = library.caption(None if everything else named, missing=missing, progress=show)
    print_json(found) if as_json else _show(found)
    if found.interrupted:
        note("stopped by Ctrl-C; what was done is kept, the same command goes on from here")
        sys.exit(130)


def _show(found: Described) -> None:
    settled = f", {found.settled} needed none" if found.settled else ""
    click.echo(f"{found.captioned} pictures captioned by {found.model} in {found.seconds:.1f} s{settled}")
    for problem in found.problems:
        note(f"  {show_path(problem.path)}: {problem.reason}: {problem.message}")
