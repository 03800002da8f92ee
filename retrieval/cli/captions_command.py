"""The `retrieval captions` command."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from ..config import Settings
from ..errors import LibraryNotFound
from ..library import backends
from ..library.library import Library
from ..types.records import Answer
from ..types.request import SearchOptions
from ..types.serialize import show_path
from .options import (
    DEVICE,
    HITS,
    INDEX,
    PATH,
    PRECISION,
    VLM_OPTIONS,
    ViewOptions,
    option_group,
    settings_options,
    view_options,
)
from .output import note, print_json
from .show import show


@click.command(name="captions")
@click.argument("image", type=PATH)
@click.option("--generate", is_flag=True, help="A caption by a vision-language model, too (--vlm).")
@option_group("hits", dict, *HITS)
@settings_options(INDEX, DEVICE, PRECISION, *VLM_OPTIONS)
@view_options
def command(image: Path, generate: bool, hits: SearchOptions, settings: Settings, view: ViewOptions) -> None:
    """Find the library's texts that fit the picture IMAGE best.

    Texts come from caption files (`retrieval index --captions`), `.txt` files beside pictures, the titles and
    descriptions that pictures carry, and `retrieval caption`.

    \b
    Examples:
      retrieval captions dog.jpg
      retrieval captions dog.jpg -k 3 --json
      retrieval captions dog.jpg --generate
    """
    path = image.expanduser()

    def generated() -> str:
        caption = backends.vlm(settings).caption([backends.picture(path, settings)])[0]
        if not view.as_json:
            click.echo(f"generated: {caption}")
        return caption

    caption = generated() if generate else ""
    try:
        with Library.open(None, settings) as library:
            note(f"library: {show_path(library.path)}")
            found = library.captions.find(path, **hits)
            if not found.total and not caption:
                note(
                    "the library has no texts yet; this is the vision-language model's (`retrieval caption` keeps them)"
                )
                caption = generated()
            if found.total or view.as_json:
                show(library, replace(found, generated=caption), view, empty=not caption)
    except LibraryNotFound:
        if not generate:
            raise
        if view.as_json:
            print_json(Answer(str(path), (), 0, "", generated=caption))
