"""Settings: from flags, else the environment, else one TOML file. The only reader of `os.environ`.

Does not know models or engines.
"""

from __future__ import annotations

import logging
import os
import stat
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path

import platformdirs

from .errors import UsageError

log = logging.getLogger(__name__)

LONGEST = 36_500  # days after which files can be forgotten
MANIFEST = "library.json"  # the file that makes a folder a library
SOCKET = "server.sock"  # socket in the folder of a library that a server has open
VARIABLES = {
    "index": "RETRIEVAL_INDEX",
    "model": "RETRIEVAL_MODEL",
    "device": "RETRIEVAL_DEVICE",
    "precision": "RETRIEVAL_PRECISION",
    "batch_size": "RETRIEVAL_BATCH_SIZE",
    "workers": "RETRIEVAL_WORKERS",
    "max_megapixels": "RETRIEVAL_MAX_MEGAPIXELS",
    "file_timeout": "RETRIEVAL_FILE_TIMEOUT",
    "forget_after": "RETRIEVAL_FORGET_AFTER",
    "vlm": "RETRIEVAL_VLM",
    "vlm_family": "RETRIEVAL_VLM_FAMILY",
    "vlm_key": "RETRIEVAL_VLM_KEY",
    "vlm_timeout": "RETRIEVAL_VLM_TIMEOUT",
    "vlm_code": "RETRIEVAL_VLM_CODE",
}


@dataclass(frozen=True)
class Settings:
    """How a library is opened and its models are run."""

    index: Path | None = None  # None: see `default_index`
    model: str = ""  # "": the library's own, `builtin` for a new one
    device: str = "auto"  # auto, cpu, cuda, cuda:N, mps
    precision: str = "auto"  # auto, float32, bfloat16, float16
    batch_size: int = 32  # pictures per call of the model
    workers: int = 0  # decoding threads; 0: one per core, at most 8
    max_megapixels: float = 250.0  # larger pictures are refused before they are decoded
    file_timeout: float = 60.0  # seconds without progress after which a file or folder is given up
    forget_after: float = 0.0  # days after which files that are not there are forgotten; 0: never

    vlm: str = "builtin"  # the vision-language model
    vlm_family: str = ""  # "": as its checkpoint says
    vlm_key: str = ""  # bearer token for an endpoint
    vlm_timeout: float = 120.0  # seconds to wait for one answer of an endpoint
    vlm_code: str = ""  # revision of a hub repository whose own Python code may run; "": none

    @property
    def threads(self) -> int:
        """The number of threads that decode pictures."""
        return self.workers or min(8, os.cpu_count() or 1)


def config_file() -> Path:
    """Return the path of the TOML file, which is read if it exists."""
    return Path(os.environ.get("RETRIEVAL_CONFIG") or platformdirs.user_config_path("retrieval") / "config.toml")


def default_index(environment: Mapping[str, str] | None = None) -> Path:
    """Return the path of the default library.

    It is that of the environment, else in the user's data folder; `./indexes/default` counts only where there is a
    library already.
    """
    environment = os.environ if environment is None else environment
    if environment.get("RETRIEVAL_INDEX"):
        return Path(environment["RETRIEVAL_INDEX"])
    beside = Path("indexes") / "default"
    if (beside / MANIFEST).is_file():
        return beside
    return platformdirs.user_data_path("retrieval") / "default"


def cache_folder() -> Path:
    """Return the folder for files that can be made again: the user's, or a private one for temporary files.

    That the user's cannot be written is said once, in the log.
    """
    usual = platformdirs.user_cache_path("retrieval")
    if _writable(usual):
        return usual
    instead = Path(tempfile.gettempdir()) / f"retrieval-{os.getuid()}"
    _warn(usual, instead)
    return instead if _private(instead) else usual


def _writable(folder: Path) -> bool:
    """Whether a folder can be written, or made."""
    there = next((place for place in (folder, *folder.parents) if place.exists()), Path("/"))
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


def _private(folder: Path) -> bool:
    """Whether a folder for temporary files is this user's alone, made if it was not there."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o077


@cache
def _warn(usual: Path, instead: Path) -> None:
    log.warning("the cache in %s cannot be written; %s is used (set XDG_CACHE_HOME to choose another)", usual, instead)


def load(environment: Mapping[str, str] | None = None, **flags: object) -> Settings:
    """Return the settings from `flags` (None: not given), the environment and the TOML file, the first that has one.

    Raises:
        UsageError: a value is of the wrong type or out of range, or the file cannot be read or has an unknown name.
    """
    environment = os.environ if environment is None else environment
    found: dict[str, object] = _from_file(config_file())
    found |= {name: environment[variable] for name, variable in VARIABLES.items() if environment.get(variable)}
    found |= {name: value for name, value in flags.items() if value is not None}
    settings = replace(Settings(), **{name: _typed(name, value) for name, value in found.items()})  # type: ignore[arg-type]  # _typed gives each field its own type
    if settings.batch_size < 1:
        raise UsageError(f"batch_size must be at least 1, got {settings.batch_size}")
    if not settings.file_timeout > 0:
        raise UsageError(f"file_timeout must be above 0 seconds, got {settings.file_timeout:g}")
    if not 0 <= settings.forget_after <= LONGEST:
        raise UsageError(f"forget_after must be 0 to {LONGEST} days, got {settings.forget_after:g}")
    return settings


def _from_file(path: Path) -> dict[str, object]:
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise UsageError(f"cannot read the settings in {path}: {exc}") from exc
    unknown = set(values) - {field.name for field in fields(Settings)}
    if unknown:
        raise UsageError(f"{path}: unknown setting {sorted(unknown)[0]!r}; known: {', '.join(VARIABLES)}")
    return values


def _typed(name: str, value: object) -> object:
    kinds = {"index": Path, "batch_size": int, "workers": int}
    kind = kinds.get(name, float if isinstance(getattr(Settings, name), float) else str)
    try:
        return kind(value)
    except (TypeError, ValueError) as exc:
        raise UsageError(f"{VARIABLES[name]} (or {name}): {value!r} is not a number") from exc
