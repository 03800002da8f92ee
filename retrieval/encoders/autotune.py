"""Autotune: the fastest engine, precision and batch size of each model on this machine, stored in a JSON file.

Knows neither the models nor torch. A missing or unreadable entry is measured again.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from ..runtime import private_files


@dataclass(frozen=True)
class Tuning:
    """The fastest way to run a model on this machine."""

    precision: str  # a key of `devices.PRECISIONS`
    piece: int  # pictures per call
    apart: bool  # whether each core works on its own chunk, or all cores on the same one
    engine: str = ""  # torch, run as above, or onnx; empty: not compared


@dataclass(frozen=True)
class TuningTable:
    """The autotune results of all models; without a file, none are stored."""

    file: Path | None = None

    def known(self, model: str) -> Tuning | None:
        """Return the result for a model's fingerprint on this machine with these engines; None if there is none."""
        try:
            found = self._read()[_key(model)]
            piece, engine = int(str(found["piece"])), str(found.get("engine", ""))
            return Tuning(str(found["precision"]), piece, bool(found["apart"]), engine)
        except (KeyError, TypeError, ValueError):
            return None

    def keep(self, model: str, found: Tuning) -> None:
        """Store a result; without a file, or if it cannot be written, do nothing."""
        if self.file is None:
            return
        text = json.dumps({**self._read(), _key(model): asdict(found)}, indent=1)
        with contextlib.suppress(OSError):
            private_files.make_folder(self.file.parent)
            private_files.write_text(self.file, text)

    def _read(self) -> dict[str, dict[str, object]]:
        try:
            found = json.loads(self.file.read_text(encoding="utf-8")) if self.file else {}
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}


def _key(model: str) -> str:
    engines = " ".join(f"{name} {version(name)}" for name in ("torch", "onnxruntime"))
    return f"{model} {platform.node()} {platform.machine()} {os.cpu_count()} {engines}"
