"""The `retrieval export` command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from ..config import Settings
from ..library.library import Library
from ..types.records import Format
from ..types.serialize import show_path
from .options import INDEX, PATH, json_option, settings_options
from .output import note, note_problems, print_json
from .progress import progress

if TYPE_CHECKING:
    from ..transfer.export import ExportReport

FORMATS = click.Choice(get_args(Format))


@click.command(name="export")
@click.argument("folder", type=PATH)
@click.option("--format", "form", type=FORMATS, default="npy", show_default=True, help="What is written.")
@settings_options(INDEX)
@json_option
def command(folder: Path, form: Format, settings: Settings, as_json: bool) -> None:
    """Write the whole library into the new folder FOLDER, for other programs; `search --export` writes only hits.

    npy and parquet: embeddings with captions and metadata, laid out as in clip-retrieval. csv: captions and
    metadata. webdataset: the pictures themselves, in archives. `retrieval import` reads all but csv, which `retrieval
    index --captions` reads.

    \b
    Examples:
      retrieval export embeddings/
      retrieval export shards/ --format webdataset
      retrieval search "a dog" -k 500 --export webdataset dogs/
    """
    with Library.open(None, settings) as library:
        note(f"library: {show_path(library.path)}")
        with progress(quiet=as_json) as show:
            found = library.export(folder.expanduser(), form, progress=show)
    print_json(found) if as_json else show_exported(found)


def show_exported(found: ExportReport) -> None:
    """Print what was exported."""
    note(f"{found.pictures} pictures, {len(found.files)} files: {show_path(found.folder)}")
    note_problems(found.problems)
