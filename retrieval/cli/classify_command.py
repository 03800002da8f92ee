"""The `retrieval classify` command."""

from __future__ import annotations

from pathlib import Path

import click

from ..config import Settings
from ..errors import UsageError
from ..library.library import Library
from ..types.serialize import show_path
from .options import DEVICE, INDEX, PATH, PRECISION, VLM_OPTIONS, json_option, settings_options
from .output import note, print_json, print_rows
from .progress import progress


@click.command(name="classify")
@click.argument("places", nargs=-1, type=PATH)
@click.option("--labels", required=True, metavar="A,B,C", help="The labels, separated by commas.")
@click.option("--all", "everything", is_flag=True, help="Every picture of the library.")
@click.option("--judge", is_flag=True, help="Let a vision-language model decide (--vlm), not the encoder.")
@settings_options(INDEX, DEVICE, PRECISION, *VLM_OPTIONS)
@json_option
def command(
    places: tuple[Path, ...], labels: str, everything: bool, judge: bool, settings: Settings, as_json: bool
) -> None:
    """Say which label fits each picture in PLACES best (folders or files of the library).

    The labels can be any words. The margin is how far the best is from the second.

    \b
    Examples:
      retrieval classify ~/Pictures --labels dog,cat,bird
      retrieval classify --all --labels "a screenshot,a photo,a document" --json
      retrieval classify --all --labels day,night --judge --vlm hf-hub:Qwen/Qwen3-VL-2B-Instruct
    """
    if not places and not everything:
        raise UsageError("name folders or pictures of the library, or all of it with --all")
    chosen = [label.strip() for label in labels.split(",")]
    named = None if everything else [place.expanduser() for place in places]
    with Library.open(None, settings) as library:
        note(f"library: {show_path(library.path)}")
        with progress(quiet=as_json) as show:
            classifications, notes = library.classify(chosen, named, judge=judge, progress=show)
    for line in notes:
        note(f"note: {line}")
    if as_json:
        print_json({"pictures": classifications, "notes": notes})
        return
    rows = [(each.label, f"{each.margin:.3f}", show_path(each.path)) for each in classifications]
    print_rows(("label", "margin", "path"), rows)
