"""Drawings of things that a photo collection's captions seldom name: coins, the moon, bricks, a clock, a map, a scan.

Each is crude, but its captions put the words, and the real pictures that share its texture, in one place. Knows pixels
and words; does not know the model.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

SIDE = 224
Drawn = tuple[Image.Image, list[str]]
Colour = tuple[int, int, int]


def _grey(value: float) -> Colour:
    level = round(max(0.0, min(255.0, value)))
    return level, level, level


def _near(luck: random.Random, colour: Colour, spread: int) -> Colour:
    red, green, blue = (max(0, min(255, part + luck.randint(-spread, spread))) for part in colour)
    return red, green, blue


def _clouds(luck: random.Random, octaves: int = 5) -> np.ndarray:
    """(SIDE, SIDE) noise of several scales in [0, 1]."""
    total = np.zeros((SIDE, SIDE), np.float32)
    numbers = np.random.default_rng(luck.randrange(2**32))
    for octave in range(octaves):
        side = 3 * 2**octave
        cells = Image.fromarray(numbers.uniform(0, 255, (side, side)).astype(np.uint8))
        total += np.asarray(cells.resize((SIDE, SIDE), Image.Resampling.BICUBIC), np.float32) / 2**octave
    low, high = total.min(), total.max()
    spread: np.ndarray = (total - low) / (high - low)
    return spread


def _finished(picture: Image.Image, luck: random.Random) -> Image.Image:
    """A little blur and grain, and now and then in black and white, as cameras and scanners leave them."""
    picture = picture.filter(ImageFilter.GaussianBlur(luck.uniform(0, 1.5)))
    grain = np.random.default_rng(luck.randrange(2**32)).normal(size=(SIDE, SIDE, 1)) * luck.uniform(0, 12)
    picture = Image.fromarray(np.clip(np.asarray(picture, np.float32) + grain, 0, 255).astype(np.uint8))
    return picture.convert("L").convert("RGB") if luck.random() < 0.35 else picture


def coins(luck: random.Random, words: Sequence[str]) -> Drawn:
    ground = _grey(luck.choice((luck.randrange(20, 90), luck.randrange(130, 230))))
    picture = Image.new("RGB", (SIDE, SIDE), ground)
    pen = ImageDraw.Draw(picture)
    metal = luck.choice(((150, 150, 155), (184, 115, 51), (200, 170, 80), (110, 105, 95)))
    columns = luck.randrange(2, 7)
    step = SIDE / columns
    for row in range(columns):
        for column in range(columns):
            radius = step * luck.uniform(0.25, 0.48)
            x, y = (column + luck.uniform(0.4, 0.6)) * step, (row + luck.uniform(0.4, 0.6)) * step
            colour = _near(luck, metal, 35)
            pen.ellipse((x - radius + 2, y - radius + 3, x + radius + 2, y + radius + 3), _grey(ground[0] * 0.5))
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), colour, _near(luck, colour, 60), 2)
            inner = radius * 0.75
            pen.ellipse((x - inner, y - inner, x + inner, y + inner), outline=_near(luck, colour, 50))
            said = luck.choice((*words[:50], "1", "2", "5", "10", "50"))[:5]
            pen.text(
                (x - inner / 2, y - inner / 2), said, _near(luck, colour, 70), ImageFont.load_default(max(6, inner))
            )
    return _finished(picture, luck), ["coins", "old coins", "a collection of coins", "round metal coins", "money"]


def craters(luck: random.Random, words: Sequence[str]) -> Drawn:  # noqa: ARG001
    light = 60 + 150 * _clouds(luck)
    picture = Image.fromarray(light.astype(np.uint8)).convert("RGB")
    pen = ImageDraw.Draw(picture)
    for _ in range(luck.randrange(8, 50)):
        x, y, radius = luck.randrange(SIDE), luck.randrange(SIDE), 2 + luck.expovariate(1 / 9)
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), _grey(luck.uniform(40, 110)))
        pen.arc((x - radius, y - radius, x + radius, y + radius), 120, 300, _grey(luck.uniform(190, 250)), 2)
    said = ["the surface of the moon", "craters on the moon", "the moon", "a rocky planet", "a crater"]
    if luck.random() < 0.6:
        night = Image.new("RGB", (SIDE, SIDE), _grey(luck.randrange(12)))
        disc, radius = Image.new("L", (SIDE, SIDE)), luck.randrange(40, 105)
        x, y = luck.randrange(90, 135), luck.randrange(90, 135)
        ImageDraw.Draw(disc).ellipse((x - radius, y - radius, x + radius, y + radius), 255)
        picture = Image.composite(picture, night, disc.filter(ImageFilter.GaussianBlur(1)))
        said = ["the moon", "the full moon at night", "a planet in space", "the moon in a black sky"]
    return _finished(picture, luck), said


def stars(luck: random.Random, words: Sequence[str]) -> Drawn:  # noqa: ARG001
    numbers = np.random.default_rng(luck.randrange(2**32))
    sky = np.zeros((SIDE, SIDE, 3), np.float32) + numbers.uniform(0, 25, 3)
    for _ in range(luck.randrange(40, 400)):
        y, x = numbers.integers(0, SIDE, 2)
        sky[y, x] = numbers.uniform(90, 255) * numbers.uniform(0.7, 1, 3)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    for _ in range(luck.randrange(25)):
        y, x = numbers.integers(0, SIDE, 2)
        long, wide, turn = numbers.uniform(2, 12), numbers.uniform(1, 4), numbers.uniform(0, math.pi)
        along = (columns - x) * math.cos(turn) + (rows - y) * math.sin(turn)
        across = (rows - y) * math.cos(turn) - (columns - x) * math.sin(turn)
        glow = np.exp(-((along / long) ** 2) - (across / wide) ** 2)
        sky += glow[..., None] * numbers.uniform(60, 230) * numbers.uniform(0.5, 1, 3)
    picture = Image.fromarray(np.clip(sky, 0, 255).astype(np.uint8)).filter(
        ImageFilter.GaussianBlur(luck.uniform(0, 1))
    )
    return picture, ["stars", "the night sky", "galaxies", "outer space", "stars and galaxies in space", "astronomy"]


def bricks(luck: random.Random, words: Sequence[str]) -> Drawn:  # noqa: ARG001
    name, clay = luck.choice((("red", (150, 70, 50)), ("brown", (120, 85, 60)), ("grey", (130, 130, 130))))
    picture = Image.new("RGB", (SIDE, SIDE), _grey(luck.randrange(90, 220)))
    pen, high, gap = ImageDraw.Draw(picture), luck.randrange(10, 46), luck.randrange(1, 5)
    wide = high * luck.uniform(2, 3)
    for row in range(SIDE // high + 1):
        for column in range(-1, int(SIDE / wide) + 2):
            left, top = (column + row % 2 / 2) * wide, row * high
            pen.rectangle((left, top, left + wide - gap, top + high - gap), _near(luck, clay, 30))
    rough = np.asarray(picture, np.float32) * (0.75 + 0.4 * _clouds(luck, 6)[..., None])
    picture = Image.fromarray(np.clip(rough, 0, 255).astype(np.uint8))
    return _finished(picture, luck), ["a brick wall", "bricks", f"a wall of {name} bricks", "masonry", "a wall"]


def pebbles(luck: random.Random, words: Sequence[str]) -> Drawn:  # noqa: ARG001
    numbers = np.random.default_rng(luck.randrange(2**32))
    count = luck.choice((60, 150, 400))
    seeds = numbers.uniform(0, SIDE, (count, 2)).astype(np.float32)
    rows, columns = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    distance = np.full((SIDE, SIDE), np.inf, np.float32)
    second, owner = distance.copy(), np.zeros((SIDE, SIDE), int)
    for number, (y, x) in enumerate(seeds):
        far = (rows - y) ** 2 + (columns - x) ** 2
        nearer = far < distance
        second = np.where(nearer, distance, np.minimum(second, far))
        distance, owner = np.where(nearer, far, distance), np.where(nearer, number, owner)
    edge = np.clip((np.sqrt(second) - np.sqrt(distance)) / 6, 0, 1)
    shade = numbers.uniform(70, 210, count)[owner] * (0.25 + 0.75 * edge)
    tint = np.array(luck.choice(((1, 1, 1), (1, 0.95, 0.85), (0.9, 0.95, 1))))
    picture = Image.fromarray(np.clip(shade[..., None] * tint, 0, 255).astype(np.uint8))
    return _finished(picture, luck), ["gravel", "pebbles", "small stones on the ground", "a lot of stones", "rocks"]


def blades(luck: random.Random, words: Sequence[str]) -> Drawn:  # noqa: ARG001
    picture = Image.new("RGB", (SIDE, SIDE), (20, 45, 15))
    pen = ImageDraw.Draw(picture)
    for _ in range(luck.randrange(900, 2500)):
        x, y, lean = luck.randrange(SIDE), luck.randrange(SIDE + 30), luck.gauss(0, 12)
        colour = (luck.randrange(40, 140), luck.randrange(90, 210), luck.randrange(20, 90))
        pen.line([(x, y), (x + lean, y - luck.randrange(8, 40))], colour, luck.choice((1, 1, 2)))
    return _finished(picture, luck), [
        "grass",
        "a lawn",
        "blades of grass",
        "a green meadow from near",
        "a lot of grass",
    ]


def clock(luck: random.Random, words: Sequence[str]) -> Drawn:  # noqa: ARG001
    ground = _grey(luck.randrange(256))
    picture = Image.new("RGB", (SIDE, SIDE), ground)
    pen, x, y = ImageDraw.Draw(picture), luck.randrange(90, 135), luck.randrange(90, 135)
    radius = luck.randrange(50, 100)
    face, ink = luck.choice(((245, 20), (20, 235), (220, 60)))
    pen.ellipse((x - radius, y - radius, x + radius, y + radius), _grey(face), _grey(ink), luck.randrange(2, 9))
    font = ImageFont.load_default(radius / 6)
    for hour in range(12):
        turn = math.pi * hour / 6
        across, down = math.sin(turn), -math.cos(turn)
        if luck.random() < 0.5:
            pen.text((x + 0.78 * radius * across, y + 0.78 * radius * down), str(hour or 12), _grey(ink), font, "mm")
        else:
            outer = (x + 0.9 * radius * across, y + 0.9 * radius * down)
            pen.line([(x + 0.75 * radius * across, y + 0.75 * radius * down), outer], _grey(ink), 3)
    for long, thick in ((0.5, 5), (0.75, 3)):
        turn = luck.uniform(0, 2 * math.pi)
        pen.line([(x, y), (x + long * radius * math.sin(turn), y - long * radius * math.cos(turn))], _grey(ink), thick)
    return _finished(picture, luck), [
        "a clock",
        "a wall clock",
        "the face of a clock",
        "a watch",
        "a clock with two hands",
    ]


def scan(luck: random.Random, words: Sequence[str]) -> Drawn:  # noqa: ARG001
    picture = Image.new("RGB", (SIDE, SIDE), _grey(luck.randrange(15)))
    pen = ImageDraw.Draw(picture)
    if luck.random() < 0.5:
        wide, high = luck.randrange(60, 90), luck.randrange(80, 105)
        for share, level in ((1, luck.randrange(180, 256)), (0.92, luck.randrange(50, 120))):
            pen.ellipse((112 - wide * share, 112 - high * share, 112 + wide * share, 112 + high * share), _grey(level))
        for _ in range(luck.randrange(3, 10)):
            x, y = 112 + luck.gauss(0, wide / 3), 112 + luck.gauss(0, high / 3)
            across, down = luck.uniform(3, 22), luck.uniform(3, 30)
            pen.ellipse((x - across, y - down, x + across, y + down), _grey(luck.randrange(10, 170)))
        said = ["a scan of a head", "a brain scan", "a ct scan", "a medical scan", "an x-ray of a skull"]
    else:
        for side in (-1, 1):
            x, across = 112 + side * luck.randrange(35, 50), luck.randrange(28, 45)
            pen.ellipse((x - across, 30, x + across, 200), _grey(luck.randrange(30, 70)))
            for rib in range(luck.randrange(6, 11)):
                top = 35 + rib * 16
                pen.arc((x - across, top, x + across, top + 50), 180, 360, _grey(luck.randrange(110, 190)), 5)
        pen.rectangle((105, 10, 119, 220), _grey(luck.randrange(150, 220)))
        said = ["an x-ray", "an x-ray of a chest", "a medical scan", "ribs and lungs", "a radiograph"]
    return picture.filter(ImageFilter.GaussianBlur(luck.uniform(0, 4))), said


def retina(luck: random.Random, words: Sequence[str]) -> Drawn:  # noqa: ARG001
    picture = Image.new("RGB", (SIDE, SIDE), (4, 2, 2))
    pen, radius = ImageDraw.Draw(picture), luck.randrange(90, 140)
    red = luck.randrange(140, 230)
    pen.ellipse((112 - radius, 112 - radius, 112 + radius, 112 + radius), (red, red // 2 - 20, red // 6))
    x, y = luck.randrange(60, 165), luck.randrange(90, 135)
    pen.ellipse((x - 14, y - 16, x + 14, y + 16), (250, 225, 140))

    def vessel(at: tuple[float, float], turn: float, thick: float) -> None:
        while thick >= 0.8:
            turn += luck.gauss(0, 0.25)
            after = (at[0] + 9 * math.cos(turn), at[1] + 9 * math.sin(turn))
            pen.line([at, after], (red - 70, 25, 15), round(thick))
            at, thick = after, thick * 0.95
            if luck.random() < 0.12:
                vessel(at, turn + luck.choice((-0.7, 0.7)), thick * 0.7)

    for _ in range(luck.randrange(4, 8)):
        vessel((x, y), luck.uniform(0, 2 * math.pi), luck.uniform(2.5, 5))
    picture = picture.filter(ImageFilter.GaussianBlur(luck.uniform(0, 2)))
    return picture, ["a retina", "a human retina", "the inside of an eye", "blood vessels in an eye", "an eye scan"]


def tissue(luck: random.Random, words: Sequence[str]) -> Drawn:  # noqa: ARG001
    ground, dark = luck.choice((
        ((235, 205, 220), (120, 50, 140)), ((235, 230, 215), (130, 90, 60)), ((30, 30, 32), (150, 150, 150)),
        ((225, 225, 240), (70, 80, 150)),
    ))  # fmt: skip
    cloudy = np.asarray(ground) * (0.8 + 0.3 * _clouds(luck, 6)[..., None])
    picture = Image.fromarray(np.clip(cloudy, 0, 255).astype(np.uint8))
    pen, size = ImageDraw.Draw(picture), luck.choice((3, 5, 8, 30))
    for _ in range(luck.randrange(3, 8) if size == 30 else luck.randrange(60, 400)):
        x, y = luck.randrange(SIDE), luck.randrange(SIDE)
        across, down = size * luck.uniform(0.6, 1.4), size * luck.uniform(0.6, 1.4)
        pen.ellipse((x - across, y - down, x + across, y + down), _near(luck, dark, 40))
    picture = picture.filter(ImageFilter.GaussianBlur(luck.uniform(0.5, 2)))
    return picture, [
        "cells under a microscope",
        "tissue under a microscope",
        "a microscope picture",
        "cells",
        "biology",
    ]


def screen(luck: random.Random, words: Sequence[str]) -> Drawn:
    paper = luck.choice((250, 240, 30))
    ink = _grey(255 - paper)
    picture = Image.new("RGB", (SIDE, SIDE), _grey(paper))
    pen, bar = ImageDraw.Draw(picture), (luck.randrange(256), luck.randrange(256), luck.randrange(256))
    pen.rectangle((0, 0, SIDE, luck.randrange(10, 24)), bar)
    for place in range(3):
        pen.ellipse((6 + 12 * place, 4, 13 + 12 * place, 11), _near(luck, (200, 150, 100), 50))
    font, top = ImageFont.load_default(luck.randrange(7, 12)), 30
    pen.rectangle((0, 26, luck.randrange(20, 70), SIDE), _grey(paper * 0.9 + 12))
    while top < SIDE:
        left = luck.choice((6, 76))
        if luck.random() < 0.2:
            pen.rounded_rectangle((left, top, left + luck.randrange(30, 90), top + 16), 4, _near(luck, bar, 30))
        pen.text((left + 4, top + 2), " ".join(luck.choices(words, k=luck.randrange(1, 5))), ink, font)
        top += luck.randrange(13, 24)
    return picture, [
        "a screenshot",
        "a screenshot of a computer",
        "a web page",
        "a window with text",
        "a computer program",
    ]


def receipt(luck: random.Random, words: Sequence[str]) -> Drawn:
    picture = Image.new("RGB", (SIDE, SIDE), _grey(luck.randrange(40, 200)))
    pen, left, right = ImageDraw.Draw(picture), luck.randrange(10, 50), luck.randrange(170, 215)
    pen.rectangle((left, 0, right, SIDE), _grey(luck.randrange(225, 256)))
    font, ink, top = ImageFont.load_default(luck.randrange(7, 12)), _grey(luck.randrange(80)), luck.randrange(4, 14)
    pen.text(((left + right) / 2, top), luck.choice(words).upper(), ink, ImageFont.load_default(14), "mt")
    top += 22
    while top < SIDE - 10:
        pen.text((left + 5, top), luck.choice(words)[:14].upper(), ink, font)
        pen.text((right - 5, top), f"{luck.uniform(0, 99):.2f}", ink, font, "rt")
        top += luck.randrange(10, 16)
    picture = picture.rotate(luck.uniform(-8, 8), fillcolor=_grey(90))
    return _finished(picture, luck), [
        "a receipt",
        "a bill from a shop",
        "a receipt with prices",
        "a till receipt",
        "an invoice",
    ]


def logo(luck: random.Random, words: Sequence[str]) -> Drawn:
    picture = Image.new("RGB", (SIDE, SIDE), _grey(luck.choice((255, 245, 10))))
    pen = ImageDraw.Draw(picture)
    colour = (luck.randrange(256), luck.randrange(256), luck.randrange(256))
    for _ in range(luck.randrange(1, 4)):
        corners, radius, turn = luck.randrange(3, 9), luck.randrange(25, 70), luck.uniform(0, 360)
        shape = (112 + luck.randrange(-20, 20), 90, radius)
        pen.regular_polygon(shape, corners, turn, _near(luck, colour, 90))
    if luck.random() < 0.7:
        font = ImageFont.load_default(luck.randrange(18, 40))
        pen.text((112, 190), luck.choice(words)[:9].title(), colour, font, "mm")
    return picture, ["a logo", "the logo of a company", "an emblem", "a symbol", "a simple graphic"]


def street_map(luck: random.Random, words: Sequence[str]) -> Drawn:
    picture = Image.new("RGB", (SIDE, SIDE), luck.choice(((242, 239, 233), (225, 235, 220), (250, 245, 225))))
    pen = ImageDraw.Draw(picture)
    for colour in ((170, 210, 160), (150, 190, 230)):
        points = [(luck.randrange(SIDE), luck.randrange(SIDE)) for _ in range(5)]
        pen.polygon(points, colour)
    for _ in range(luck.randrange(8, 26)):
        road = luck.choice(((255, 255, 255), (250, 215, 120), (230, 150, 110), (160, 160, 160)))
        points = [(luck.randrange(-20, SIDE + 20), luck.randrange(-20, SIDE + 20)) for _ in range(luck.randrange(2, 4))]
        pen.line(points, road, luck.randrange(1, 7))
    for _ in range(luck.randrange(2, 9)):
        at = (luck.randrange(SIDE - 40), luck.randrange(SIDE - 10))
        pen.text(at, luck.choice(words).title(), (60, 60, 60), ImageFont.load_default(9))
    return picture, ["a map", "a street map", "a map of a city", "a city plan", "roads on a map"]


def rocket(luck: random.Random, words: Sequence[str]) -> Drawn:  # noqa: ARG001
    top, low = luck.choice(
        (((60, 110, 190), (190, 215, 240)), ((10, 10, 30), (90, 60, 60)), ((150, 160, 170), (220, 220, 220)))
    )
    ramp = np.linspace(0, 1, SIDE)[:, None, None]
    sky = np.asarray(top) * (1 - ramp) + np.asarray(low) * ramp
    picture = Image.fromarray(np.broadcast_to(sky, (SIDE, SIDE, 3)).astype(np.uint8))
    pen = ImageDraw.Draw(picture)
    x, wide, head, foot = (
        luck.randrange(80, 145),
        luck.randrange(5, 17),
        luck.randrange(15, 80),
        luck.randrange(165, 205),
    )
    flying = luck.random() < 0.4
    if flying:
        flame = [(x - wide, foot), (x + wide, foot), (x, SIDE)]
        pen.polygon(flame, (255, luck.randrange(150, 240), 80))
    else:
        pen.rectangle((0, foot, SIDE, SIDE), _near(luck, (90, 95, 80), 30))
        for side in luck.sample((-1, 1), luck.randrange(1, 3)):
            tower, step, steel = x + side * wide * 3, 10, _grey(luck.randrange(60, 160))
            for rung in range(head, foot, step):
                pen.rectangle((tower - 6, rung, tower + 6, rung + step), outline=steel)
                pen.line([(tower - 6, rung), (tower + 6, rung + step)], steel)
    body = _grey(luck.randrange(180, 256))
    pen.rectangle((x - wide, head + 2 * wide, x + wide, foot), body)
    pen.polygon([(x - wide, head + 2 * wide), (x + wide, head + 2 * wide), (x, head)], _near(luck, body, 30))
    pen.polygon([(x - wide, foot - 3 * wide), (x - 2 * wide, foot), (x - wide, foot)], body)
    pen.polygon([(x + wide, foot - 3 * wide), (x + 2 * wide, foot), (x + wide, foot)], body)
    said = ["a rocket", "a space rocket", "a rocket launch" if flying else "a rocket on a launch pad", "a spacecraft"]
    return _finished(picture, luck), said


def spectrum(luck: random.Random, words: Sequence[str]) -> Drawn:  # noqa: ARG001
    rows, columns = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    wheel = luck.random() < 0.5
    hue = np.arctan2(rows, columns) / (2 * math.pi) if wheel else columns / 2
    full = np.stack([(hue + luck.random()) % 1 * 255, np.full_like(hue, 255), np.full_like(hue, 230)], -1)
    picture = Image.fromarray(full.astype(np.uint8), "HSV").convert("RGB")
    if wheel:
        inside = Image.fromarray(((rows**2 + columns**2 < 0.9) * 255).astype(np.uint8))
        picture = Image.composite(picture, Image.new("RGB", (SIDE, SIDE), _grey(luck.choice((255, 0, 128)))), inside)
    return picture, [
        "all the colors of the rainbow",
        "a color wheel" if wheel else "a color chart",
        "bright colors",
        "a palette",
    ]


def code(luck: random.Random, words: Sequence[str]) -> Drawn:  # noqa: ARG001
    numbers = np.random.default_rng(luck.randrange(2**32))
    if luck.random() < 0.5:
        cells = numbers.integers(0, 2, (luck.randrange(17, 40),) * 2) * 255
        said = ["a qr code", "a square code of black and white dots", "a code to scan"]
    else:
        cells = np.repeat(numbers.integers(0, 2, (1, luck.randrange(30, 80))) * 255, 20, axis=0)
        said = ["a barcode", "black and white bars to scan", "a bar code of a product"]
    picture = Image.fromarray(cells.astype(np.uint8)).resize((180, 180), Image.Resampling.NEAREST)
    sheet = Image.new("L", (SIDE, SIDE), 255)
    sheet.paste(picture, (22, 22))
    return sheet.convert("RGB"), said


def table(luck: random.Random, words: Sequence[str]) -> Drawn:
    picture = Image.new("RGB", (SIDE, SIDE), _grey(luck.randrange(235, 256)))
    pen, wide, high = ImageDraw.Draw(picture), luck.randrange(28, 60), luck.randrange(13, 24)
    font = ImageFont.load_default(high * 0.6)
    for row, top in enumerate(range(0, SIDE, high)):
        for column, left in enumerate(range(0, SIDE, wide)):
            pen.rectangle((left, top, left + wide, top + high), outline=_grey(150))
            said = luck.choice(words)[:7] if row == 0 or column == 0 else str(luck.randrange(1000))
            pen.text((left + 3, top + 2), said, (20, 20, 20), font)
    return picture, ["a table of numbers", "a spreadsheet", "a table with rows and columns", "a form"]


THINGS: tuple[Callable[[random.Random, Sequence[str]], Drawn], ...] = (
    coins, craters, stars, bricks, pebbles, blades, clock, scan, retina, tissue,
    screen, receipt, logo, street_map, rocket, spectrum, code, table,
)  # fmt: skip
