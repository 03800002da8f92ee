"""Input sources: folders of pictures, caption files and lists of paths. Does not know pixels."""

from __future__ import annotations

import os
from pathlib import Path


def absolute_path(path: str | Path) -> Path:
    """Return a path as the library stores it: absolute, without `..`, with symbolic links left as they are."""
    return Path(os.path.abspath(path))  # noqa: PTH100  # resolve() would follow links
