"""The `retrieval relocate` command."""

from __future__ import annotations

from pathlib import Path

import click

from ..config import Settings
from ..library.library import Library
from ..types.serialize import show_path
from .options import INDEX, PATH, json_option, settings_options
from .output import print_json


@click.command(name="relocate")
@click.argument("old", type=PATH)
@click.argument("new", type=PATH)
@settings_options(INDEX)
@json_option
def command(old: Path, new: Path, settings: Settings, as_json: bool) -> None:
    """Say that the folder OLD of the library has the path NEW now, as after renaming it or mounting it elsewhere.

    Nothing is read or encoded; captions and ratings stay. `retrieval index NEW` finds moved files by itself, too, but
    reads each of them.

    \b
    Examples:
      retrieval relocate /media/usb1/photos /media/usb2/photos
    """
    with Library.open(None, settings) as library:
        moved = library.relocate(old.expanduser(), new.expanduser())
    if as_json:
        print_json({"moved": moved})
    else:
        click.echo(f"{moved} files of {show_path(old)} are at {show_path(new)} now")
