"""An answer as lines for people: on a terminal with bands in colour and links to files, elsewhere as a table.

A path stands at the end of its line and is never cut, so that it can be copied from a terminal of any width.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import click

from ..types.records import Answer, Band, Hit, Kind
from ..types.serialize import show_path
from . import last_answer
from .output import fragment, print_rows, score

COLOURS = {Band.STRONG: "green", Band.LIKELY: "yellow", Band.WEAK: "dim", Band.UNKNOWN: ""}
CAPTION = 100  # letters of a caption that are shown under its picture
LEGEND = (
    "How to read this: the first hit fits best, by what the picture shows and what is written about it. "
    'strong, likely, weak say how sure that is; "by its name" and the like, that a text decided. The number is the '
    "cosine of query and picture: higher is better, and it means something within one answer only. "
    "`retrieval open 1` opens a hit, `retrieval why` explains it. (Shown once; `retrieval search --help` has it, too.)"
)


def sure(hit: Hit) -> str:
    """Return a hit's band in words, with what gave it where that was not what the picture shows."""
    return f"{hit.band}, by its {hit.by}" if hit.by else str(hit.band)


def print_hits(answer: Answer) -> None:
    """Print the hits of an answer: lines on a terminal, a tab-separated table with a header elsewhere."""
    if sys.stdout.isatty():
        _print_lines(answer)
        return
    pictures = not answer.hits or answer.hits[0].kind is Kind.PICTURE
    rows = []
    for hit in answer.hits:
        path = show_path(hit.path) + fragment(hit) if hit.path else ""
        columns = (path, hit.text) if pictures else (hit.text, path)
        rows.append((str(hit.rank), score(hit, 4), sure(hit), *(" ".join(each.split()) for each in columns)))
    if rows:
        print_rows(("rank", "score", "sure", *(("picture", "caption") if pictures else ("text", "picture"))), rows)


def _print_lines(answer: Answer) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    shown, base = _places(answer.hits)
    if base:
        console.print(Text(f"in {base}", style="dim"))
    width = max((len(sure(hit)) for hit in answer.hits), default=0)
    ranks = len(str(answer.hits[-1].rank)) if answer.hits else 1
    for hit, place in zip(answer.hits, shown, strict=True):
        line = Text(f"{hit.rank:>{ranks}}  ")
        if width:
            line.append(f"{sure(hit):<{width}}  ", style=COLOURS[hit.band])
        line.append(f"{score(hit):>6}  ", style="dim")
        more = f"  (+{len(hit.copies)} more)" if hit.copies else ""
        more += f"  (+{len(hit.beneath)} alike)" if hit.beneath else ""
        path = Text(place + fragment(hit), style=f"link {_address(hit.path)}") if hit.path else Text()
        text = " ".join(hit.text.split())
        if hit.kind is Kind.TEXT:
            console.print(line.append(text))
            if hit.path:
                console.print(Text(" " * (ranks + 2)).append(path).append(more))
            continue
        console.print(line.append(path).append(more, style="dim"))
        if text:
            short = text if len(text) <= CAPTION else f"{text[:CAPTION].rsplit(' ', 1)[0]} ..."
            console.print(Text(f"{' ' * (ranks + 2)}{short}", style="dim"))
    if answer.hits and last_answer.first_time():
        click.echo(f"\n{click.wrap_text(LEGEND, console.width)}", err=True)


def _places(hits: Sequence[Hit]) -> tuple[list[str], str]:
    """Return the paths of hits as they are shown, and the folder that they are below; empty: the current one."""
    paths = [hit.path for hit in hits if hit.path is not None]
    here = Path.cwd()
    if not paths:
        return ["" for _ in hits], ""
    if all(path.is_relative_to(here) for path in paths):
        base, told = here, ""
    else:
        base = Path(os.path.commonpath([path.parent for path in paths]))
        told = "" if base == Path(base.anchor) else show_path(base)
    return [
        show_path(hit.path.relative_to(base) if told or base == here else hit.path) if hit.path else "" for hit in hits
    ], told


def _address(path: Path | None) -> str:
    """Return the address of a file for a terminal's links (OSC 8)."""
    return f"file://{quote(os.fsencode(path))}" if path is not None else ""
