"""A vision-language model's files on this machine: looked up without network, fetched only when asked.

Knows the layouts of folders and the hub's cache; does not load anything.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from ..runtime import hub
from .model_name import Place, VlmName

CONFIG, ADAPTER = "config.json", "adapter_config.json"
WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
ADAPTER_WEIGHTS = ("adapter_model.safetensors",)
ENDS = 1 << 20  # bytes
PATTERNS = ("*.json", "*.safetensors", "*.jinja", "*.model", "*.txt")


def installed(name: VlmName, revision: str | None = None) -> Path | None:
    """The checkpoint's folder on this machine, without using the network."""
    if name.place is Place.FOLDER:
        return name.path
    return hub.snapshot(name.repository, CONFIG, WEIGHTS, revision) or hub.snapshot(
        name.repository, ADAPTER, ADAPTER_WEIGHTS, revision
    )


def fingerprint(folder: Path) -> str:
    """Eight digits that tell weights apart: of their files' names, sizes and ends, so that large ones cost nothing."""
    found = hashlib.blake2b(digest_size=4)
    for file in sorted(folder.glob("*.safetensors")):
        size = file.stat().st_size
        found.update(f"{file.name} {size} ".encode())
        with file.open("rb") as data:
            for place in (0, max(0, size - ENDS)):
                data.seek(place)
                found.update(data.read(ENDS))
    return found.hexdigest()


def pull(name: VlmName) -> Path:
    """Fetch a checkpoint (see `hub.fetch`), and what it is an adapter of."""
    folder = installed(name) or hub.fetch(
        name.spelling, name.repository, lambda: hub.download(name.repository, PATTERNS)
    )
    if (folder / ADAPTER).is_file():
        base = json.loads((folder / ADAPTER).read_text(encoding="utf-8"))["base_model_name_or_path"]
        pull(VlmName.parse(f"hf-hub:{base}"))
    return folder
