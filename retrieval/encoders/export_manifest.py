"""The manifest of an export in the cache: what it holds, and the source files that it is valid for.

Knows one JSON file; does not know what an export is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..runtime import private_files


def write(path: Path, form: int, sources: Iterable[Path], said: dict[str, Any]) -> None:
    """Write a manifest; it is valid until one of the source files changes, or the program reads another format.

    Raises:
        OSError: it cannot be written.
    """
    private_files.write_text(path, json.dumps({"format": form, **said, "sources": _stamps(sources)}))


def read(path: Path, form: int) -> dict[str, Any] | None:
    """Return what a manifest says; None if there is none, it is damaged, or it is not valid any more."""
    try:
        said: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        sources = said["sources"]
        return said if said["format"] == form and _stamps(map(Path, sources)) == sources else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _stamps(files: Iterable[Path]) -> dict[str, list[int]]:
    """Return the size in bytes and the modification time in nanoseconds of each file; [0, 0] if it is missing."""
    stamps: dict[str, list[int]] = {}
    for file in files:
        try:
            status = file.stat()
            stamps[str(file)] = [status.st_size, status.st_mtime_ns]
        except OSError:
            stamps[str(file)] = [0, 0]
    return stamps
