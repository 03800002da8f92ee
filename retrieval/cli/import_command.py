"""The `retrieval import` command."""

from __future__ import annotations

from pathlib import Path

import click

from ..config import Settings
from ..errors import SourceError, UsageError
from ..library.library import Library
from ..types.serialize import show_path
from .index_command import show_report
from .options import DEVICE, INDEX, MODEL, PATH, PRECISION, json_option, settings_options
from .output import note, print_json
from .progress import progress


@click.command(name="import")
@click.argument("folder", type=PATH)
@click.option("--images", type=PATH, help="The folder that picture names are relative to.  [default: FOLDER]")
@click.option("--to", type=PATH, help="The folder that pictures of archives (*.tar) are put into.")
@settings_options(INDEX, MODEL, DEVICE, PRECISION)
@json_option
def command(folder: Path, images: Path | None, to: Path | None, settings: Settings, as_json: bool) -> None:
    """Import FOLDER, as written by clip-retrieval, img2dataset or `retrieval export`.

    Embeddings (img_emb/*.npy with metadata/*.parquet, or *.parquet) are kept for the pictures that are there, so that
    these need no encoding; a few are encoded all the same, to see that the model is the one that made them. Archives
    (*.tar) are unpacked into --to and indexed.

    \b
    Examples:
      retrieval import embeddings/ --model ViT-B-32/openai
      retrieval import shards/ --to ~/Pictures/laion
    """
    folder = folder.expanduser()
    if not folder.is_dir():
        raise SourceError(f"{show_path(folder)} is not a folder")
    archives = sorted(folder.glob("*.tar"))
    if archives and to is None:
        raise UsageError(f"{show_path(folder)} has archives; say with --to where their pictures are to be kept")
    with Library.create(None, settings) as library:
        note(f"library: {show_path(library.path)}")
        with progress(quiet=as_json) as show:
            if archives and to is not None:
                report = library.import_archives(archives, to.expanduser(), progress=show)
            else:
                report = library.import_embeddings(folder, images.expanduser() if images else None, progress=show)
    print_json(report) if as_json else show_report(report)
