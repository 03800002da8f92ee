"""The files of encoders: found on this machine without network, downloaded only on request.

Knows open_clip's lists and layouts; loads no model.
"""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import ModelError, ModelUnavailable
from ..runtime import extras, hub
from .model_name import ModelName, WeightSource

CONFIG = "open_clip_config.json"
PATTERNS = (CONFIG, "*tokenizer*", "vocab*", "merges.txt", "special_tokens_map.json", "*.model")
WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.safetensors", "open_clip_pytorch_model.bin")


def installed(name: ModelName) -> Path | None:
    """Return the checkpoint file (TAG, FILE) or folder (HUB, FOLDER) on this machine, or None; uses no network."""
    if name.route in (WeightSource.FILE, WeightSource.FOLDER):
        return name.path
    if name.route is WeightSource.HUB:
        return hub.snapshot(name.repository, CONFIG, WEIGHTS)
    if not extras.installed("torch"):
        return None
    from huggingface_hub import try_to_load_from_cache
    from open_clip.pretrained import get_pretrained_cfg

    config = get_pretrained_cfg(name.architecture, name.tag)
    for repository, file in _hub_files(config):
        found = try_to_load_from_cache(repository, file)
        if isinstance(found, str):
            return Path(found)
    plain = Path("~/.cache/clip").expanduser() / Path(config.get("url", "")).name
    return plain if plain.is_file() else None


def required(name: ModelName) -> Path:
    """Return the checkpoint file or folder on this machine; uses no network.

    Raises:
        ModelError: open_clip knows no such architecture or tag.
        ModelUnavailable: the model is known but not on this machine.
    """
    if name.route is WeightSource.TAG:
        _must_be_known(name)
    path = installed(name)
    if path is None:
        raise ModelUnavailable(
            f"the model {name.spelling} is not on this machine; fetch it with `retrieval models pull {name.spelling}` "
            "(needs network), or use --model builtin, which is always here"
        )
    return path


def pull(name: ModelName) -> Path:
    """Return the checkpoint file or folder of a model, downloading it if necessary (see `hub.fetch`).

    Raises:
        ModelError: the model is unknown.
        ModelUnavailable: there is no network or no such repository, or the download broke off.
    """
    if name.route is WeightSource.TAG:
        _must_be_known(name)
    return installed(name) or hub.fetch(name.spelling, name.repository, lambda: _download(name))


def _download(name: ModelName) -> Path:
    if name.route is WeightSource.HUB:
        return hub.download(name.repository, [*PATTERNS, *WEIGHTS])
    from open_clip.pretrained import download_pretrained, get_pretrained_cfg

    return Path(download_pretrained(get_pretrained_cfg(name.architecture, name.tag)))


def _must_be_known(name: ModelName) -> None:
    import open_clip

    if name.architecture not in open_clip.list_models():
        raise ModelError(f"open_clip knows no architecture {name.architecture!r}; see `retrieval models --all`")
    tags = open_clip.list_pretrained_tags_by_model(name.architecture)
    if name.tag not in tags:
        known = ", ".join(tags) or "none"
        raise ModelError(f"{name.architecture} has no weights {name.tag!r}; known: {known}")


def _hub_files(config: dict[str, str]) -> list[tuple[str, str]]:
    """Return (repository, file) pairs that may hold the weights of an open_clip tag."""
    repository, file = os.path.split(config.get("hf_hub", ""))
    if not repository:
        return []
    return [(repository, each) for each in ([file] if file else []) + list(WEIGHTS)]
