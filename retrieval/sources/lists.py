"""Reads lists of paths, one a line or separated by NUL, as `find` writes them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO


def read_paths(stream: BinaryIO) -> list[Path]:
    """Return the paths in `stream`, separated by NUL if there is one, else by newlines.

    Names need not be UTF-8.
    """
    data = stream.read().removeprefix(b"\xef\xbb\xbf")
    separator = b"\0" if b"\0" in data else b"\n"
    parts = data.split(separator) if separator == b"\0" else data.replace(b"\r\n", b"\n").split(separator)
    return [Path(os.fsdecode(part)) for part in parts if part.strip(b"\r")]
