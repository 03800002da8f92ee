#!/usr/bin/env python3
"""Train the built-in models from pictures, captions and the backbone file, on a CPU or a GPU.

    pip install -e '.[train]'
    python scripts/train_builtin.py encoder --train captions.csv pictures/ --choose dev.csv dev/ \
        --backbone mobilenet_v2_1.0_224_quant.tflite --labels imagenet_labels.txt --out retrieval/encoders/builtin
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
    click.option("--image-size", default=288, show_default=True, help="Side in pixels that the finished model reads."),
    click.option("--device", default="auto", show_default=True, help="auto, cpu or cuda."),
    click.option("--seed", default=0, show_default=True),
)  # fmt: skip

ENCODER = (
    click.option("--backbone", type=FILE, required=True, help="MobileNetV2 1.0 224, quantised .tflite."),
    click.option("--labels", type=FILE, required=True, help="ImageNet class names, one class a line."),
    click.option(
        "--head-epochs", default=15, show_default=True,
        help="Epochs of words and projections, the backbone frozen.",
    ),
    click.option("--epochs", default=10, show_default=True, help="Epochs with the upper half of the backbone."),
    click.option(
        "--text-epochs", default=3, show_default=True,
        help="Epochs of the text side in large batches, at the end.",
    ),
    click.option("--batch", default=256, show_default=True, help="Pictures a batch of the second stage."),
    click.option("--layers", default=1, show_default=True, help="Layers of the text transformer."),
    click.option("--merges", default=5000, show_default=True, help="Byte-pair merges of the vocabulary."),
    click.option(
        "--start", type=FOLDER,
        help="A finished encoder to go on from: only the last stage, on these captions, is trained.",
    ),
    click.option("--drawn", default=1400, show_default=True, help="Pictures of pages, charts and patterns to add."),
)  # fmt: skip

CAPTIONER = (
    click.option("--encoder", type=FOLDER, required=True, help="The finished encoder's folder."),
    click.option("--epochs", default=4, show_default=True, help="Epochs over all sets."),
    click.option("--batch", default=256, show_default=True, help="Lines a batch."),
    click.option("--captions", default=2, show_default=True, help="Captions of a picture at a time, at most."),
    click.option("--layers", default=4, show_default=True, help="Layers of the decoder."),
    click.option(
        "--question-steps", default=350, show_default=True,
        help="Steps of the last stage, with more questions.",
    ),
    click.option("--start", type=FOLDER, help="A finished captioner to go on from: only the last stage is trained."),
    click.option("--rate", default=1e-3, show_default=True, help="Learning rate at its highest."),
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
