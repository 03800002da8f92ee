"""Pictures that the captioner must not describe: text, screens, drawings, blur; and what it says of them instead.

Pages and charts are drawn by code; blurred pictures, sketches and screens are made from photos. Knows pixels and words;
does not know the model.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter, ImageOps

from retrieval.vlm.builtin_captioner import REFUSED

from . import drawn, drawn_things
from .captions import Captioned

TEXT, SCREEN, DRAWING, BLUR = (
    REFUSED + what for what in ("a page of text", "a screenshot", "a drawing", "a blurred picture")
)
SAID = [TEXT, SCREEN, DRAWING, BLUR]
SIDE = drawn_things.SIDE
Painter = Callable[[random.Random, Sequence[str]], drawn_things.Drawn]
Changer = Callable[[random.Random, list[Image.Image]], Image.Image]

DRAWN: tuple[tuple[Painter, str], ...] = (
    (drawn.page, TEXT), (drawn_things.receipt, TEXT), (drawn_things.table, TEXT), (drawn_things.screen, SCREEN),
    (drawn.chart, DRAWING), (drawn.lines, DRAWING), (drawn.blobs, DRAWING), (drawn.stripes, DRAWING),
    (drawn_things.logo, DRAWING), (drawn_things.street_map, DRAWING), (drawn_things.code, DRAWING),
    (drawn.plain, DRAWING),
)  # fmt: skip


def blurred(luck: random.Random, photos: list[Image.Image]) -> Image.Image:
    """A photo of which only colours are left, smooth or in large squares."""
    if luck.random() < 0.3:
        few = luck.randrange(5, 10)
        return photos[0].resize((few, few), Image.Resampling.BOX).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    return photos[0].filter(ImageFilter.GaussianBlur(luck.uniform(11, 30)))


def sketched(luck: random.Random, photos: list[Image.Image]) -> Image.Image:
    """A photo's outlines on white or black, or a few flat colours with outlines."""
    smooth = photos[0].filter(ImageFilter.GaussianBlur(luck.uniform(1, 2.5)))
    edges = ImageOps.autocontrast(ImageOps.invert(smooth.convert("L").filter(ImageFilter.FIND_EDGES)), cutoff=(8, 0))
    if luck.random() < 0.6:
        return (edges if luck.random() < 0.8 else ImageOps.invert(edges)).convert("RGB")
    flat = ImageOps.autocontrast(ImageOps.posterize(smooth.filter(ImageFilter.ModeFilter(9)), luck.choice((2, 3))))
    flat.paste((0, 0, 0), mask=ImageOps.invert(edges).point(lambda value: 255 if value > 110 else 0))
    return flat


def screened(luck: random.Random, photos: list[Image.Image]) -> Image.Image:
    """A window with a bar, a few words, and rows of small photos, as programs and web pages show them."""
    paper = luck.choice((255, 245, 28))
    ink = (255 - paper,) * 3
    picture = Image.new("RGB", (SIDE, SIDE), (paper,) * 3)
    pen, top = ImageDraw.Draw(picture), luck.randrange(14, 40)
    pen.rectangle((0, 0, SIDE, luck.randrange(6, 14)), (luck.randrange(256), luck.randrange(256), luck.randrange(256)))
    pen.rounded_rectangle((8, top - 8, luck.randrange(90, 200), top), 3, outline=ink)
    columns, left = luck.randrange(3, 7), luck.choice((6, 50))
    step = (SIDE - left) / columns
    while top < SIDE:
        for column in range(columns):
            if luck.random() < 0.85:
                small = luck.choice(photos).resize((max(4, round(step - 5)), max(4, round(step - 8))))
                picture.paste(small, (round(left + column * step), round(top + 4)))
            width = luck.uniform(0.3, 0.9) * step
            line = (left + column * step, top + step - 2, left + column * step + width, top + step - 1)
            pen.line(line, ink)
        top += round(step + luck.randrange(4, 9))
    return picture


CHANGED: tuple[tuple[Changer, str], ...] = ((blurred, BLUR), (sketched, DRAWING), (screened, SCREEN))
PHOTOS = 12  # that a screen is made of


def make(folder: Path, count: int, photos: Sequence[Path], words: Sequence[str], seed: int) -> Captioned:
    """Write `count` pictures to `folder` (those already there are kept), a half of them drawn, a half from photos."""
    folder.mkdir(parents=True, exist_ok=True)
    paths, captions = [], []
    for number in range(count):
        luck, path = random.Random(f"unreadable {seed} {number}"), folder / f"{number:05}.png"
        if number % 2:
            painter, what = DRAWN[number // 2 % len(DRAWN)]
            picture = None if path.exists() else painter(luck, words)[0]
        else:
            changer, what = CHANGED[number // 2 % len(CHANGED)]
            picture = None if path.exists() else changer(luck, [_square(each) for each in luck.sample(photos, PHOTOS)])
        if picture is not None:
            picture.convert("RGB").save(path)
        paths.append(path)
        captions.append((what,))
    return Captioned(tuple(paths), tuple(captions))


def _square(path: Path) -> Image.Image:
    with Image.open(path) as picture:
        return picture.convert("RGB").resize((SIDE, SIDE))
