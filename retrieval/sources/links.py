"""Symbolic links: which lead out of the folders that someone has named.

Whoever may write into a folder of pictures can put a link there. Links are followed to places below a folder that was
named for the library, and to no others: else such a link would show whatever the program can read.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path


class Homes:
    """The folders and files that were named; a place below one of them is at home."""

    def __init__(self, places: Iterable[Path]) -> None:
        self._places = tuple(places)

    def leads_out(self, path: str) -> bool:
        """Whether a path, with all links in it followed, leads to something that is there and not at home."""
        real = os.path.realpath(path)
        return os.path.exists(real) and not self.holds(real)  # noqa: PTH110  # strings, for speed

    def holds(self, real: str) -> bool:
        """Whether a path without links is at home."""
        return any(real == home or real.startswith(home.rstrip("/") + "/") for home in self._real)

    @cached_property
    def _real(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(os.path.realpath(place) for place in self._places))
