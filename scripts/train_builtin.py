#!/usr/bin/env python3
"""Train the built-in models from pictures and captions, on a GPU or a CPU.

    pip install -e '.[train]'
    python scripts/train_builtin.py encoder --train captions.csv pictures/ --choose dev.csv dev/ \
        --labels imagenet_labels.txt --out retrieval/encoders/builtin
    python scripts/train_builtin.py captioner --train captions.csv pictures/ --choose dev.csv dev/ \
        --encoder retrieval/encoders/builtin --out retrieval/vlm/builtin

Each step leaves its result under `--work`; a killed run goes on with the step it was in.
"""

from __future__ import annotations

from pathlib import Path

import click
from training import captioner_recipe, recipe

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
ANYWHERE = click.Path(path_type=Path)

DATA = (
    click.option(
        "--train", "train", type=(FILE, FOLDER), multiple=True, required=True,
        help="Captions CSV and picture folder; may be given several times.",
    ),
    click.option(
        "--choose", type=(FILE, FOLDER), multiple=True, required=True,
        help="The same, held back: the first chooses the epoch, all are measured. Never trained on.",
    ),
    click.option(
        "--repeat", type=int, multiple=True,
        help="How often an epoch shows each --train set, in order.  [default: 1]",
    ),
    click.option(
        "--work", type=ANYWHERE, default=Path("build/builtin"), show_default=True,
        help="Where caches, checkpoints and the log go; the captioner reuses the encoder's caches.",
    ),
    click.option("--out", type=ANYWHERE, required=True, help="Where the finished model is written."),
    click.option("--device", default="auto", show_default=True, help="auto, cpu or cuda."),
    click.option("--seed", default=0, show_default=True),
)  # fmt: skip

ENCODER = (
    click.option("--image-size", default=288, show_default=True, help="Side in pixels that the finished model reads."),
    click.option("--labels", type=FILE, required=True, help="ImageNet class names, one class a line."),
    click.option("--minutes", default=5.0, show_default=True, help="How long each run trains both towers end to end."),
    click.option("--runs", default=2, show_default=True, help="Runs whose weights are averaged."),
    click.option("--epochs", default=4, show_default=True, help="Epochs of the last stage, on cached features."),
    click.option("--drawn", default=2500, show_default=True, help="Pictures of pages, charts and things to add."),
    click.option(
        "--start", type=FILE,
        help="Weights of finished runs, as --work keeps them (end-to-end.safetensors): only the last stage is trained.",
    ),
)  # fmt: skip

CAPTIONER = (
    click.option("--encoder", type=FOLDER, required=True, help="The finished encoder's folder."),
    click.option("--epochs", default=5, show_default=True, help="Epochs over all sets."),
    click.option("--reward-epochs", default=3, show_default=True, help="Epochs of the last stage, with rewards."),
    click.option(
        "--unreadable", default=3000, show_default=True, help="Pictures to add that it must not describe."
    ),
    click.option(
        "--start", type=FILE,
        help="Weights that --work keeps (captioner.safetensors): only the last stage is trained.",
    ),
)  # fmt: skip


@click.group()
def main() -> None:
    """Train the built-in models."""


def encoder(**given: object) -> None:
    """Train the dual encoder and write it to --out."""
    recipe.run(recipe.Options(**given))  # type: ignore[arg-type]  # click gives each option its type


def captioner(**given: object) -> None:
    """Train the captioner on a finished encoder and write it to --out."""
    captioner_recipe.run(captioner_recipe.Options(**given))  # type: ignore[arg-type]  # as above


for function, own in ((encoder, ENCODER), (captioner, CAPTIONER)):
    for option in reversed(DATA + own):
        function = option(function)
    main.command()(function)

if __name__ == "__main__":
    main()
