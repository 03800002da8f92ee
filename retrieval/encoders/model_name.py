"""Names of open_clip's models: `ARCH/TAG`, `ARCH/CHECKPOINT-FILE`, `hf-hub:ORG/NAME`, `local-dir:PATH`.

Parses names; loads nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from ..errors import ModelError

SPELLINGS = "builtin, ARCH/TAG, ARCH/CHECKPOINT-FILE, hf-hub:ORG/NAME or local-dir:PATH"


class WeightSource(Enum):
    """Where a model's weights come from."""

    TAG = "a tag of open_clip's list"
    FILE = "a checkpoint file"
    HUB = "a repository of the hub"
    FOLDER = "a folder with open_clip_config.json"


@dataclass(frozen=True)
class ModelName:
    """A parsed model name."""

    spelling: str
    route: WeightSource
    architecture: str = ""  # of TAG and FILE
    tag: str = ""  # of TAG
    repository: str = ""  # of HUB
    path: Path = Path()  # of FILE and FOLDER

    @classmethod
    def parse(cls, spelling: str) -> ModelName:
        """Parse a model name.

        Raises:
            ModelError: the name has none of the four forms, or its folder or file does not exist.
        """
        if spelling.startswith("local-dir:"):
            path = Path(spelling.removeprefix("local-dir:")).expanduser().absolute()
            if not (path / "open_clip_config.json").is_file():
                raise ModelError(f"{spelling}: {path} has no open_clip_config.json")
            return cls(f"local-dir:{path}", WeightSource.FOLDER, path=path)
        if spelling.startswith("hf-hub:"):
            repository = spelling.removeprefix("hf-hub:")
            if repository.count("/") != 1 or not all(repository.split("/")):
                raise ModelError(f"{spelling!r} is not of the form hf-hub:ORG/NAME")
            return cls(spelling, WeightSource.HUB, repository=repository)
        architecture, slash, rest = spelling.partition("/")
        if not (slash and architecture and rest):
            raise ModelError(f"{spelling!r} is not a model; write {SPELLINGS} (see `retrieval models`)")
        path = Path(rest).expanduser().absolute()
        if path.is_file():
            return cls(f"{architecture}/{path}", WeightSource.FILE, architecture, path=path)
        if "/" in rest or path.suffix in (".pt", ".pth", ".bin", ".safetensors"):
            raise ModelError(f"{spelling}: there is no checkpoint file {path}")
        return cls(spelling, WeightSource.TAG, architecture, tag=rest)
