"""`retrieval ground`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from .. import app
from ..config import Settings
from ..records import Box
from .options import DEVICE, PATH, PRECISION, VLM_OPTIONS, json_option, settings_options
from .output import note, print_json, show_path


@click.command(name="ground")
@click.argument("image", type=PATH)
@click.argument("phrase")
@click.option("--draw", type=PATH, metavar="FILE", help="Write the picture with the boxes drawn on it.")
@settings_options(DEVICE, PRECISION, *VLM_OPTIONS)
@json_option
def command(image: Path, phrase: str, draw: Path | None, settings: Settings, as_json: bool) -> None:
    """Find where IMAGE shows what PHRASE says: boxes in parts of the picture's width and height.

    \b
    Examples:
      retrieval ground kitchen.jpg "the red cup" --vlm hf-hub:Qwen/Qwen3-VL-2B-Instruct
      retrieval ground kitchen.jpg "the red cup" --draw boxes.jpg --json
    """
    picture = app.picture(image.expanduser(), settings)
    model = app.vlm(settings)
    boxes = model.ground(picture, phrase)
    if draw:
        from ..pictures.drawing import save_with_boxes

        save_with_boxes(picture, boxes, draw)
        note(f"drawn: {show_path(draw)}")
    if as_json:
        size = {"width": picture.width, "height": picture.height}
        print_json({"image": image, "phrase": phrase, "model": model.name, **size, "boxes": boxes})
    else:
        for box in boxes:
            click.echo(_line(box, picture.width, picture.height))
    if not boxes:
        note("nothing found")
        sys.exit(1)


def _line(box: Box, width: int, height: int) -> str:
    corners = (box.left * width, box.top * height, box.right * width, box.bottom * height)
    return "\t".join((*(f"{corner:.0f}" for corner in corners), box.label))
