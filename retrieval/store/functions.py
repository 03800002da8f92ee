"""What filters need of SQLite that it does not have: words in any case and accents as written, distances on earth."""

from __future__ import annotations

import math
import re
import sqlite3
from functools import lru_cache

EARTH = 6371.0088  # kilometres, mean radius


def register(connection: sqlite3.Connection) -> None:
    """Teach a connection `says(text, pattern)` and `kilometres(lat, lon, lat, lon)`."""
    connection.create_function("says", 2, says, deterministic=True)
    connection.create_function("kilometres", 4, kilometres, deterministic=True)


def says(text: str | None, pattern: str) -> bool:
    """Whether a text contains a pattern, in upper or lower case; `*` stands for anything."""
    return text is not None and _compiled(pattern).search(text.casefold()) is not None


@lru_cache(64)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, pattern.casefold().split("*"))), re.DOTALL)


def kilometres(latitude: float | None, longitude: float | None, to_latitude: float, to_longitude: float) -> float:
    """The distance of two points on a sphere (haversine); infinite where one is not known."""
    if latitude is None or longitude is None:
        return math.inf
    north, east = math.radians(to_latitude - latitude), math.radians(to_longitude - longitude)
    across = math.cos(math.radians(latitude)) * math.cos(math.radians(to_latitude))
    chord = math.sin(north / 2) ** 2 + across * math.sin(east / 2) ** 2
    return 2 * EARTH * math.asin(min(1.0, math.sqrt(chord)))
