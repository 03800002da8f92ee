"""`retrieval search`."""

from __future__ import annotations

from pathlib import Path

import click

from .. import app
from ..config import Settings
from ..errors import UsageError
from ..records import ByFile, ByItem, ByText, Query
from .answers import show
from .options import DEVICE, INDEX, PATH, PRECISION, View, settings_options, view_options
from .output import note, show_path


@click.command(name="search")
@click.argument("text", required=False)
@click.option("--image", type=PATH, help="Search by this picture, in the library or not.")
@click.option("--item", type=int, help="Search by a picture of the library, by its number in --json.")
@click.option("--within", multiple=True, metavar="GLOB", help="Only pictures whose path fits, such as 'holidays/*'.")
@settings_options(INDEX, DEVICE, PRECISION)
@view_options
def command(
    text: str | None,
    image: Path | None,
    item: int | None,
    within: tuple[str, ...],
    settings: Settings,
    view: View,
) -> None:
    """Find the pictures that fit TEXT, or that are most like a picture.

    \b
    Examples:
      retrieval search "a dog on the beach"
      retrieval search --image dog.jpg -k 20
      retrieval search "sunset" --within 'holidays/2023/*' --sheet sunset.html
      retrieval search "receipts" -0 -k 50 | xargs -0 cp -t receipts/
    """
    queries: list[Query] = []
    if text is not None:
        queries.append(ByText(text))
    if image is not None:
        queries.append(ByFile(image.expanduser()))
    if item is not None:
        queries.append(ByItem(item))
    if len(queries) != 1:
        raise UsageError('give one query: words ("a dog on the beach"), --image FILE or --item NUMBER')
    with app.Library.open(None, settings) as library:
        note(f"library: {show_path(library.path)}")
        show(library, library.query(queries[0], view.k, within=within), view)
