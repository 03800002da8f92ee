"""Browsing without a query: items newest first, by month and on a map, and the texts of one picture.

Works inside one transaction. Does not know queries.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, select, tuple_

from ...types.records import Item
from .mapping import to_item
from .schema import CLOCK, captions, contents, items


@dataclass(frozen=True)
class AttributedText:
    """A text of a picture, with its source."""

    text: str
    source: str  # file, sidecar, metadata, edited (by hand), generated (by a model)
    model: str = ""  # that generated the text


class BrowseQueries:
    """Reads for browsing, inside one transaction."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def newest(self, count: int, after: int | None = None, until: str = "") -> list[Item]:
        """Return the next `count` items, newest first, after the item with the id `after`.

        With `until` ("2023-06"), later items are left out.
        """
        query = select(items).order_by(CLOCK.desc(), items.c.id.desc()).limit(count)
        if after is not None:
            last = select(CLOCK, items.c.id).where(items.c.id == after)
            query = query.where(tuple_(CLOCK, items.c.id) < last.scalar_subquery())
        if until:
            query = query.where(until + "~" >= CLOCK)  # "~" sorts after every character of a time
        return [to_item(row) for row in self.connection.execute(query)]

    def months(self) -> list[tuple[str, int]]:
        """Return each month ("2023-06") with its number of items, newest first; undated items are under ""."""
        month = func.substr(CLOCK, 1, 7)
        rows = self.connection.execute(
            select(month, func.count()).select_from(items).group_by(month).order_by(month.desc())
        )
        return [(row[0], row[1]) for row in rows]

    def points(self) -> list[tuple[int, float, float]]:
        """Return the id, latitude and longitude (degrees) of every item with coordinates."""
        query = select(items.c.id, items.c.latitude, items.c.longitude).order_by(items.c.id)
        here = items.c.latitude.is_not(None) & items.c.longitude.is_not(None)
        return [(row[0], row[1], row[2]) for row in self.connection.execute(query.where(here))]

    def texts_of(self, picture: int) -> list[AttributedText]:
        """Return each distinct text of a picture: edited by hand first, then from files, then generated."""
        rank = func.instr("edited file    sidecar metadata", captions.c.source)  # 0: generated
        chosen = select(contents.c.text, captions.c.source, captions.c.model)
        chosen = chosen.select_from(captions.join(contents, contents.c.id == captions.c.text_id))
        rows = self.connection.execute(
            chosen.where(captions.c.picture_id == picture).order_by(rank == 0, rank, captions.c.id)
        )
        return list({row[0]: AttributedText(*row) for row in reversed(rows.fetchall())}.values())[::-1]
