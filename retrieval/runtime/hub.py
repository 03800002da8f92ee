"""The model hub: finds cached files, and downloads others only on request.

Does not know what the files mean.
"""

from __future__ import annotations

import hashlib
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path

from ..errors import ModelError, ModelUnavailable

PROBE_SECONDS = 3.0


def snapshot(repository: str, config: str, weights: Sequence[str], revision: str | None = None) -> Path | None:
    """Return the cached folder of a repository if it has `config` and one of `weights`, else None.

    The network is not used.
    """
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(repository, config, revision=revision)
    if not isinstance(found, str):
        return None
    folder = Path(found).parent
    return folder if any((folder / name).is_file() for name in weights) else None


def download(repository: str, patterns: Sequence[str], revision: str | None = None) -> Path:
    """Download the files of a repository that match one of the patterns; return their folder in the cache.

    Call it through `fetch`.
    """
    from huggingface_hub import snapshot_download

    return Path(snapshot_download(repository, revision=revision, allow_patterns=list(patterns)))


def fetch(what: str, repository: str, how: Callable[[], Path]) -> Path:
    """Run a download, which resumes where an earlier one broke off, and verify the hashes; return the path.

    Raises:
        ModelError: there is no such repository, or no access to it.
        ModelUnavailable: there is no network, the download broke off, or a file arrived damaged.
    """
    from huggingface_hub.errors import RepositoryNotFoundError

    _probe()
    try:
        place = how()
    except RepositoryNotFoundError as exc:
        raise ModelError(f"{endpoint()} has no repository {repository}, or you have no access to it") from exc
    except Exception as exc:
        # The hub's client raises errors of its own, of its HTTP library and of the system.
        reason = " ".join(str(exc).split())[:300]
        raise ModelUnavailable(f"fetching {what} failed: {reason}; run it again to continue") from exc
    for file in [place] if place.is_file() else sorted(place.iterdir()):
        _verify(file)
    return place


def endpoint() -> str:
    """Return the hub's address, as its own client is configured."""
    from huggingface_hub import constants

    return str(constants.ENDPOINT)


def _verify(file: Path) -> None:
    """Check the SHA-256 of a large file, which is its name in the hub's cache; delete a file that is damaged.

    Raises:
        ModelUnavailable: the file was damaged.
    """
    blob = file.resolve()
    if not re.fullmatch("[0-9a-f]{64}", blob.name):
        return
    with blob.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != blob.name:
        blob.unlink()
        file.unlink(missing_ok=True)
        raise ModelUnavailable(f"{file.name} arrived damaged and was deleted; run it again to fetch it anew")


def _probe() -> None:
    """Fail at once, not after the client's retries, when the hub cannot be reached.

    Raises:
        ModelUnavailable: the hub cannot be reached, or `HF_HUB_OFFLINE` is set.
    """
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
            "local-dir:PATH in the place of its name; the built-in model needs neither"
        ) from exc
