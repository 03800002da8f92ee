"""`retrieval eval`."""

from __future__ import annotations

from pathlib import Path

import click

from .. import models
from ..config import Settings
from ..records import Evaluation, Metrics
from .options import DEVICE, MODEL, PATH, PRECISION, json_option, settings_options
from .output import note, print_json, show_path
from .progress import progress


@click.command(name="eval")
@click.argument("captions", type=PATH)
@click.option("--images", type=PATH, required=True, help="The folder of the pictures.")
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
@settings_options(MODEL, DEVICE, PRECISION)
@json_option
def command(captions: Path, images: Path, quiet: bool, settings: Settings, as_json: bool) -> None:
    """Measure a model on the caption file CAPTIONS: recall@k and MRR in percent, both ways.

    \b
    Examples:
      retrieval eval dev.csv --images dev/
      retrieval eval dev.csv --images dev/ --model ViT-B-32/openai --json
    """
    with progress(quiet=quiet or as_json) as show:
        found = models.evaluate_model(captions, images, settings, show)
    print_json(_as_json(found)) if as_json else _show(found)
    for problem in found.problems[:5]:
        note(f"  {show_path(problem.path)}: {problem.reason}: {problem.message}")
    if found.problems:
        note(f"{len(found.problems)} rows or pictures could not be used")


def _row(metrics: Metrics) -> dict[str, float]:
    return {**{f"R@{k}": round(value, 2) for k, value in metrics.recall.items()}, "MRR": round(metrics.mrr, 2)}


def _as_json(found: Evaluation) -> dict[str, object]:
    return {
        "text_to_image": _row(found.text_to_image),
        "image_to_text": _row(found.image_to_text),
        "images": found.images,
        "captions": found.captions,
        "model": found.model,
    }


def _show(found: Evaluation) -> None:
    rows = {"text -> image": _row(found.text_to_image), "image -> text": _row(found.image_to_text)}
    click.echo(f"{found.images} images, {found.captions} captions, model {found.model}; percent")
    click.echo(" " * 14 + "".join(f"{name:>8}" for name in next(iter(rows.values()))))
    for name, row in rows.items():
        click.echo(f"{name:<14}" + "".join(f"{value:8.1f}" for value in row.values()))
