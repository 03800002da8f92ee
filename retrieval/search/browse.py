"""Browsing a library without a query: its items one by one, newest first, by month and on a map."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from ..errors import Changed, NotFound, NotIndexed, PictureError
from ..pictures.files import hash_of
from ..runtime.regular_files import NotRegular, open_regular
from ..sources import absolute_path
from ..sources.links import Homes
from ..storage.storage import Storage
from ..types.records import AttributedText, Item, Reason
from ..types.results import ItemSummary, StoredThumbnail


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

    def thumbnail(self, item: int) -> StoredThumbnail:
        """Return the stored thumbnail of an item, with the content hash; in one read.

        Raises:
            NotFound: the library has no such item.
        """
        with self.storage.read() as catalog:
            found = catalog.items.thumbnail(item)
        if found is None:
            raise NotFound(f"the library has no item {item}")
        return StoredThumbnail(item, *found)

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

    def summaries(self, found: Sequence[Item]) -> list[ItemSummary]:
        """Return what a grid of results needs of items."""
        with self.storage.read() as catalog:
            digests = catalog.contents.digests({item.content for item in found})
        return [ItemSummary.of(item, digests.get(item.content, "")) for item in found]

    def digest(self, item: Item) -> str:
        """Return the content hash of an item (see `Hit.digest`)."""
        with self.storage.read() as catalog:
            return catalog.contents.digests([item.content]).get(item.content, "")

    def size(self, item: Item) -> int:
        """Return the size of the file of an item when it was indexed, in bytes."""
        with self.storage.read() as catalog:
            return catalog.items.stamp(item.id)[0]

    def open(self, item: Item) -> BufferedReader:
        """Open the file of an item for reading, if it holds what was indexed and lies where it seems to lie.

        A link that leads out of the folders of the library is not followed: whoever put it there would else show
        whatever this program can read (see `sources.links`).

        Raises:
            PictureError: the file is not there, cannot be read, or is a link that leads out of the library's folders.
            Changed: the file has been changed since it was indexed.
        """
        with self.storage.read() as catalog:
            stamp, digest = catalog.items.stamp(item.id), catalog.contents.digests([item.content])[item.content]
            homes = catalog.roots.all()
        if not any(map(item.path.is_relative_to, homes)):  # it was indexed by itself
            homes.append(item.path.parent)
        name = item.path.name
        if Homes(homes).leads_out(str(item.path)):
            raise PictureError(Reason.UNREADABLE, f"{name} is a link that leads out of the folder that was indexed")
        try:
            file = open_regular(os.path.realpath(item.path), follow=False)
        except FileNotFoundError as exc:
            raise PictureError(Reason.VANISHED, f"{name} is no longer there") from exc
        except (NotRegular, OSError) as exc:
            raise PictureError(Reason.UNREADABLE, f"{name} cannot be read") from exc
        status = os.fstat(file.fileno())
        if (status.st_size, status.st_mtime_ns) != stamp and hash_of(file) != digest.partition("@")[0]:
            file.close()
            raise Changed(f"{name} has changed since it was indexed; `retrieval index` brings this up to date")
        return file

    def require(self, item: Item) -> Item:
        """Return the item, if its file can be opened; see `open` for the errors."""
        self.open(item).close()
        return item

    def copies(self, item: Item) -> list[Item]:
        """Return the other items with the same content."""
        with self.storage.read() as catalog:
            found: Sequence[Item] = catalog.items.holding([item.content]).get(item.content, [])
        return [each for each in found if each.id != item.id]
