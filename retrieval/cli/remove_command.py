"""`retrieval remove`."""

from __future__ import annotations

from pathlib import Path

import click

from .. import app
from ..config import Settings
from .options import INDEX, PATH, json_option, settings_options
from .output import note, print_json, show_path


@click.command(name="remove")
@click.argument("paths", nargs=-1, required=True, type=PATH)
@settings_options(INDEX)
@json_option
def command(paths: tuple[Path, ...], settings: Settings, as_json: bool) -> None:
    """Forget the files and folders PATHS. The files themselves are never touched.

    \b
    Examples:
      retrieval remove ~/Pictures/screenshots
      retrieval remove photos/blurred.jpg
    """
    with app.Library.open(None, settings) as library:
        note(f"library: {show_path(library.path)}")
        removed = library.remove([path.expanduser() for path in paths])
    print_json({"removed": removed}) if as_json else click.echo(f"{removed} files removed from the library")
