"""The items as they are browsed: newest first, by month, on a map."""

from __future__ import annotations

from sqlalchemy import exists, func, or_, select, tuple_

from ...types.records import Item
from .mapping import to_item
from .repository import Repository
from .schema import CLOCK as ANY_CLOCK
from .schema import PRESENT_CLOCK as CLOCK
from .schema import items as all_items
from .schema import present_items as items

earlier = all_items.alias("earlier")
ONE_OF_EACH = or_(  # of a video, the first frame
    items.c.second < 0,
    ~exists().where(earlier.c.path == items.c.path, earlier.c.second < items.c.second),
)


class Timeline(Repository):
    """Queries for browsing: each file once."""

    def newest(self, count: int, after: int | None = None, until: str = "") -> list[Item]:
        """Return the next `count` items, newest first, after the item with the id `after`.

        With `until` ("2023-06"), later items are left out.
        """
        query = select(items).where(ONE_OF_EACH).order_by(CLOCK.desc(), items.c.id.desc()).limit(count)
        if after is not None:
            last = select(ANY_CLOCK, all_items.c.id).where(all_items.c.id == after)
            query = query.where(tuple_(CLOCK, items.c.id) < last.scalar_subquery())
        if until:
            query = query.where(until + "~" >= CLOCK)  # "~" sorts after every character of a time
        return [to_item(row) for row in self._connection.execute(query)]

    def months(self) -> list[tuple[str, int]]:
        """Return each month ("2023-06") with its number of items, newest first; undated items are under ""."""
        month = func.substr(CLOCK, 1, 7)
        rows = self._connection.execute(
            select(month, func.count()).select_from(items).where(ONE_OF_EACH).group_by(month).order_by(month.desc())
        )
        return [(row[0], row[1]) for row in rows]

    def points(self) -> list[tuple[int, float, float]]:
        """Return the id, latitude and longitude (degrees) of every item with coordinates."""
        query = select(items.c.id, items.c.latitude, items.c.longitude).order_by(items.c.id)
        here = items.c.latitude.is_not(None) & items.c.longitude.is_not(None)
        return [(row[0], row[1], row[2]) for row in self._connection.execute(query.where(here, ONE_OF_EACH))]
