"""Output formats: a table on a terminal, tab-separated lines in a pipe, JSON for programs."""

from __future__ import annotations

import json
import os
import shlex
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import click

from ..types.records import Answer, Hit, Kind, Problem, Suggestion
from ..types.serialize import show_path, to_jsonable


def print_json(value: Any) -> None:
    """Print a value as one JSON document."""
    click.echo(json.dumps(to_jsonable(value), ensure_ascii=False, indent=2))


def fragment(hit: Hit) -> str:
    """Return where a hit is in a video, as a W3C media fragment in seconds (`#t=12.5`); empty for pictures."""
    return "" if hit.second is None else f"#t={hit.second:.1f}"


def note(text: str) -> None:
    """Print a line for people on standard error, apart from the answer; nothing with --quiet."""
    if not quiet():
        click.echo(text, err=True)


def quiet() -> bool:
    """Whether --quiet was given."""
    ctx = click.get_current_context(silent=True)
    return bool(ctx and ctx.find_root().meta.get("quiet"))


FACETS = 8  # values shown of each facet; --json has all


def print_paths(paths: list[Path], *, null: bool) -> None:
    """Print paths as raw bytes for the next program, each ended by a newline or, with `null`, by NUL."""
    end = b"\0" if null else b"\n"
    sys.stdout.buffer.write(b"".join(os.fsencode(path) + end for path in paths))
    sys.stdout.buffer.flush()


def print_notes(answer: Answer) -> None:
    """Print what belongs to an answer besides its hits: facets, notes, suggestions, counts and the time."""
    for name, counts in (answer.facets or {}).items():
        if counts:
            shown = ", ".join(f"{value} ({count})" for value, count in counts[:FACETS])
            note(f"{name}: {shown}{f', and {len(counts) - FACETS} more' if len(counts) > FACETS else ''}")
    beneath = sum(len(hit.beneath) for hit in answer.hits)
    if beneath:
        note(f"{beneath} near-duplicates are grouped under them (--no-fold shows each)")
    kind = "text" if answer.hits and answer.hits[0].kind is Kind.TEXT else "picture"
    for line in answer.notes:
        note(f"note: {line}")
    if answer.suggestions:
        note(f"perhaps: {', '.join(map(suggested, answer.suggestions))}")
    more = "; more on the next --page" if answer.cursor else ""
    of = plural(answer.searched or answer.total, kind)
    if 0 < answer.searched < answer.total:
        of += f" that {'passes' if answer.searched == 1 else 'pass'}, {answer.total:,} in all"
    note(f"{len(answer.hits)} of {of}, {waited():.1f} s, model {answer.model}{more}")


def suggested(other: Suggestion) -> str:
    """Return a suggestion as it is typed, with how many pictures it finds."""
    return shlex.quote(other.query) + ("" if other.count is None else f" ({plural(other.count, 'picture')})")


def plural(count: int, thing: str) -> str:
    """Return a number of things in words: "1 picture", "2 pictures"."""
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"


STARTED = time.monotonic()


def waited() -> float:
    """Return the seconds since the command was started, as its user waited for them."""
    ctx = click.get_current_context(silent=True)
    return time.monotonic() - (ctx.find_root().meta.get("started", STARTED) if ctx else STARTED)


def rate(count: float, seconds: float) -> str:
    """Return how many things a second, or how many seconds each; empty where too little is known."""
    if count < 2 or seconds < 1:
        return ""
    each = count / seconds
    return f"{each:,.0f}/s" if each >= 10 else f"{each:.1f}/s" if each >= 1 else f"{1 / each:.1f} s each"


def print_rows(columns: Sequence[str], lines: Sequence[Sequence[str]], shown: int | None = None) -> None:
    """Print rows: a table of the first `shown` columns on a terminal, all columns tab-separated elsewhere."""
    if not sys.stdout.isatty():
        for line in (columns, *lines):
            click.echo("\t".join(line))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    used = [n for n in range(len(columns[:shown])) if any(line[n] for line in lines)]  # columns with nothing in them go
    names = {"model", "path", "name", "family"}  # what is copied from a table is never cut
    table = Table(box=None, pad_edge=False, header_style="bold")
    for n in used:
        table.add_column(columns[n], overflow="fold", no_wrap=columns[n] in names)
    for line in lines:
        table.add_row(*(Text(line[n]) for n in used))
    console = Console()
    console.width = max(
        console.width, sum(max(len(line[n]) for line in lines) + 1 for n in used if columns[n] in names) + 40
    )
    console.print(table)


def note_problems(problems: Iterable[Problem]) -> None:
    """Print one line per problem, also with --quiet: the file, and why it could not be used."""
    for problem in problems:
        click.echo(f"  {show_path(problem.path)}: {problem.reason}: {problem.message}", err=True)


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


def size(count: float) -> str:
    """Return a number of bytes as text, with a binary unit."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"
