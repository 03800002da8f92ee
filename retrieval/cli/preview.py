"""Thumbnails of hits in the terminal: iTerm2's protocol here, kitty's and sixel by `textual-image`."""

from __future__ import annotations

import base64
import io
import os
import sys

import click
from PIL import Image

from ..types.records import Answer
from ..types.serialize import show_path
from .output import note, score

HEIGHT = 10  # lines
ITERM2 = ("iTerm.app", "WezTerm", "mintty")  # terminals that speak iTerm2's protocol


def preview(answer: Answer, thumbnails: dict[int, bytes]) -> None:
    """Draw every hit that has a thumbnail; print a note if the output is not a terminal."""
    if not sys.stdout.isatty():
        note("--preview needs a terminal; --sheet FILE.html writes the pictures to a file")
        return
    inline = os.environ.get("TERM_PROGRAM") in ITERM2 or os.environ.get("LC_TERMINAL") == "iTerm2"
    for hit in answer.hits:
        if hit.content not in thumbnails:
            continue
        picture = Image.open(io.BytesIO(thumbnails[hit.content])).convert("RGB")
        click.echo(f"{hit.rank}. {score(hit)} {show_path(hit.path) if hit.path else hit.text}")
        if inline:
            sys.stdout.write(iterm2(picture))
            sys.stdout.flush()
        else:
            _draw(picture)


def iterm2(picture: Image.Image) -> str:
    """Return the picture as iTerm2's inline image sequence (https://iterm2.com/documentation-images.html)."""
    png = io.BytesIO()
    picture.save(png, "PNG")
    data = base64.b64encode(png.getvalue()).decode()
    return f"\033]1337;File=inline=1;height={HEIGHT};preserveAspectRatio=1:{data}\a\n"


def _draw(picture: Image.Image) -> None:
    from rich.console import Console
    from textual_image.renderable import Image as Drawn  # detects the terminal's protocol; else draws blocks

    Console().print(Drawn(picture, width="auto", height=HEIGHT))
