"""The files of vision-language models: found on this machine without network, downloaded only on request.

Knows the layouts of folders and the hub's cache; loads no model.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from ..runtime import hub
from .model_name import VlmName, VlmSource

CONFIG, ADAPTER = "config.json", "adapter_config.json"
WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
ADAPTER_WEIGHTS = ("adapter_model.safetensors",)
ENDS = 1 << 20  # bytes hashed at each end of a file
PATTERNS = ("*.json", "*.safetensors", "*.jinja", "*.model", "*.txt")


def installed(name: VlmName, revision: str | None = None) -> Path | None:
    """Return the checkpoint's folder on this machine, or None; uses no network."""
    if name.place is VlmSource.FOLDER:
        return name.path
    return hub.snapshot(name.repository, CONFIG, WEIGHTS, revision) or hub.snapshot(
        name.repository, ADAPTER, ADAPTER_WEIGHTS, revision
    )


def fingerprint(folder: Path) -> str:
    """Return eight hexadecimal digits that identify weights, by the names, sizes and both ends of their files."""
    digest = hashlib.blake2b(digest_size=4)
    for file in sorted(folder.glob("*.safetensors")):
        size = file.stat().st_size
        digest.update(f"{file.name} {size} ".encode())
        with file.open("rb") as data:
            for place in (0, max(0, size - ENDS)):
                data.seek(place)
                digest.update(data.read(ENDS))
    return digest.hexdigest()


def pull(name: VlmName) -> Path:
    """Return the checkpoint's folder, downloading it if necessary (see `hub.fetch`).

    The base model of an adapter is downloaded, too.
    """
    folder = installed(name) or hub.fetch(
        name.spelling, name.repository, lambda: hub.download(name.repository, PATTERNS)
    )
    if (folder / ADAPTER).is_file():
        base = json.loads((folder / ADAPTER).read_text(encoding="utf-8"))["base_model_name_or_path"]
        pull(VlmName.parse(f"hf-hub:{base}"))
    return folder
