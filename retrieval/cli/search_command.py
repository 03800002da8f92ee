"""`retrieval search`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from ..config import Settings
from ..errors import UsageError
from ..library import Library
from ..records import Budget, ByFile, ByItem, ByText, Query
from .answers import show
from .options import (
    DEVICE,
    INDEX,
    PATH,
    PRECISION,
    VLM_OPTIONS,
    Duration,
    View,
    packed,
    settings_options,
    view_options,
)
from .output import note, show_path
from .progress import progress


@dataclass(frozen=True)
class Rerank:
    """Whether and how far a vision-language model checks the hits."""

    wanted: bool
    budget: float | None
    depth: int
    anyway: bool


@click.command(name="search")
@click.argument("text", required=False)
@click.option("--image", type=PATH, help="Search by this picture, in the library or not.")
@click.option("--item", type=int, help="Search by a picture of the library, by its number in --json.")
@click.option("--within", multiple=True, metavar="GLOB", help="Only pictures whose path fits, such as 'holidays/*'.")
@packed(
    "rerank",
    Rerank,
    click.option("--rerank", "wanted", is_flag=True, help="Let a vision-language model check the best hits (--vlm)."),
    click.option("--budget", type=Duration(), help="Stop checking after this time, such as 3s."),
    click.option("--depth", type=int, default=50, show_default=True, help="How many hits may be checked."),
    click.option("--anyway", is_flag=True, help="Rerank also where `retrieval eval --rerank` found it of no use."),
)
@settings_options(INDEX, DEVICE, PRECISION, *VLM_OPTIONS)
@view_options
def command(
    text: str | None,
    image: Path | None,
    item: int | None,
    within: tuple[str, ...],
    rerank: Rerank,
    settings: Settings,
    view: View,
) -> None:
    """Find the pictures that fit TEXT, or that are most like a picture.

    \b
    Examples:
      retrieval search "a dog on the beach"
      retrieval search --image dog.jpg -k 20
      retrieval search "sunset" --within 'holidays/2023/*' --sheet sunset.html
      retrieval search "two dogs on a sofa" --rerank --budget 5s
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
    with Library.open(None, settings) as library:
        note(f"library: {show_path(library.path)}")
        if not rerank.wanted:
            show(library, library.query(queries[0], view.k, within=within), view)
            return
        if text is None:
            raise UsageError("--rerank checks pictures against words; give a text")
        budget = Budget(rerank.budget, rerank.depth, rerank.anyway)
        with progress(quiet=view.as_json) as step:
            answer = library.search(text, view.k, within=within, rerank=budget, progress=step)
        show(library, answer, view)
