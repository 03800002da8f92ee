"""Reverse geocoding: city, region and country of items with coordinates, each looked up once.

Does not know the gazetteer.
"""

from __future__ import annotations

from .. import geocoding
from ..storage.storage import Storage

BATCH = 10_000  # items looked up at a time


def look_up_places(storage: Storage) -> None:
    """Look up the place of every item that has coordinates and no place yet, also in older libraries."""
    with storage.read() as catalog:
        todo = catalog.items.unplaced()
    for start in range(0, len(todo), BATCH):
        some = todo[start : start + BATCH]
        found = geocoding.describe([(latitude, longitude) for _, latitude, longitude in some])
        with storage.transaction() as catalog:
            catalog.items.put_places([number for number, _, _ in some], found)
