"""A camera RAW file made by hand: the smallest DNG that LibRaw develops, with or without an embedded JPEG."""

from __future__ import annotations

import struct

import numpy as np

BYTE, ASCII, SHORT, LONG, RATIONAL, SRATIONAL = 1, 2, 3, 4, 5, 10
SIZES = {BYTE: 1, ASCII: 1, SHORT: 2, LONG: 4, RATIONAL: 8, SRATIONAL: 8}
FORMATS = {BYTE: "B", ASCII: "B", SHORT: "H", LONG: "I", RATIONAL: "II", SRATIONAL: "ii"}


def make(colour: tuple[int, int, int], size: tuple[int, int], preview: bytes = b"", orientation: int = 1) -> bytes:
    """A DNG of one colour (linear, 0 to 255 a channel), RGGB mosaic, `size` pixels wide and high."""
    width, height = size
    mosaic = np.empty((height, width), "<u2")
    for row, column, channel in ((0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 2)):
        mosaic[row::2, column::2] = colour[channel] * 257
    identity = [value for row in np.eye(3, dtype=int) for number in row for value in (int(number), 1)]
    tags: list[tuple[int, int, list[int]]] = [
        (254, LONG, [0]),
        (256, LONG, [width]),
        (257, LONG, [height]),
        (258, SHORT, [16]),
        (259, SHORT, [1]),
        (262, SHORT, [32803]),  # a colour filter array
        (271, ASCII, list(b"Test\0")),
        (272, ASCII, list(b"Box\0")),
        (273, LONG, [0]),  # where the pixels are; set below
        (274, SHORT, [orientation]),
        (277, SHORT, [1]),
        (278, LONG, [height]),
        (279, LONG, [mosaic.nbytes]),
        (33421, SHORT, [2, 2]),
        (33422, BYTE, [0, 1, 1, 2]),
        (50706, BYTE, [1, 4, 0, 0]),
        (50708, ASCII, list(b"Test Box\0")),
        (50717, LONG, [65535]),
        (50721, SRATIONAL, identity),
        (50728, RATIONAL, [1, 1, 1, 1, 1, 1]),
        (50778, SHORT, [21]),
    ]
    start = 8 + (2 + 12 * len(tags) + 4) + (2 + 12 * 6 + 4 if preview else 0)
    extra = b""

    def entry(tag: int, kind: int, values: list[int]) -> bytes:
        nonlocal extra
        per = len(FORMATS[kind])
        packed = b"".join(struct.pack("<" + FORMATS[kind], *values[k : k + per]) for k in range(0, len(values), per))
        if len(packed) <= 4:
            return struct.pack("<HHI", tag, kind, len(values) // per) + packed.ljust(4, b"\0")
        at = start + len(extra)
        extra += packed + b"\0" * (len(packed) % 2)
        return struct.pack("<HHII", tag, kind, len(values) // per, at)

    for _ in range(2):  # the first round finds how long the rest is, the second knows where the pixels are
        extra = b""
        first = b"".join(entry(*tag) for tag in tags)
        at = start + len(extra) + 64
        tags[8] = (273, LONG, [at])
    second = b""
    if preview:
        there = at + mosaic.nbytes
        rows = [
            (254, LONG, [1]),
            (259, SHORT, [7]),
            (262, SHORT, [6]),
            (273, LONG, [there]),
            (279, LONG, [len(preview)]),
        ]
        rows.insert(1, (256, LONG, [1024]))
        second = struct.pack("<H", 6) + b"".join(entry(*row) for row in rows) + struct.pack("<I", 0)
    following = 8 + 2 + 12 * len(tags) + 4 if preview else 0
    head = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(tags)) + first + struct.pack("<I", following)
    return (head + second + extra).ljust(at, b"\0") + mosaic.tobytes() + preview
