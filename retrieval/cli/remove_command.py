"""The `retrieval remove` command."""

from __future__ import annotations

from pathlib import Path

import click

from ..config import Settings
from ..errors import UsageError
from ..library.library import Library
from ..types.serialize import show_path
from .options import INDEX, PATH, json_option, settings_options
from .output import note, plural, print_json


@click.command(name="remove")
@click.argument("paths", nargs=-1, type=PATH)
@click.option("--model", metavar="NAME", help="Remove the embeddings of a model that is no longer in use.")
@click.option("--dry-run", is_flag=True, help="Show what would happen; change nothing.")
@settings_options(INDEX)
@json_option
def command(paths: tuple[Path, ...], model: str | None, dry_run: bool, settings: Settings, as_json: bool) -> None:
    """Remove the files and folders PATHS from the library. The files themselves are never touched.

    After a change of model the old one's embeddings stay, so that it can be used again; --model frees their space.

    \b
    Examples:
      retrieval remove ~/Pictures/screenshots
      retrieval remove photos/blurred.jpg
      retrieval remove --model builtin
    """
    if not paths and not model:
        raise UsageError("name the files or folders to remove, or a model with --model")
    if dry_run and model:
        raise UsageError("--dry-run is for files and folders")
    with Library.open(None, settings) as library:
        note(f"library: {show_path(library.path)}")
        places = [path.expanduser() for path in paths]
        removed = library.items.count_in(places) if dry_run else library.remove(places) if paths else 0
        embeddings = library.remove_model(model) if model else 0
    if as_json:
        print_json({"removed": removed, "embeddings": embeddings, "dry_run": dry_run})
        return
    if paths:
        click.echo(
            f"{plural(removed, 'file')} {'would be' if dry_run else ''} removed from the library".replace("  ", " ")
        )
    if model:
        click.echo(f"{embeddings} embeddings of {model} removed from the library")
