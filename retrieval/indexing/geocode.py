"""Reverse geocoding: city, region and country of items with coordinates, each looked up once.

Does not know the gazetteer.
"""

from __future__ import annotations

from .. import geocoding
from ..storage.catalog.filters_sql import Selection
from ..storage.storage import Holdings

BATCH = 10_000  # items looked up at a time


def locate(holdings: Holdings) -> None:
    """Look up the place of every item that has coordinates and no place yet, also in older libraries."""
    with holdings.reading() as catalog:
        todo = Selection(catalog.connection).unplaced()
    for start in range(0, len(todo), BATCH):
        some = todo[start : start + BATCH]
        found = geocoding.describe([(latitude, longitude) for _, latitude, longitude in some])
        with holdings.writing() as catalog:
            Selection(catalog.connection).put_places([number for number, _, _ in some], found)
