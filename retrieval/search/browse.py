"""Browsing a library without a query: its items one by one, newest first, by month and on a map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import NotFound, NotIndexed
from ..sources import absolute_path
from ..storage.storage import Storage
from ..types.records import AttributedText, Item


@dataclass(frozen=True)
class ItemBrowser:
    """The items of one library: a file, or for a video each of its frames."""

    storage: Storage

    def get(self, item: int) -> Item:
        """Return an item by its number.

        Raises:
            NotFound: the library has no such item.
        """
        with self.storage.read() as catalog:
            found = next(catalog.items.get([item]), None)
        if found is None:
            raise NotFound(f"the library has no item {item}; `retrieval search --json` shows the numbers of items")
        return found

    def has(self, path: Path) -> bool:
        """Whether a picture file is in the library."""
        with self.storage.read() as catalog:
            return bool(catalog.items.contents_at([absolute_path(path)]))

    def count_in(self, places: Sequence[Path]) -> int:
        """Return how many files lie at these places, or in these folders.

        Raises:
            NotIndexed: there is none.
        """
        with self.storage.read() as catalog:
            found = {item.path for item in catalog.items.within([absolute_path(place) for place in places])}
        if not found:
            raise NotIndexed(f"the library has nothing at {', '.join(map(str, places))}")
        return len(found)

    def newest(self, count: int, after: int | None = None, until: str = "") -> list[Item]:
        """Return up to `count` items, newest first: those after item `after`, none later than `until` ("2023-06")."""
        with self.storage.read() as catalog:
            return catalog.timeline.newest(count, after, until)

    def months(self) -> list[tuple[str, int]]:
        """Return the number of items per month ("2023-06"), newest first; undated ones count under ""."""
        with self.storage.read() as catalog:
            return catalog.timeline.months()

    def points(self) -> list[tuple[int, float, float]]:
        """Return the items with coordinates, as (item, latitude, longitude) in degrees."""
        with self.storage.read() as catalog:
            return catalog.timeline.points()

    def texts_of(self, content: int) -> list[AttributedText]:
        """Return the texts of a picture, each once: edited by hand first, then from files, then generated."""
        with self.storage.read() as catalog:
            return catalog.captions.texts_of(content)

    def copies(self, item: Item) -> list[Item]:
        """Return the other items with the same content."""
        with self.storage.read() as catalog:
            found: Sequence[Item] = catalog.items.holding([item.content]).get(item.content, [])
        return [each for each in found if each.id != item.id]
