"""The values of this package to JSON and back: one form for the command line, the HTTP API and agents (msgspec).

Numbers are rounded to six digits; bytes of paths that are not UTF-8 are escaped as `\\xNN`, and come back escaped.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np

T = TypeVar("T")

# Where paths are told to others than the owner: the folders below which they lie. Empty: paths are told whole.
SHOWN_BELOW: ContextVar[Sequence[Path]] = ContextVar("shown_below", default=())

DIGITS = 6


def to_jsonable(value: Any) -> Any:
    """Return a value of this package as JSON has it."""
    return _rounded(msgspec.to_builtins(value, builtin_types=(datetime,), str_keys=True, enc_hook=_to_builtin))


def dumps(value: Any) -> str:
    """Return a value of this package as one line of JSON; half characters stay escaped."""
    text = json.dumps(to_jsonable(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8", "backslashreplace").decode()


def from_jsonable(value: Any, kind: type[T]) -> T:
    """Return a value of this package from what `to_jsonable` gave; fields that this version lacks are left out.

    Raises:
        ValueError: it is not of this kind.
    """
    return msgspec.convert(value, kind, strict=False, dec_hook=_from_builtin)


def utc_now() -> str:
    """Return the time as it is stored: ISO 8601, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def show_path(path: Path) -> str:
    """Return a path as text, with bytes that are not UTF-8 and control characters escaped."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return text if text.isprintable() else CONTROL.sub(lambda sign: f"\\x{ord(sign[0]):02x}", text)


def _told(path: Path, roots: Sequence[Path]) -> Path:
    """Return as much of a path as is told: from the name of a root on, or its own name if it lies below none."""
    if not roots:
        return path
    root = next((root for root in roots if path.is_relative_to(root)), path)
    return Path(root.name) / path.relative_to(root)


def _to_builtin(value: Any) -> Any:
    if isinstance(value, Path):
        return show_path(_told(value, SHOWN_BELOW.get()))
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    raise NotImplementedError(f"{type(value).__name__} has no form in JSON")


def _from_builtin(kind: Any, value: Any) -> Any:
    if kind is Path:
        return Path(value)
    if getattr(kind, "__origin__", kind) is np.ndarray:
        return np.array(value, np.float32)
    raise NotImplementedError(f"{kind} cannot be read from JSON")


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, DIGITS)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {key: _rounded(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(entry) for entry in value]
    return value
