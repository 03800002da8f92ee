"""Converts the package's values to JSON: one form for the command line, the HTTP API and agents."""

from __future__ import annotations

import json
import os
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np


def to_jsonable(value: Any) -> Any:
    """Return a value of this package as JSON types: dict, list, str, number, bool or None.

    Floats are rounded to 6 decimals. Bytes of paths that are not UTF-8 are escaped as `\\xNN`.
    """
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_jsonable(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Path):
        return show_path(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, dict):
        return {str(key): to_jsonable(entry) for key, entry in value.items()}
    if isinstance(value, np.ndarray):
        return to_jsonable(value.tolist())
    if isinstance(value, list | tuple):
        return [to_jsonable(entry) for entry in value]
    return value


def dumps(value: Any) -> str:
    """Return a value of this package as one line of JSON; lone surrogates stay escaped."""
    text = json.dumps(to_jsonable(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8", "backslashreplace").decode()


def show_path(path: Path) -> str:
    """Return a path as readable text; bytes that are not UTF-8 are escaped as `\\xNN`."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
