"""The list of vision-language models: `known.toml`, with the abilities of families and what is installed.

Knows names and files; loads no model.
"""

from __future__ import annotations

import functools
import tomllib
from pathlib import Path
from typing import Any

from ..types.results import VlmInfo
from . import families
from .checkpoints import installed
from .families import Family
from .model_name import VlmName

TABLE = Path(__file__).parent / "known.toml"


@functools.cache
def rows() -> tuple[dict[str, Any], ...]:
    """Return the rows of `known.toml` as they are written."""
    return tuple(tomllib.loads(TABLE.read_text(encoding="utf-8"))["model"])


def known() -> list[VlmInfo]:
    """Return every row, with its family's abilities and those of its repositories that are installed."""
    models = []
    for row in rows():
        family = families.named(row["family"])
        here = [name for name in row["repositories"] if installed(VlmName.parse(f"hf-hub:{name}"))]
        models.append(
            VlmInfo(
                family=family.name,
                route=family.route.value,
                repositories=tuple(row["repositories"]),
                sizes=tuple(row["sizes"]),
                licence=row["licence"],
                commercial=row["commercial"],
                resolution=row["resolution"],
                abilities=tuple(sorted(family.abilities)),
                installed=tuple(here),
                note=row.get("note", ""),
            )
        )
    return models


def family_of(repository: str) -> Family | None:
    """Return the family of a repository in the list; None if it is not there."""
    for row in rows():
        if repository and repository in row["repositories"]:
            return families.named(row["family"])
    return None
