"""The `retrieval ground` command."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ..config import Settings
from ..errors import UsageError
from ..library import backends
from ..types.records import Box
from ..types.serialize import show_path
from .options import DEVICE, PATH, PRECISION, VLM_OPTIONS, json_option, settings_options
from .output import note, print_json


@click.command(name="ground")
@click.argument("image", type=PATH)
@click.argument("phrase")
@click.option("--draw", type=PATH, metavar="FILE", help="Write the picture with the boxes drawn on it.")
@click.option("--mask", type=PATH, metavar="FILE", help="Write which pixels show it: from black (no) to white (yes).")
@settings_options(DEVICE, PRECISION, *VLM_OPTIONS)
@json_option
def command(image: Path, phrase: str, draw: Path | None, mask: Path | None, settings: Settings, as_json: bool) -> None:
    """Find where IMAGE shows PHRASE: boxes in pixels; with --json, as fractions of the picture's width and height.

    \b
    Examples:
      retrieval ground kitchen.jpg "the red cup" --vlm hf-hub:Qwen/Qwen3-VL-2B-Instruct
      retrieval ground kitchen.jpg "the red cup" --draw boxes.jpg --json
      retrieval ground kitchen.jpg "the red cup" --mask cup.png --vlm hf-hub:CIDAS/clipseg-rd64-refined
    """
    from ..pictures import drawing
    from ..vlm import Ability

    picture = backends.picture(image.expanduser(), settings)
    model = backends.vlm(settings)
    if mask and Ability.SEGMENT not in model.abilities:
        raise UsageError(f"{model.name} draws no masks; CLIPSeg and Florence-2 do (see `retrieval vlms`)")
    boxes = model.ground(picture, phrase)
    drawn = picture
    if mask:
        found = model.segment(picture, phrase)
        drawing.save(drawing.as_picture(found), mask)
        note(f"mask: {show_path(mask)}")
        drawn = drawing.with_mask(picture, found)
    if draw:
        drawing.save(drawing.with_boxes(drawn, boxes), draw)
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
