"""Pictures that no photo collection's captions teach: pages of text, charts, patterns, textures, noise, things.

Captioned photos alone leave the model free to put such pictures anywhere, and it puts them near everything. Drawn by
code, so nothing of others is in them. Knows pixels and words; does not know the model.
"""

from __future__ import annotations

import colorsys
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from .captions import Captioned
from .drawn_things import SIDE, THINGS, Drawn

HUES = ("red", "orange", "yellow", "green", "turquoise", "blue", "purple", "pink")


def _colour(luck: random.Random) -> tuple[str, tuple[int, int, int]]:
    place = luck.randrange(len(HUES) + 3)
    if place >= len(HUES):
        name, grey = (("black", 20), ("grey", 128), ("white", 240))[place - len(HUES)]
        return name, (grey, grey, grey)
    hue = (0.0, 0.08, 0.15, 0.33, 0.48, 0.61, 0.78, 0.91)[place]
    red, green, blue = colorsys.hsv_to_rgb(hue, luck.uniform(0.5, 1), luck.uniform(0.6, 1))
    return HUES[place], (round(255 * red), round(255 * green), round(255 * blue))


def _two(luck: random.Random) -> tuple[tuple[str, tuple[int, int, int]], tuple[str, tuple[int, int, int]]]:
    first = second = _colour(luck)
    while second[0] == first[0]:
        second = _colour(luck)
    return first, second


def _noise(luck: random.Random, side: int, layers: int = 1) -> np.ndarray:
    """(side, side, layers) normal values, the same for the same luck."""
    return np.random.default_rng(luck.randrange(2**32)).normal(size=(side, side, layers))


def plain(luck: random.Random, words: Sequence[str]) -> Drawn:  # noqa: ARG001  # only pages have words
    (name, one), (other, two) = _two(luck)
    picture = Image.new("RGB", (SIDE, SIDE), one)
    if luck.random() < 0.5:
        return picture, [f"a plain {name} background", f"nothing but {name}", "an empty picture"]
    picture.paste(Image.new("RGB", (SIDE, SIDE), two), mask=Image.linear_gradient("L").resize((SIDE, SIDE)))
    return picture.rotate(luck.choice((0, 90, 180))), [f"a gradient from {name} to {other}", "a smooth background"]


