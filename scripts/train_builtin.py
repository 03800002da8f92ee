#!/usr/bin/env python3
"""Train the built-in dual encoder from pictures, captions and the backbone file, on a CPU or a GPU.

    pip install -e '.[train]'
    python scripts/train_builtin.py --train captions.csv pictures/ --choose dev.csv dev/ \
        --backbone mobilenet_v2_1.0_224_quant.tflite --labels imagenet_labels.txt --out retrieval/encoders/builtin

Each step leaves its result under `--work`; a killed run goes on with the step it was in.
"""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import click
import numpy as np
import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from training import backbone, captions, features, loop, model, tokens
from training.knowledge import Knowledge

Pair = tuple[Path, Path]
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command()
@click.option(
    "--train",
    "train_sets",
    type=(FILE, FOLDER),
    multiple=True,
    required=True,
    help="Captions CSV and picture folder; may be given several times.",
)
@click.option(
    "--choose",
    "dev_sets",
    type=(FILE, FOLDER),
    multiple=True,
    required=True,
    help="The same, held back: the epoch is chosen here. Never trained on.",
)
@click.option(
    "--repeat", multiple=True, type=int, help="How often an epoch shows each --train set, in order.  [default: 1]"
)
@click.option("--backbone", "backbone_file", type=FILE, required=True, help="MobileNetV2 1.0 224, quantised .tflite.")
@click.option("--labels", type=FILE, required=True, help="ImageNet class names, one class a line.")
@click.option(
    "--work",
    type=click.Path(path_type=Path),
    default=Path("build/builtin"),
    show_default=True,
    help="Where caches, checkpoints and the log go.",
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Where the finished model is written.")
@click.option("--head-epochs", default=12, show_default=True, help="Epochs with the backbone frozen.")
@click.option("--epochs", default=14, show_default=True, help="Epochs with its upper half trained.")
@click.option("--batch", default=256, show_default=True, help="Pictures a batch of the second stage.")
@click.option("--layers", default=1, show_default=True, help="Layers of the text transformer.")
@click.option("--merges", default=5000, show_default=True, help="Byte-pair merges of the vocabulary.")
@click.option("--seed", default=0, show_default=True)
def main(
    train_sets: tuple[Pair, ...],
    dev_sets: tuple[Pair, ...],
    repeat: tuple[int, ...],
    backbone_file: Path,
    labels: Path,
    work: Path,
    out: Path,
    head_epochs: int,
    epochs: int,
    batch: int,
    layers: int,
    merges: int,
    seed: int,
) -> None:
    """Train the built-in model and write it to --out."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    work.mkdir(parents=True, exist_ok=True)
    repeats = repeat or (1,) * len(train_sets)
    if len(repeats) != len(train_sets):
        raise click.UsageError(f"{len(train_sets)} --train sets need as many --repeat, got {len(repeats)}")
    network = backbone.load(backbone_file)
    names = captions.class_names(labels)
    data = [captions.read(*pair) for pair in train_sets]
    held_back = [captions.read(*pair) for pair in dev_sets]

    bpe = work / "bpe.txt.gz"
    if not bpe.exists():
        spoken = [caption for part in data for each in part.captions for caption in each]
        tokens.train(spoken + [name for each in names for name in each] * 2, merges, bpe)
    tokenizer = tokens.load(bpe, model.CONTEXT)
    config = model.configuration(len(tokenizer.encoder), layers)

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns) as progress, (work / "log.jsonl").open("a", encoding="utf-8") as log:

        def part(name: str, read: captions.Captioned, views: int) -> loop.Part:
            cached = features.cache(read.pictures, network, work / f"{name}.npy", progress, views=views, seed=seed)
            return loop.Part.of(name, read, cached, tokenizer)

        dev = [
            part(f"dev{k}-{pair[0].parent.name}", read, 1)
            for k, (pair, read) in enumerate(zip(dev_sets, held_back, strict=True))
        ]
        parts = [
            part(f"train{k}-{pair[0].parent.name}", read, features.VIEWS)
            for k, (pair, read) in enumerate(zip(train_sets, data, strict=True))
        ]
        pooled_file = work / "pooled.npy"
        if not pooled_file.exists():
            np.save(
                pooled_file, torch.cat([features.pooled(each.activations, network.upper) for each in parts]).numpy()
            )
        pooled = torch.from_numpy(np.load(pooled_file))
        knowledge = Knowledge.of(pooled[:, 0], network.classifier_weight, network.classifier_bias)

        encoder = model.DualEncoder(config, network, dropout=(0.3, 0.2))
        trainer = loop.Trainer(encoder, parts, repeats, knowledge, names, tokenizer, pooled, log)
        best = 0.0

        def after(epoch: int, last: bool) -> None:
            nonlocal best
            if not last and encoder.bag_of_words:
                return
            found: dict[str, object] = {}
            for each in dev:
                found |= loop.recalls(trainer.average, each)
            trainer.say({"epoch": epoch, **found})
            total = sum(value for value in found.values() if isinstance(value, float))
            if total > best:
                best = total
                model.export(trainer.average, config, work / "best")

        head, full = work / "head.pt", work / "full.pt"
        if head.exists():
            encoder.load_state_dict(torch.load(head, weights_only=True)["average"])
            trainer.average.load_state_dict(encoder.state_dict())
        else:
            trainer.run(loop.Stage("head and text", head_epochs, 512, rate=1e-3, captions=2), progress, after)
            loop.save(trainer, head)
        encoder.bag_of_words = trainer.average.bag_of_words = False
        trainer.run(loop.Stage("upper backbone", epochs, batch, rate=5e-4, upper_rate=5e-4), progress, after)
        loop.save(trainer, full)

    out.mkdir(parents=True, exist_ok=True)
    for name in ("open_clip_config.json", "open_clip_model.safetensors"):
        shutil.copy(work / "best" / name, out / name)
    shutil.copy(bpe, out / "bpe.txt.gz")
    click.echo(json.dumps({"written": str(out), "bytes": sum(f.stat().st_size for f in out.iterdir() if f.is_file())}))


if __name__ == "__main__":
    main()
