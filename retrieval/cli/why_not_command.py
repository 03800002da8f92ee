"""The `retrieval why-not` command."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import get_args

import click

from ..config import Settings
from ..errors import SourceError
from ..library.library import Library
from ..types.explanations import Standing, WhyNot
from ..types.records import Threshold
from ..types.serialize import show_path
from .options import DEVICE, INDEX, PATH, PRECISION, json_option, settings_options
from .output import note, print_json
from .why_command import filters


@click.command(name="why-not")
@click.argument("query")
@click.argument("photo", type=PATH)
@click.option("--image", type=PATH, help="A picture to search by together with QUERY, as in `search`.")
@click.option("-k", "--limit", "k", type=int, default=10, show_default=True, help="How many hits the search shows.")
@click.option(
    "--threshold",
    type=click.Choice(get_args(Threshold)),
    default="weak",
    show_default=True,
    help="The weakest match that the search shows.",
)
@settings_options(INDEX, DEVICE, PRECISION)
@json_option
def command(
    query: str, photo: Path, image: Path | None, k: int, threshold: Threshold, settings: Settings, as_json: bool
) -> None:
    """Explain why PHOTO is not among the hits of QUERY: not indexed, broken, filtered out, or others are better.

    It also says what would bring it up, the smallest change first.

    \b
    Examples:
      retrieval why-not "a dog on the beach" holidays/dog.jpg
      retrieval why-not "since:2023-06 camera:nikon dog" holidays/dog.jpg
    """
    with Library.open(None, settings) as library:
        note(f"library: {show_path(library.path)}")
        picture = image.expanduser() if image else None
        found = library.why_not(query, photo.expanduser(), k=k, image=picture, threshold=threshold)
    print_json(found) if as_json else _show(found)
    if found.standing in (Standing.UNKNOWN, Standing.MISSING):
        sys.exit(SourceError.exit_code)


def _show(explanation: WhyNot) -> None:
    click.echo(f"{show_path(explanation.path)}: {explanation.said}")
    if explanation.reading is not None and explanation.reading.score is not None:
        last = "" if explanation.last is None else f"; the last hit has {explanation.last:.3f}"
        rank = "" if explanation.rank is None else f", rank {explanation.rank} of {explanation.searched}"
        click.echo(f"{'score':14} {explanation.reading.score:.3f}{rank}{last}")
    for place, row in enumerate(filters(explanation.filters)):
        click.echo(f"{'filters' if not place else '':14} {row}")
    for place, change in enumerate(explanation.changes):
        query = f"\n{'':17}{change.query}" if change.query else ""
        click.echo(f"{'would help' if not place else '':14} {change.what}: then rank {change.rank}{query}")
    for line in explanation.notes:
        note(f"note: {line}")