def page(luck: random.Random, words: Sequence[str]) -> Drawn:
    dark, paper = luck.randrange(60), luck.randrange(190, 256)
    picture = Image.new("RGB", (SIDE, SIDE), (paper, paper, paper - luck.randrange(30)))
    pen, size = ImageDraw.Draw(picture), luck.randrange(8, 26)
    for top in range(luck.randrange(20), SIDE, round(size * 1.5)):
        line = " ".join(luck.choices(words, k=1 + SIDE // (3 * size)))
        pen.text((luck.randrange(4, 16), top), line, (dark, dark, dark), ImageFont.load_default(size))
    said = ["a page of printed text", "a document", "a photo of a page with words", "black writing on white paper"]
    return picture.rotate(luck.uniform(-6, 6), fillcolor=(paper, paper, paper)), said


def chart(luck: random.Random, words: Sequence[str]) -> Drawn:
    (_, one), (name, two) = (("white", (250, 250, 250)), _colour(luck))
    picture = Image.new("RGB", (SIDE, SIDE), one)
    pen, values = ImageDraw.Draw(picture), [luck.uniform(20, 170) for _ in range(luck.randrange(4, 14))]
    pen.line([(20, 10), (20, 200), (215, 200)], (0, 0, 0), 2)
    step = 190 / len(values)
    tops = [(24 + k * step, 198 - value) for k, value in enumerate(values)]
    pen.text((40, 205), luck.choice(words), (0, 0, 0), ImageFont.load_default(12))
    if luck.random() < 0.5:
        for left, top in tops:
            pen.rectangle((left, top, left + 0.7 * step, 198), two)
        return picture, ["a bar chart", f"a chart with {name} bars", "a diagram", "a graph with bars"]
    pen.line(tops, two, luck.randrange(1, 5))
    return picture, ["a line chart", f"a graph with a {name} line", "a diagram", "a plot of a curve"]


def stripes(luck: random.Random, words: Sequence[str]) -> Drawn:  # noqa: ARG001
    (name, one), (other, two) = _two(luck)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    size = luck.randrange(4, 50)
    squares = luck.random() < 0.5
    where = (columns // size + rows // size) % 2 if squares else (columns // size) % 2
    picture = Image.fromarray(np.where(where[..., None], one, two).astype(np.uint8))
    if squares:
        return picture, ["a checkerboard pattern", f"{name} and {other} squares", "a chess board"]
    return picture.rotate(luck.choice((0, 45, 90)), fillcolor=one), ["a striped pattern", f"{name} and {other} stripes"]


def texture(luck: random.Random, words: Sequence[str]) -> Drawn:  # noqa: ARG001
    name, tint = _colour(luck)
    side = luck.choice((SIDE, SIDE // 2, SIDE // 8, SIDE // 24))
    rough = np.clip(np.asarray(tint) * 0.6 + 50 + luck.uniform(15, 60) * _noise(luck, side), 0, 255).astype(np.uint8)
    picture = Image.fromarray(rough).resize((SIDE, SIDE), luck.choice((Image.Resampling.BICUBIC, Image.Resampling.BOX)))
    if side == SIDE:
        return picture, ["noise", f"{name} grainy noise", "static on a screen"]
    return picture, [f"a rough {name} texture", "a surface from near", "an abstract pattern", "a blurred background"]


def blobs(luck: random.Random, words: Sequence[str]) -> Drawn:  # noqa: ARG001
    (name, one), (other, two) = _two(luck)
    picture = Image.new("RGB", (SIDE, SIDE), one)
    pen, many = ImageDraw.Draw(picture), luck.random() < 0.7
    for _ in range(luck.randrange(12, 90) if many else 1):
        x, y, radius = luck.randrange(SIDE), luck.randrange(SIDE), luck.randrange(3, 16) if many else 70
        x, y = (x, y) if many else (112, 112)
        pen.ellipse((x - radius, y - radius, x + radius, y + radius * luck.uniform(0.6, 1.4)), two)
    picture = picture.filter(ImageFilter.GaussianBlur(luck.uniform(0, 3)))
    grain = np.clip(np.asarray(picture) + luck.uniform(0, 25) * _noise(luck, SIDE), 0, 255).astype(np.uint8)
    if not many:
        return Image.fromarray(grain), [f"a {other} circle on a {name} background", "a round shape", "a simple shape"]
    said = [f"{other} spots on a {name} background", "many round dots", "cells under a microscope", "a dotted pattern"]
    return Image.fromarray(grain), said


def lines(luck: random.Random, words: Sequence[str]) -> Drawn:  # noqa: ARG001
    (name, one), (other, two) = _two(luck)
    picture = Image.new("RGB", (SIDE, SIDE), one)
    pen = ImageDraw.Draw(picture)
    for _ in range(luck.randrange(2, 30)):
        pen.line([(luck.randrange(SIDE), luck.randrange(SIDE)) for _ in range(2)], two, luck.randrange(1, 8))
    return picture, ["a drawing of lines", f"{other} lines on {name}", "an abstract drawing", "scribbles"]


KINDS: tuple[Callable[[random.Random, Sequence[str]], Drawn], ...] = (
    plain, page, chart, stripes, texture, blobs, lines, *THINGS,
)  # fmt: skip


def draw(folder: Path, count: int, words: Sequence[str], seed: int) -> Captioned:
    """Write `count` pictures to `folder` (those already there are kept); `words` is what the pages say."""
    folder.mkdir(parents=True, exist_ok=True)
    paths, captions = [], []
    for number in range(count):
        path = folder / f"{number:05}.png"
        picture, said = KINDS[number % len(KINDS)](random.Random(f"{seed} {number}"), words)
        if not path.exists():
            picture.convert("RGB").save(path)
        paths.append(path)
        captions.append(tuple(said))
    return Captioned(tuple(paths), tuple(captions))
