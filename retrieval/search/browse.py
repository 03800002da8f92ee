"""The library without a question: its files one by one, newest first, by month and on a map.

Knows who is asked; does not know queries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import NotFound
from ..storage.catalog.browse import Browse, Saying
from ..storage.storage import Holdings
from ..types.records import Item


@dataclass(frozen=True)
class Items:
    """The files of one library; a video has an item for each of its frames."""

    holdings: Holdings

    def get(self, item: int) -> Item:
        """One file by its number.

        Raises:
            NotFound: there is none.
        """
        with self.holdings.reading() as catalog:
            found = next(catalog.items([item]), None)
        if found is None:
            raise NotFound(f"the library has no item {item}; the numbers stand in the answers of `search --json`")
        return found

    def newest(self, count: int, after: int | None = None, until: str = "") -> list[Item]:
        """The next `count` files after one of them, the newest first; with `until` ("2023-06"), no later ones."""
        with self.holdings.reading() as catalog:
            return Browse(catalog.connection).newest(count, after, until)

    def months(self) -> list[tuple[str, int]]:
        """How many files there are of each month ("2023-06"), the newest first; undated ones under ""."""
        with self.holdings.reading() as catalog:
            return Browse(catalog.connection).months()

    def points(self) -> list[tuple[int, float, float]]:
        """The files with coordinates: number, latitude, longitude."""
        with self.holdings.reading() as catalog:
            return Browse(catalog.connection).points()

    def sayings(self, content: int) -> list[Saying]:
        """What is said of a picture, each text once: by hand first, then what came with it, then what models said."""
        with self.holdings.reading() as catalog:
            return Browse(catalog.connection).sayings(content)

    def copies(self, item: Item) -> list[Item]:
        """The other files that hold the same picture."""
        with self.holdings.reading() as catalog:
            found: Sequence[Item] = catalog.items_holding([item.content]).get(item.content, [])
        return [each for each in found if each.id != item.id]
