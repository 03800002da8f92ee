"""The commands `retrieval models` and `retrieval models pull`."""

from __future__ import annotations

import click

from ..library import models
from ..types.results import ModelInfo
from .options import json_option
from .output import note, print_json, print_rows


@click.group(name="models", invoke_without_command=True)
@click.option("--all", "everything", is_flag=True, help="Every architecture and tag that open_clip lists.")
@json_option
@click.pass_context
def command(ctx: click.Context, everything: bool, as_json: bool) -> None:
    """List models: the built-in one, those on this machine, and those worth knowing.

    \b
    Examples:
      retrieval models
      retrieval models --all --json
      retrieval models pull ViT-B-32-256/datacomp_s34b_b86k
      retrieval index ~/Pictures --model ViT-B-32-256/datacomp_s34b_b86k
    """
    if ctx.invoked_subcommand is None:
        rows = models.encoders(everything=everything)
        print_json({"models": rows}) if as_json else _show(rows)


@command.command()
@click.argument("name")
def pull(name: str) -> None:
    """Fetch the model NAME, for use without a network; an interrupted download continues where it stopped."""
    where = models.pull(name)
    note(f"{name} is here: {where}")


def _show(rows: list[ModelInfo]) -> None:
    columns = ("model", "params", "dim", "px", "languages", "licence", "download", "here", "note")
    print_rows(columns, [_line(row) for row in rows])


def _line(row: ModelInfo) -> tuple[str, ...]:
    return (
        row.name,
        f"{row.parameters:.0f} M" if row.parameters else "",
        str(row.dimensions or ""),
        str(row.image_size or ""),
        row.languages,
        row.licence,
        f"{row.download:,.0f} MB" if row.download else "",
        "yes" if row.installed else "",
        row.note,
    )
