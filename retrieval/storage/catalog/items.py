"""Items: picture files, and frames of video files, by path."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import LargeBinary, and_, delete, exists, false, func, or_, select, type_coerce, update

from ...geocoding import NearestTown
from ...types.path_pattern import fold
from ...types.records import Facts, Item, ScannedFile
from ...types.serialize import utc_now
from .captions import EDITED
from .mapping import NO_SECOND, inside, item_row, to_item
from .repository import Repository, chunks
from .schema import CLOCK, UNPLACED, captions, contents, embeddings, examples, items, present_items

FROM_FILE = ("metadata", "sidecar")  # sources of captions that come with the picture file itself
PLACES = 50  # places up to which the catalog is asked for each


class ListedItem(NamedTuple):
    """As much of an item as a list of many needs."""

    id: int
    path: bytes
    is_frame: bool  # of a video
    clock: str  # the camera's, ISO 8601 without an offset; "" where it is not known


class IndexedFile(NamedTuple):
    """A file as it was when it was indexed."""

    content: int
    size: int
    mtime_ns: int
    ctime_ns: int
    sidecar_digest: str
    absent: bool  # whether it was not found by an earlier run
    embedded: bool  # in the space that was asked about


class Items(Repository):
    """The files of a library."""

    def indexed(self, space_id: int, within: Sequence[Path] | None = None) -> dict[str, IndexedFile]:
        """Return the indexed files, or those at or below `within`, by path, as they were when they were indexed.

        A video counts as embedded when all its frames are. More than `PLACES` places are not used to narrow the result.
        """
        has = exists().where(embeddings.c.content_id == items.c.content_id, embeddings.c.space_id == space_id)
        path = type_coerce(items.c.path, LargeBinary)  # as strings: a `Path` for each would cost more than all else
        absent = items.c.absent_since.is_not(None)
        stamps = (items.c.size, items.c.mtime_ns, items.c.ctime_ns, items.c.sidecar_digest)
        columns = (path, items.c.content_id, *stamps, absent)
        chosen = select(*columns, has).order_by(items.c.second.desc())
        if within is not None and len(within) <= PLACES:
            chosen = chosen.where(or_(false(), *map(inside, within)))
        rows = self._connection.execute(chosen)
        by_path: dict[str, IndexedFile] = {}
        for row in rows:
            name = os.fsdecode(row[0])
            before = by_path.get(name)
            by_path[name] = IndexedFile(
                row[1],
                row[2],
                row[3],
                row[4],
                row[5],
                bool(row[6]),
                bool(row[7]) and (before is None or before.embedded),
            )
        return by_path

    def put(self, file: ScannedFile, held: Sequence[tuple[int, float | None]], facts: Facts) -> None:
        """Add or replace a file.

        `held` lists its contents, each with its second: None for a picture, else the time of a video frame.
        """
        rows = [item_row(file, content, facts, NO_SECOND if second is None else second) for content, second in held]
        others = and_(items.c.path == file.path, items.c.second.not_in([row["second"] for row in rows]))
        self._connection.execute(delete(items).where(others))
        self._upsert(items, rows, ["path", "second"])

    def saw_sidecars(self, item: int, digest: str) -> None:
        """Record the state of an item's sidecars, so that they are not read again."""
        self._connection.execute(update(items).where(items.c.id == item).values(sidecar_digest=digest))

    def mark_absent(self, paths: Iterable[Path]) -> int:
        """Note that files were not found; what is known of them is kept. Return how many files this is new for."""
        marked = 0
        for some in chunks(paths):
            those = and_(items.c.path.in_(some), items.c.absent_since.is_(None))
            marked += self._count(select(func.count(items.c.path.distinct())).where(those))
            self._connection.execute(update(items).where(those).values(absent_since=utc_now()))
        return marked

    def mark_present(self, paths: Iterable[Path], ctimes: Mapping[Path, int]) -> None:
        """Note that absent files are there again, unchanged but for their change time (ns)."""
        for path in paths:
            values = {"absent_since": None, "ctime_ns": ctimes[path]}
            self._connection.execute(update(items).where(items.c.path == path).values(**values))

    def absent(self, within: Sequence[Path] | None = None) -> dict[Path, int]:
        """Return the files that are not there (None: all; else at or below these places), with their content ids."""
        chosen = select(items.c.path, items.c.content_id).where(items.c.absent_since.is_not(None))
        if within is not None:
            chosen = chosen.where(or_(false(), *map(inside, within)))
        return {row[0]: row[1] for row in self._connection.execute(chosen.order_by(items.c.second.desc()))}

    def forgettable(self, before: str, within: Sequence[Path] | None = None) -> tuple[list[Path], int]:
        """Return the files that are absent since before a time, and how many others are kept for their owner's words.

        Those are files with a caption by hand, a rating, or a role as a taught example.
        """
        edited = exists().where(captions.c.picture_id == items.c.content_id, captions.c.source == EDITED)
        taught = exists().where(examples.c.content_id == items.c.content_id)
        owned = or_(edited, taught, items.c.rating.is_not(None))
        chosen = select(items.c.path, func.max(owned)).where(items.c.absent_since < before).group_by(items.c.path)
        if within is not None:
            chosen = chosen.where(or_(false(), *map(inside, within)))
        rows = self._connection.execute(chosen).all()
        return [row[0] for row in rows if not row[1]], sum(1 for row in rows if row[1])

    def damaged(self, among: Iterable[int]) -> set[int]:
        """Return which of these contents were found to be damaged when they were decoded."""
        chosen = select(items.c.content_id).where(items.c.damaged == 1)
        return {row[0] for row in self._each(among, lambda some: chosen.where(items.c.content_id.in_(some)))}

    def remove(self, paths: Iterable[Path]) -> int:
        """Remove files with the captions that came with them; return how many files were removed."""
        removed = 0
        for some in chunks(paths):
            own = and_(captions.c.source.in_(FROM_FILE), captions.c.origin.in_(some))
            self._connection.execute(delete(captions).where(own))
            removed += self._count(select(func.count(items.c.path.distinct())).where(items.c.path.in_(some)))
            self._connection.execute(delete(items).where(items.c.path.in_(some)))
        return removed

    def count(self) -> int:
        """Return the number of files that are there; the frames of a video count once."""
        return self._count(select(func.count(present_items.c.path.distinct())))

    def count_absent(self) -> int:
        """Return the number of files that are not there."""
        return self._count(select(func.count(items.c.path.distinct())).where(items.c.absent_since.is_not(None)))

    def below(self, folder: Path) -> list[Path]:
        """Return the indexed files that are `folder` or lie in it."""
        return list(self._connection.execute(select(items.c.path).where(inside(folder)).distinct()).scalars())

    def all(self) -> Iterator[Item]:
        """Yield all items that are there, ordered by path."""
        return (to_item(row) for row in self._connection.execute(select(present_items).order_by(present_items.c.path)))

    def get(self, ids: Iterable[int]) -> Iterator[Item]:
        """Yield the items with these ids."""
        return (to_item(row) for row in self._each(ids, lambda some: select(items).where(items.c.id.in_(some))))

    def thumbnail(self, item: int) -> tuple[str, bytes | None] | None:
        """Return the content hash of an item and its thumbnail, if one is stored; None if there is no such item."""
        joined = items.join(contents, contents.c.id == items.c.content_id)
        chosen = select(contents.c.hash, contents.c.thumbnail).select_from(joined).where(items.c.id == item)
        row = self._connection.execute(chosen).first()
        return None if row is None else (row.hash, row.thumbnail)

    def stamp(self, item: int) -> tuple[int, int]:
        """Return the size (bytes) and modification time (ns) that the file of an item had when it was indexed."""
        row = self._connection.execute(select(items.c.size, items.c.mtime_ns).where(items.c.id == item)).one()
        return row.size, row.mtime_ns

    def at(self, path: Path) -> list[Item]:
        """Return the item of the picture at a path, or the items of the frames of a video, if the file is there."""
        there = items.c.absent_since.is_(None)
        rows = self._connection.execute(select(items).where(items.c.path == path, there).order_by(items.c.second))
        return [to_item(row) for row in rows]

    def within(self, places: Sequence[Path] | None) -> list[Item]:
        """Return the items that are one of these files or lie in one of these folders (None: all), ordered by path."""
        chosen = select(items).where(items.c.absent_since.is_(None)).order_by(items.c.path)
        if places is None:
            return [to_item(row) for row in self._connection.execute(chosen)]
        found: dict[int, Item] = {}
        for start in range(0, len(places), PLACES):
            some = chosen.where(or_(false(), *map(inside, places[start : start + PLACES])))
            found |= {row.id: to_item(row) for row in self._connection.execute(some)}
        return sorted(found.values(), key=lambda item: os.fsencode(item.path))

    def one_of_each(self, places: Sequence[Path] | None) -> dict[int, Item]:
        """Return the contents in these places (None: all), each with the first item that holds it."""
        found: dict[int, Item] = {}
        for item in self.within(places):
            found.setdefault(item.content, item)
        return found

    def holding(self, ids: Iterable[int]) -> dict[int, list[Item]]:
        """Return the items that hold each of these contents and are there, in order of path."""
        found: dict[int, list[Item]] = defaultdict(list)
        chosen = select(items).where(items.c.absent_since.is_(None)).order_by(items.c.path)
        for row in self._each(ids, lambda some: chosen.where(items.c.content_id.in_(some))):
            found[row.content_id].append(to_item(row))
        return found

    def listing(self, ids: Iterable[int]) -> dict[int, list[ListedItem]]:
        """Return the files with each content, ordered by path, with no more than what a list needs."""
        found: dict[int, list[ListedItem]] = defaultdict(list)
        columns = select(items.c.id, items.c.content_id, items.c.path, items.c.second, CLOCK.label("clock"))
        chosen = columns.where(items.c.absent_since.is_(None)).order_by(items.c.path)
        for row in self._each(ids, lambda some: chosen.where(items.c.content_id.in_(some))):
            found[row.content_id].append(ListedItem(row.id, os.fsencode(row.path), row.second >= 0, row.clock))
        return found

    def contents_at(self, paths: Iterable[Path]) -> dict[Path, int]:
        """Return the content id of each file (of a video, its first frame); unknown files are left out."""
        found: dict[Path, int] = {}
        for some in chunks(paths):
            chosen = select(items.c.path, items.c.content_id).where(items.c.path.in_(some))
            rows = self._connection.execute(chosen.order_by(items.c.second.desc()))
            found |= {row[0]: row[1] for row in rows}
        return found

    def files_with(self, content: int) -> int:
        """Return how many files hold a content, those that are not there included."""
        return self._count(select(func.count(items.c.path.distinct())).where(items.c.content_id == content))

    def contents_at_folded(self, paths: Collection[Path]) -> dict[Path, int]:
        """Return the content id of each file whose name is the same in another Unicode form (NFC or NFD)."""
        wanted = {fold(str(path)): path for path in paths if not str(path).isascii()}
        if not wanted:
            return {}
        rows = self._connection.execute(select(items.c.path, items.c.content_id).order_by(items.c.second.desc()))
        return {wanted[name]: row[1] for row in rows if (name := fold(str(row[0]))) in wanted}

    def unplaced(self) -> list[tuple[int, float, float]]:
        """Return the id, latitude and longitude (degrees) of items whose place was not looked up yet."""
        query = select(items.c.id, items.c.latitude, items.c.longitude).where(*UNPLACED)
        return [(row[0], row[1], row[2]) for row in self._connection.execute(query)]

    def put_places(self, ids: Sequence[int], places: Sequence[NearestTown]) -> None:
        """Store the places of items, as far as their files do not name them."""
        for number, place in zip(ids, places, strict=True):
            named = {"city": place.city, "region": place.region, "country": place.country}
            row = {name: func.coalesce(func.nullif(items.c[name], ""), text) for name, text in named.items()}
            self._connection.execute(update(items).where(items.c.id == number).values(row))
