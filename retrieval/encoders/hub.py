"""Model files on this machine, and how they get there: looked up without network, fetched only when asked.

Knows the hub's cache and download; does not know what the files mean.
"""

from __future__ import annotations

import hashlib
import os
import re
import urllib.error
import urllib.request
from pathlib import Path

from ..errors import ModelError, ModelUnavailable
from .names import ModelName, Route

PATTERNS = ["open_clip_config.json", "*tokenizer*", "vocab*", "merges.txt", "special_tokens_map.json", "*.model"]
WEIGHTS = ["open_clip_model.safetensors", "open_clip_pytorch_model.safetensors", "open_clip_pytorch_model.bin"]
PROBE_SECONDS = 3.0


def installed(name: ModelName) -> Path | None:
    """The model's checkpoint file (TAG, FILE) or folder (HUB, FOLDER) on this machine, without using the network."""
    if name.route in (Route.FILE, Route.FOLDER):
        return name.path
    if name.route is Route.HUB:
        return _snapshot(name.repository)
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
    """As `installed`.

    Raises:
        ModelError: open_clip knows no such architecture or tag.
        ModelUnavailable: the model is known but not on this machine.
    """
    if name.route is Route.TAG:
        _must_be_known(name)
    found = installed(name)
    if found is None:
        raise ModelUnavailable(
            f"the model {name.spelling} is not on this machine; fetch it with `retrieval models pull {name.spelling}` "
            "(needs network), or use --model builtin, which is always here"
        )
    return found


def pull(name: ModelName) -> Path:
    """Fetch a model; a broken download goes on where it stopped, sizes and hashes are checked.

    Raises:
        ModelError: unknown model.
        ModelUnavailable: no network, no such repository, or the download broke off.
    """
    if name.route is Route.TAG:
        _must_be_known(name)
    found = installed(name)
    if found is not None:
        return found
    from huggingface_hub.errors import RepositoryNotFoundError

    _probe()
    try:
        place = _download(name)
    except RepositoryNotFoundError as exc:
        raise ModelError(f"{endpoint()} has no repository {name.repository}, or not for you") from exc
    except Exception as exc:
        # The hub's client raises errors of its own, of its HTTP library and of the system.
        reason = " ".join(str(exc).split())[:300]
        raise ModelUnavailable(f"fetching {name.spelling} failed: {reason}; call it again to go on") from exc
    for file in [place] if place.is_file() else sorted(place.iterdir()):
        _verify(file)
    return place


def _download(name: ModelName) -> Path:
    if name.route is Route.HUB:
        from huggingface_hub import snapshot_download

        return Path(snapshot_download(name.repository, allow_patterns=[*PATTERNS, *WEIGHTS]))
    from open_clip.pretrained import download_pretrained, get_pretrained_cfg

    return Path(download_pretrained(get_pretrained_cfg(name.architecture, name.tag)))


def _verify(file: Path) -> None:
    """The hub's cache names large files by their SHA-256: a file that is another one is deleted."""
    blob = file.resolve()
    if not re.fullmatch("[0-9a-f]{64}", blob.name):
        return
    with blob.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != blob.name:
        blob.unlink()
        file.unlink(missing_ok=True)
        raise ModelUnavailable(f"{file.name} arrived damaged and was deleted; call it again to fetch it anew")


def endpoint() -> str:
    """The hub's address, as its own client sees it."""
    from huggingface_hub import constants

    return str(constants.ENDPOINT)


def _probe() -> None:
    """Fail at once, not after the client's retries, when the hub cannot be reached."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        raise ModelUnavailable("HF_HUB_OFFLINE forbids the network; unset it to fetch models")
    try:
        urllib.request.urlopen(urllib.request.Request(endpoint(), method="HEAD"), timeout=PROBE_SECONDS).close()
    except urllib.error.HTTPError:
        return  # it answered
    except OSError as exc:
        raise ModelUnavailable(
            f"cannot reach {endpoint()} ({exc}); connect to the network, or copy the model's folder here and use "
            "--model local-dir:PATH; --model builtin needs neither"
        ) from exc


def _must_be_known(name: ModelName) -> None:
    import open_clip

    if name.architecture not in open_clip.list_models():
        raise ModelError(f"open_clip knows no architecture {name.architecture!r}; see `retrieval models --all`")
    tags = open_clip.list_pretrained_tags_by_model(name.architecture)
    if name.tag not in tags:
        known = ", ".join(tags) or "none"
        raise ModelError(f"{name.architecture} has no weights {name.tag!r}; known: {known}")


def _snapshot(repository: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    config = try_to_load_from_cache(repository, "open_clip_config.json")
    if not isinstance(config, str):
        return None
    folder = Path(config).parent
    return folder if any((folder / weights).is_file() for weights in WEIGHTS) else None


def _hub_files(config: dict[str, str]) -> list[tuple[str, str]]:
    """(repository, file) pairs that may hold the weights of an open_clip tag."""
    repository, file = os.path.split(config.get("hf_hub", ""))
    if not repository:
        return []
    return [(repository, each) for each in ([file] if file else []) + WEIGHTS]
