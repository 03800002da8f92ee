"""Names of vision-language models: `builtin`, `hf-hub:ORG/NAME`, `local-dir:PATH`, `endpoint:URL#MODEL`.

Parses names; loads nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from urllib.parse import urldefrag, urlsplit

from ..errors import ModelError

BUILTIN = Path(__file__).parent / "builtin"
SPELLINGS = "builtin, colours, hf-hub:ORG/NAME, local-dir:PATH or endpoint:URL#MODEL"


class VlmSource(Enum):
    """Where a model is."""

    HUB = "a repository of the hub"
    FOLDER = "a folder with config.json"
    SERVER = "an OpenAI-compatible server"


@dataclass(frozen=True)
class VlmName:
    """A parsed model name."""

    spelling: str
    place: VlmSource
    repository: str = ""  # of HUB
    path: Path = Path()  # of FOLDER
    url: str = ""  # of SERVER, including /v1
    model: str = ""  # of SERVER

    @classmethod
    def parse(cls, spelling: str) -> VlmName:
        """Parse a model name.

        Raises:
            ModelError: the name has none of these forms, or its folder is missing or holds no checkpoint.
        """
        if spelling == "builtin":
            return cls(spelling, VlmSource.FOLDER, path=BUILTIN)
        kind, colon, rest = spelling.partition(":")
        if kind == "local-dir" and colon:
            path = Path(rest).expanduser().absolute()
            if not (path / "config.json").is_file() and not (path / "adapter_config.json").is_file():
                raise ModelError(f"{spelling}: {path} has no config.json; give the folder of a transformers checkpoint")
            return cls(f"local-dir:{path}", VlmSource.FOLDER, path=path)
        if kind == "hf-hub" and colon:
            if rest.count("/") != 1 or not all(rest.split("/")):
                raise ModelError(f"{spelling!r} is not of the form hf-hub:ORG/NAME")
            return cls(spelling, VlmSource.HUB, repository=rest)
        if kind == "endpoint" and colon:
            url, model = urldefrag(rest)
            if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname or not model:
                raise ModelError(
                    f"{spelling!r} is not of the form endpoint:URL#MODEL, as endpoint:http://127.0.0.1:8000/v1#llava"
                )
            return cls(spelling, VlmSource.SERVER, url=url.rstrip("/"), model=model)
        raise ModelError(f"{spelling!r} is not a vision-language model; write {SPELLINGS} (see `retrieval vlms`)")
