"""SQL functions that filters need and SQLite lacks: matching that ignores case, not accents, and distances."""

from __future__ import annotations

import re
import sqlite3
from functools import lru_cache

from ...geocoding import kilometres


def register(connection: sqlite3.Connection) -> None:
    """Add the SQL functions `says(text, pattern)` and `kilometres(lat, lon, lat, lon)` to a connection."""
    connection.create_function("says", 2, contains, deterministic=True)
    connection.create_function("kilometres", 4, kilometres, deterministic=True)


def contains(text: str | None, pattern: str) -> bool:
    """Whether a text contains a pattern, ignoring case; `*` matches anything."""
    return text is not None and _compiled(pattern).search(text.casefold()) is not None


@lru_cache(64)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, pattern.casefold().split("*"))), re.DOTALL)
