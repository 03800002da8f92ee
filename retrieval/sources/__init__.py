"""Where things come from: folders of pictures, caption files, lists of paths. Does not know pixels."""

from __future__ import annotations

import os
from pathlib import Path


def placed(path: str | Path) -> Path:
    """A path as a library keeps it: absolute, without `..`; links are not followed, it stays as it was given."""
    return Path(os.path.abspath(path))  # noqa: PTH100  # resolve() would follow links
