"""The `retrieval search` command."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from ..config import Settings
from ..errors import UsageError
from ..library import backends
from ..library.library import Library
from ..queries.render import append_pieces
from ..sources import absolute_path
from ..sources.rules import EXTENSIONS
from ..transfer import copy_link
from ..types.records import Answer, Budget, ByFile, ByItem, Format, Order
from ..types.request import SearchRequest
from ..types.serialize import show_path
from . import running_server
from .export_command import FORMATS, show_exported
from .help_sections import SectionedCommand
from .options import (
    DEVICE,
    HITS,
    INDEX,
    PATH,
    PRECISION,
    VLM_OPTIONS,
    Duration,
    ViewOptions,
    option_group,
    settings_options,
    view_options,
)
from .output import note
from .progress import progress
from .show import show


def search_request(
    words: tuple[str, ...],
    images: tuple[Path, ...],
    items: tuple[int, ...],
    sort: Order,
    diverse: bool,
    rerank: Budget | None,
    **options: Any,
) -> SearchRequest:
    """Return the request that the options make; --image and --item are tokens of its query, files by absolute path.

    Every other option has the name of its field.

    Raises:
        UsageError: nothing was asked for, or two options exclude each other.
    """
    text = " ".join(words)
    pieces = [ByItem(item) for item in items] + [ByFile(absolute_path(image.expanduser())) for image in images]
    if not words and not pieces and not options["within"]:
        raise UsageError('say what to look for: words ("a dog on the beach"), --image FILE or --item NUMBER')
    order: Order = "diverse" if diverse else sort
    if len(words) == 1 and Path(text).suffix.lower() in EXTENSIONS and Path(text).expanduser().is_file():
        note(f"note: {text} is looked up as words; to search by the picture itself: --image {shlex.quote(text)}")
    return SearchRequest(append_pieces(text, pieces), order=order, rerank=rerank, **options)


def rerank_budget(wanted: bool, budget: float | None, depth: int, anyway: bool) -> Budget | None:
    """Return how much a vision-language model may check; None without --rerank."""
    return Budget(budget, depth, anyway) if wanted else None


@dataclass(frozen=True)
class OutputOptions:
    """Where to put the hits: copies, links or an export."""

    copy_to: Path | None
    link_to: Path | None
    export: tuple[Format, Path] | None

    @property
    def wanted(self) -> bool:
        """Whether the hits are put anywhere."""
        return bool(self.copy_to or self.link_to or self.export)

    def put(self, library: Library, answer: Answer) -> None:
        """Copy, link or export the hits, and print what was done."""
        paths = [hit.path for hit in answer.hits if hit.path is not None]
        beneath = sum(len(hit.beneath) for hit in answer.hits)
        if beneath and (self.copy_to or self.link_to or self.export):
            note(f"{beneath} pictures that are nearly the same as a hit are left out; --no-fold takes them, too")
        for place, each, what in (
            (self.copy_to, copy_link.copied, "copied"),
            (self.link_to, copy_link.linked, "linked"),
        ):
            if place is not None:
                deeds = list(each(paths, absolute_path(place.expanduser())))
                for deed in deeds:
                    if deed.reason:
                        note(f"left alone: {show_path(deed.path)}: {deed.reason}")
                note(f"{sum(deed.done for deed in deeds)} {what}: {show_path(place)}")
        if self.export is not None:
            form, place = self.export
            show_exported(library.export(place.expanduser(), form, answer))


SECTIONS = {
    "What to look for": ("images", "items"),
    "Which pictures": ("within", "threshold"),
    "How hits are shown": (
        "k",
        "page",
        "sort",
        "diverse",
        "fold",
        "facets",
        "as_json",
        "paths",
        "null",
        "sheet",
        "preview",
    ),
    "A second look by a vision-language model": (
        "wanted",
        "budget",
        "depth",
        "anyway",
        "vlm",
        "vlm_family",
        "vlm_code",
    ),
    "What to do with the hits": ("copy_to", "link_to", "export"),
}


@click.command(name="search", cls=SectionedCommand)
@option_group(
    "request",
    search_request,
    click.argument("words", nargs=-1, metavar="[TEXT]"),
    click.option(
        "--image", "images", multiple=True, type=PATH, help="Search by this picture, in the library or not; repeatable."
    ),
    click.option(
        "--item", "items", multiple=True, type=int, help="Search by a picture of the library, by its number in --json."
    ),
    click.option("--facets", is_flag=True, help="Count the likely answers by year, camera, place, type and folder."),
    click.option(
        "--within", multiple=True, metavar="GLOB", help="Only pictures whose path matches, such as 'holidays/*'."
    ),
    click.option(
        "--sort", type=click.Choice(["score", "date"]), default="score", show_default=True, help="How hits are ordered."
    ),
    click.option("--diverse", is_flag=True, help="Hits that differ from each other (maximal marginal relevance)."),
    click.option(
        "--fold/--no-fold", default=True, help="Group pictures that are nearly the same under one hit.  [default: fold]"
    ),
    click.option("--page", type=int, help="Show this page of -k hits; indexing in the meantime does not shift pages."),
    *HITS,
    option_group(
        "rerank",
        rerank_budget,
        click.option(
            "--rerank", "wanted", is_flag=True, help="Let a vision-language model check the best hits (--vlm)."
        ),
        click.option("--budget", type=Duration(), help="Stop checking after this time, such as 3s."),
        click.option("--depth", type=int, default=50, show_default=True, help="How many hits may be checked."),
        click.option("--anyway", is_flag=True, help="Rerank even where `retrieval eval --rerank` found no gain."),
    ),
)
@click.option("--server/--no-server", default=True, help="Ask the server that has the library open, if one runs.")
@option_group(
    "output",
    OutputOptions,
    click.option("--copy-to", type=PATH, metavar="FOLDER", help="Copy the hits into a folder."),
    click.option("--link-to", type=PATH, metavar="FOLDER", help="Make symbolic links to the hits in a folder."),
    click.option(
        "--export",
        type=(FORMATS, PATH),
        metavar="FORMAT FOLDER",
        help="Write the hits into a new folder, as npy, parquet, csv or webdataset (see `retrieval export`).",
    ),
)
@settings_options(INDEX, DEVICE, PRECISION, *VLM_OPTIONS)
@view_options
def command(request: SearchRequest, server: bool, output: OutputOptions, settings: Settings, view: ViewOptions) -> None:
    """Find the pictures that fit TEXT, or that are most like a picture, or both.

    TEXT may contain filters and operators: -word subtracts a meaning, 2:word gives it weight, and tokens such as
    since:2023-06, camera:nikon, near:"Lisbon"~20km or path:holidays narrow the search (docs/queries.md).

    The first hit fits best, by what the picture shows and what is written about it. strong, likely and weak say how
    sure that is; "by its name" and the like, that a text decided. The number is the cosine of query and picture:
    higher is better, and it means something within one answer only. `retrieval open 1` opens a hit.

    \b
    Examples:
      retrieval search a dog on the beach
      retrieval search --image dog.jpg --image puppy.jpg -k 20
      retrieval search "a beach -people last summer"
      retrieval search --image pool.jpg "at night"
      retrieval search 'camera:nikon rating:>=4 (snow OR ice)'
      retrieval search "sunset" --within 'holidays/2023/*' --sheet sunset.html
      retrieval search "two dogs on a sofa" --rerank --budget 5s
      retrieval search "receipts" -k 50 --copy-to receipts/
    """
    answer = None if output.wanted or view.drawn or not server else running_server.ask_server(settings, request)
    if answer is not None:
        note(f"library: {show_path(backends.library_path(None, settings))}, asked through its server")
        show(None, answer, view)
        return
    with Library.open(None, settings) as library:
        note(f"library: {show_path(library.path)}")
        with progress(quiet=view.as_json or request.rerank is None) as told:
            answer = library.search(request, progress=told)
        output.put(library, answer)
        show(library, answer, view)


command.sections = SECTIONS
