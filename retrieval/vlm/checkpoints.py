"""A vision-language model's files on this machine: looked up without network, fetched only when asked.

Knows the layouts of folders and the hub's cache; does not load anything.
"""

from __future__ import annotations

import json
from pathlib import Path

from .. import hub
from .names import Place, VlmName

CONFIG, ADAPTER = "config.json", "adapter_config.json"
WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
ADAPTER_WEIGHTS = ("adapter_model.safetensors",)
PATTERNS = ("*.json", "*.safetensors", "*.jinja", "*.model", "*.txt")


def installed(name: VlmName, revision: str | None = None) -> Path | None:
    """The checkpoint's folder on this machine, without using the network."""
    if name.place is Place.FOLDER:
        return name.path
    return hub.snapshot(name.repository, CONFIG, WEIGHTS, revision) or hub.snapshot(
        name.repository, ADAPTER, ADAPTER_WEIGHTS, revision
    )


def pull(name: VlmName) -> Path:
    """Fetch a checkpoint (see `hub.fetch`), and what it is an adapter of."""
    folder = installed(name) or hub.fetch(
        name.spelling, name.repository, lambda: hub.download(name.repository, PATTERNS)
    )
    if (folder / ADAPTER).is_file():
        base = json.loads((folder / ADAPTER).read_text(encoding="utf-8"))["base_model_name_or_path"]
        pull(VlmName.parse(f"hf-hub:{base}"))
    return folder
