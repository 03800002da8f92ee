"""The table of vision-language models: `known.toml`, with what their families can do and what is on this machine.

Knows names and files; loads no model.
"""

from __future__ import annotations

import functools
import tomllib
from pathlib import Path
from typing import Any

from . import families
from .families import Family

TABLE = Path(__file__).parent / "known.toml"


@functools.cache
def rows() -> tuple[dict[str, Any], ...]:
    """The table as it is written."""
    return tuple(tomllib.loads(TABLE.read_text(encoding="utf-8"))["model"])


def family_of(repository: str) -> Family | None:
    """The family of a repository that the table knows."""
    for row in rows():
        if repository and repository in row["repositories"]:
            return families.named(row["family"])
    return None
