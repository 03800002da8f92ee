"""Output formats: a table on a terminal, tab-separated lines in a pipe, JSON for programs."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import click

from ..types.records import Answer, Hit, Kind, Problem
from ..types.serialize import show_path, to_jsonable


def print_json(value: Any) -> None:
    """Print a value as one JSON document."""
    click.echo(json.dumps(to_jsonable(value), ensure_ascii=False, indent=2))


def fragment(hit: Hit) -> str:
    """Return where a hit is in a video, as a W3C media fragment in seconds (`#t=12.5`); empty for pictures."""
    return "" if hit.second is None else f"#t={hit.second:.1f}"


def note(text: str) -> None:
    """Print a line for people on standard error, apart from the answer."""
    click.echo(text, err=True)


FACETS = 8  # values shown of each facet; --json has all


def print_paths(paths: list[Path], *, null: bool) -> None:
    """Print paths as raw bytes for the next program, each ended by a newline or, with `null`, by NUL."""
    end = b"\0" if null else b"\n"
    sys.stdout.buffer.write(b"".join(os.fsencode(path) + end for path in paths))
    sys.stdout.buffer.flush()


def print_answer(answer: Answer) -> None:
    """Print the hits: a table on a terminal, tab-separated lines elsewhere; facets and notes go to standard error."""
    if not sys.stdout.isatty():
        for hit in answer.hits:
            path = show_path(hit.path) + fragment(hit) if hit.path else ""
            columns = (path, hit.text) if hit.kind is Kind.PICTURE else (hit.text, path)
            click.echo("\t".join((score(hit, 4), *(" ".join(column.split()) for column in columns))))
    elif answer.hits:
        _table(answer)
    for name, counts in (answer.facets or {}).items():
        if counts:
            shown = ", ".join(f"{value} ({count})" for value, count in counts[:FACETS])
            note(f"{name}: {shown}{f', and {len(counts) - FACETS} more' if len(counts) > FACETS else ''}")
    beneath = sum(len(hit.beneath) for hit in answer.hits)
    if beneath:
        note(f"{beneath} near-duplicates are grouped under them (--no-fold shows each)")
    kind = "texts" if answer.hits and answer.hits[0].kind is Kind.TEXT else "pictures"
    for line in answer.notes:
        note(f"note: {line}")
    more = "; more on the next --page" if answer.cursor else ""
    note(f"{len(answer.hits)} of {answer.searched} {kind}, {answer.seconds:.2f} s, model {answer.model}{more}")


def _table(answer: Answer) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    texts = answer.hits[0].kind is Kind.TEXT
    table = Table(title=Text(answer.query[:100]), title_justify="left", header_style="bold", box=None, pad_edge=False)
    table.add_column("#", justify="right", style="dim")
    table.add_column("score", justify="right")
    read = any(hit.band for hit in answer.hits)
    if read:
        table.add_column("sure")
    table.add_column("text" if texts else "picture", overflow="fold")
    table.add_column("picture" if texts else "caption", overflow="fold", style="dim")
    for hit in answer.hits:
        more = f"  (+{len(hit.copies)} more)" if hit.copies else ""
        more += f"  (+{len(hit.beneath)} alike)" if hit.beneath else ""
        path = _nearby(hit.path) + fragment(hit) + more if hit.path else ""
        columns = (hit.text, path) if texts else (path, hit.text[:120])
        table.add_row(str(hit.rank), score(hit), *([hit.band] if read else []), *(Text(column) for column in columns))
    Console().print(table)


def print_rows(columns: Sequence[str], lines: Sequence[Sequence[str]], shown: int | None = None) -> None:
    """Print rows: a table of the first `shown` columns on a terminal, all columns tab-separated elsewhere."""
    if not sys.stdout.isatty():
        for line in (columns, *lines):
            click.echo("\t".join(line))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(*columns[:shown], box=None, pad_edge=False, header_style="bold")
    for line in lines:
        table.add_row(*line[:shown])
    Console().print(table)


def note_problems(problems: Iterable[Problem]) -> None:
    """Print one line per problem: the file, and why it could not be used."""
    for problem in problems:
        note(f"  {show_path(problem.path)}: {problem.reason}: {problem.message}")


def endings(counts: Mapping[str, int], shown: int = 6) -> str:
    """Return numbers of files by their ending in words: "3 .psd, 1 .ico"."""
    each = [f"{count} {show_path(Path(end)) if end else 'without ending'}" for end, count in counts.items()]
    more = sum(list(counts.values())[shown:])
    return ", ".join(each[:shown]) + (f" and {more} more" if more else "")


def stopped() -> NoReturn:
    """Exit with code 130 after Ctrl-C."""
    note("stopped by Ctrl-C; what was done is kept; run the same command to continue")
    sys.exit(130)


def score(hit: Hit, digits: int = 3) -> str:
    """Return a hit's score as text; a dash where there is none, as with filters alone."""
    return "-" if hit.score is None else f"{hit.score:.{digits}f}"


def _nearby(path: Path) -> str:
    try:
        return show_path(path.relative_to(Path.cwd()))
    except ValueError:
        return show_path(path)


def size(count: float) -> str:
    """Return a number of bytes as text, with a binary unit."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"
