"""`retrieval captions`."""

from __future__ import annotations

from pathlib import Path

import click

from .. import app
from ..config import Settings
from .answers import show
from .options import DEVICE, INDEX, PATH, PRECISION, View, settings_options, view_options
from .output import note, show_path


@click.command(name="captions")
@click.argument("image", type=PATH)
@settings_options(INDEX, DEVICE, PRECISION)
@view_options
def command(image: Path, settings: Settings, view: View) -> None:
    """Find the library's texts that fit the picture IMAGE best.

    Texts come from caption files (`retrieval index --captions`), `.txt` files beside pictures, and the titles and
    descriptions that pictures carry.

    \b
    Examples:
      retrieval captions dog.jpg
      retrieval captions dog.jpg -k 3 --json
    """
    with app.Library.open(None, settings) as library:
        note(f"library: {show_path(library.path)}")
        show(library, library.captions(image.expanduser(), view.k), view)
