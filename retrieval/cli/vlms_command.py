"""The commands `retrieval vlms` and `retrieval vlms pull`."""

from __future__ import annotations

import sys

import click

from ..library import models
from ..types.results import VlmInfo
from .options import json_option
from .output import note, print_json, print_rows


@click.group(name="vlms", invoke_without_command=True)
@json_option
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """List vision-language models: what they can do, how they run, and what their licence allows.

    A model with the route `transformers` runs in this process: --vlm hf-hub:REPOSITORY. One with the route `endpoint`
    needs a server that has it: --vlm endpoint:URL#MODEL --vlm-family NAME.

    \b
    Examples:
      retrieval vlms
      retrieval vlms pull hf-hub:HuggingFaceTB/SmolVLM2-256M-Video-Instruct
      retrieval ask photo.jpg "what is this?" --vlm endpoint:http://127.0.0.1:8000/v1#qwen3-vl
    """
    if ctx.invoked_subcommand is None:
        rows = models.vlms()
        print_json({"models": rows}) if as_json else _show(rows)


@command.command()
@click.argument("name")
def pull(name: str) -> None:
    """Fetch the model NAME, for use without a network; an interrupted download continues where it stopped."""
    where = models.pull_vlm(name)
    note(f"{name} is here: {where}")


def _show(rows: list[VlmInfo]) -> None:
    columns = ("family", "route", "billions", "px", "can", "licence", "commercial", "here", "repositories", "note")
    print_rows(columns, [_line(row) for row in rows], shown=-2)
    if sys.stdout.isatty():
        note("the names of their repositories: `retrieval vlms --json`")


def _line(row: VlmInfo) -> tuple[str, ...]:
    return (
        row.family,
        row.route,
        ", ".join(f"{size:g}" for size in row.sizes),
        row.resolution,
        ", ".join(row.abilities),
        row.licence,
        row.commercial,
        str(len(row.installed) or ""),
        " ".join(row.repositories),
        row.note,
    )
