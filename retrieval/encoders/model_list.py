"""The list of encoders: recommended models from `known.toml`, open_clip's full list, and which are installed.

Knows names and files; loads no model.
"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

from ..errors import ModelError
from ..types.results import ModelInfo
from . import checkpoints
from .builtin_encoder import BUILTIN, WEIGHTS
from .model_name import ModelName

TABLE = Path(__file__).parent / "known.toml"


def known() -> list[ModelInfo]:
    """Return the models of `known.toml`, the built-in one first."""
    rows = tomllib.loads(TABLE.read_text(encoding="utf-8"))["model"]
    return [_installed(ModelInfo(**row)) for row in rows]


def knows_only_english(model: str) -> bool:
    """Return whether a model is known to understand English alone."""
    rows = tomllib.loads(TABLE.read_text(encoding="utf-8"))["model"]
    return any(row["name"] == model and row.get("languages") == "English" for row in rows)


def multilingual() -> str:
    """Return the name of the smallest model of `known.toml` that understands many languages."""
    rows = tomllib.loads(TABLE.read_text(encoding="utf-8"))["model"]
    many = [row for row in rows if row.get("languages", "").startswith("many")]
    return str(min(many, key=lambda row: float(row.get("download", 0)))["name"])


def everything() -> list[ModelInfo]:
    """Return the models of `known.toml`, then every other architecture and tag that open_clip lists."""
    import open_clip

    first = known()
    names = {info.name for info in first}
    rest = [f"{architecture}/{tag}" for architecture, tag in open_clip.list_pretrained()]
    return first + [_details(name) for name in rest if name not in names]


def _details(name: str) -> ModelInfo:
    import open_clip

    config = open_clip.get_model_config(name.partition("/")[0]) or {}
    size = config.get("vision_cfg", {}).get("image_size")
    info = ModelInfo(name, dimensions=config.get("embed_dim"), image_size=size if isinstance(size, int) else None)
    return _installed(info)


def _installed(info: ModelInfo) -> ModelInfo:
    from dataclasses import replace

    if info.name == "builtin":
        return replace(info, parameters=_parameters(BUILTIN / WEIGHTS), installed=True)
    try:
        return replace(info, installed=checkpoints.installed(ModelName.parse(info.name)) is not None)
    except ModelError:
        return info


def _parameters(weights: Path) -> float:
    """Return the number of parameters in a safetensors file, in millions, from its header."""
    with weights.open("rb") as stream:
        header = json.loads(stream.read(int.from_bytes(stream.read(8), "little")))
    shapes = [entry["shape"] for name, entry in header.items() if not name.endswith((".scale", "__metadata__"))]
    total = 0
    for shape in shapes:
        count = 1
        for side in shape:
            count *= side
        total += count
    return round(total / 1e6, 2)
