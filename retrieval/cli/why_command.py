"""The `retrieval why` command."""

from __future__ import annotations

from pathlib import Path

import click

from ..config import Settings
from ..errors import UsageError
from ..library import backends
from ..library.library import Library
from ..types.explanations import FilterCheck, SourceShare, Why
from ..types.serialize import show_path
from .options import DEVICE, INDEX, PATH, PRECISION, VLM_OPTIONS, json_option, settings_options
from .output import note, print_json

BAR = 20  # characters of a bar for a share of 1
LINES = 3  # matches shown of each ranking; --json has all


@click.command(name="why")
@click.argument("query")
@click.argument("hit")
@click.option("--image", type=PATH, help="A picture to search by together with QUERY, as in `search`.")
@click.option("--heat", type=PATH, metavar="FILE", help="Write the picture with what looks like QUERY in red.")
@settings_options(INDEX, DEVICE, PRECISION, *VLM_OPTIONS)
@json_option
def command(query: str, hit: str, image: Path | None, heat: Path | None, settings: Settings, as_json: bool) -> None:
    """Explain why HIT, a picture's path or its rank in the answer, is a hit of QUERY.

    Each word's share is how far the score drops without it. With --vlm, that model says whether it agrees, and where it
    sees it.

    \b
    Examples:
      retrieval why "a dog on the beach" 1
      retrieval why "a dog on the beach" holidays/dog.jpg --heat where.jpg
      retrieval why "the red cup" 1 --vlm hf-hub:Qwen/Qwen3-VL-2B-Instruct --heat where.jpg
    """
    with_model = click.get_current_context().params.get("vlm") is not None
    place: int | Path = int(hit) if hit.isdecimal() else Path(hit).expanduser()
    with Library.open(None, settings) as library:
        note(f"library: {show_path(library.path)}")
        picture = image.expanduser() if image else None
        if heat is not None and library.items.has(heat.expanduser()):
            raise UsageError(f"{show_path(heat)} is a picture of the library; give another file with --heat")
        why = library.why(query, place, image=picture, heat=heat is not None, vlm=with_model)
    if heat is not None and why.heat is not None:
        from ..pictures import drawing

        drawn = drawing.with_heat(backends.picture(why.path, settings, why.second), why.heat)
        drawing.save(drawing.with_boxes(drawn, why.boxes), heat)
        note(f"heat: {show_path(heat)}")
    print_json(why) if as_json else _show(why)


def _show(why: Why) -> None:
    click.echo(f"{show_path(why.path)} is hit {why.rank} of {why.searched}")
    if why.understood != why.query:
        click.echo(f"understood as  {why.understood}")
    click.echo(f"score          {reading(why)}")
    for title, rows in (
        ("words", _parts(why)),
        ("rankings", _sources(why)),
        ("filters", filters(why.filters)),
    ):
        for place, row in enumerate(rows):
            click.echo(f"{title if not place else '':14} {row}")
    if why.verdict is not None:
        click.echo(f"{'model':14} yes with {why.verdict.yes:.0%}")
    for box in why.boxes:
        corners = ", ".join(f"{corner:.2f}" for corner in (box.left, box.top, box.right, box.bottom))
        click.echo(f"{'box':14} {box.label}: {corners}")
    for line in why.notes:
        note(f"note: {line}")


def reading(found: Why) -> str:
    """Return a score and what it means, in words."""
    scores = found.reading
    if scores.score is None:
        return "none: the query has filters alone, the newest come first"
    parts = [f"{scores.score:.3f}"]
    if scores.height is not None:
        parts.append(f"{scores.height:+.1f} standard deviations from the mean of neutral texts")
    if scores.band:
        parts.append(f"{scores.band} match" + (f", by its {scores.by}" if scores.by else ""))
    if scores.confidence is not None:
        parts.append(f"{scores.confidence:.0%} that it is the very one, of all that match")
    return "; ".join(parts)


def _parts(found: Why) -> list[str]:
    width = max((len(part.part) for part in found.parts), default=0)
    return [f"{part.part:{width}} {part.drop:+.3f} {'#' * round(BAR * part.share)}" for part in found.parts]


def _sources(found: Why) -> list[str]:
    return [
        f"{each.source}: rank {each.rank}, {each.share:.0%} of what speaks for it"
        + "".join(f"\n{'':17}{line}" for line in (*each.matched[:LINES], *_more(each)))
        for each in found.sources
    ]


def _more(source: SourceShare) -> list[str]:
    rest = len(source.matched) - LINES
    return [f"and {rest} more"] if rest > 0 else []


def filters(checks: tuple[FilterCheck, ...]) -> list[str]:
    """Return a line for each filter: whether the picture passes it, and what the picture has."""
    return [f"{'passes' if each.passes else 'FAILS '} {each.filter}  ({each.value})" for each in checks]
