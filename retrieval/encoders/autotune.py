"""What was measured on this machine, kept: in which precision a model runs, and how many pictures at a time.

Knows one JSON file; does not know models. What is not kept is measured again.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
from dataclasses import asdict, dataclass
from pathlib import Path

import torch


@dataclass(frozen=True)
class Speed:
    """How a model runs best on this machine."""

    precision: str  # as `devices.PRECISIONS` has it
    piece: int  # pictures of one call
    apart: bool  # whether each core works at a piece of its own, or all at the same


@dataclass(frozen=True)
class Speeds:
    """The kept ones of all models; without a file, none is kept."""

    file: Path | None = None

    def known(self, model: str) -> Speed | None:
        """What was measured of a model, by its fingerprint, on this machine with this torch."""
        try:
            found = self._read()[_key(model)]
            return Speed(str(found["precision"]), int(str(found["piece"])), bool(found["apart"]))
        except (KeyError, TypeError, ValueError):
            return None

    def keep(self, model: str, found: Speed) -> None:
        """Remember it, where the file can be written."""
        if self.file is None:
            return
        text = json.dumps({**self._read(), _key(model): asdict(found)}, indent=1)
        temporary = self.file.with_suffix(f".{os.getpid()}.new")
        with contextlib.suppress(OSError):
            self.file.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(text, encoding="utf-8")
            temporary.replace(self.file)

    def _read(self) -> dict[str, dict[str, object]]:
        try:
            found = json.loads(self.file.read_text(encoding="utf-8")) if self.file else {}
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}


def _key(model: str) -> str:
    capability = torch.backends.cpu.get_cpu_capability()
    return f"{model} {platform.node()} {capability} {os.cpu_count()} {torch.__version__}"
