"""Input sources: folders of pictures, caption files and lists of paths. Does not know pixels."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path


def absolute_path(path: str | Path) -> Path:
    """Return a path as the library stores it: absolute, without `..`, with symbolic links left as they are."""
    return Path(os.path.abspath(path))  # noqa: PTH100  # resolve() would follow links


def absolute_paths(places: Sequence[str | Path] | None) -> list[Path] | None:
    """Return places as the library stores them (absolute paths); None stands for the whole library."""
    return None if places is None else [absolute_path(place) for place in places]
