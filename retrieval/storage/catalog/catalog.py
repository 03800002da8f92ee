"""The catalog: the files, pictures, texts and problems of a library, inside one transaction.

Built over a connection of `Database.begin()` (for writing; rolled back on any error) or `Database.connect()`.
Does not know vectors, models or pixels.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import (
    Connection,
    LargeBinary,
    Row,
    and_,
    delete,
    exists,
    false,
    func,
    insert,
    literal_column,
    or_,
    select,
    text,
    type_coerce,
    update,
)
from sqlalchemy.dialects.sqlite import insert as upsert

from ...types.records import Facts, Item, Kind, Problem, ScannedFile, Space
from .mapping import NO_SECOND, inside, item_row, to_item
from .schema import captions, changes, contents, embeddings, items, problems, roots, spaces

T = TypeVar("T")
OWN_WORDS = ("metadata", "sidecar")  # captions whose origin is the picture file itself
GENERATED, EDITED = "generated", "edited"  # captions made by a model, and by hand
PLACES = 50  # up to this many folders and files, the SQL query is limited to them
MANY = 5000  # most values in one IN list


class IndexedFile(NamedTuple):
    """A file as it was when it was indexed."""

    content: int
    size: int
    mtime_ns: int
    sidecar_mtime_ns: int
    embedded: bool  # has an embedding in the given space


class Catalog:
    """Reads and writes of the catalog, inside one transaction."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    # --- spaces --------------------------------------------------------------------------------------------

    def space_id(self, space: Space) -> int | None:
        """Return the id of a space; None if the library does not have it."""
        same = and_(spaces.c.model == space.model, spaces.c.fingerprint == space.fingerprint)
        return self.connection.execute(select(spaces.c.id).where(same)).scalar()

    def add_space(self, space: Space) -> int:
        """Return the id of a space, adding it if it is new; the first space becomes the active one."""
        known = self.space_id(space)
        if known is not None:
            return known
        first = self.active_space() is None
        row = {
            "model": space.model,
            "dimensions": space.dimensions,
            "fingerprint": space.fingerprint,
            "serving": int(first),
        }
        return self._insert(spaces, row)

    def spaces(self) -> list[tuple[int, Space]]:
        """Return every space with its id."""
        rows = self.connection.execute(select(spaces).order_by(spaces.c.id))
        return [(row.id, Space(row.model, row.dimensions, row.fingerprint)) for row in rows]

    def active_space(self) -> tuple[int, Space] | None:
        """Return the active space with its id; None if there is none."""
        row = self.connection.execute(select(spaces).where(spaces.c.serving == 1)).first()
        return (row.id, Space(row.model, row.dimensions, row.fingerprint)) if row else None

    def serve(self, space_id: int) -> None:
        """Make this space the active one."""
        self.connection.execute(update(spaces).values(serving=spaces.c.id == space_id))

    def drop_space(self, space_id: int) -> int:
        """Delete a space with its embeddings; return how many embeddings it had."""
        count = self._count(select(func.count()).where(embeddings.c.space_id == space_id))
        self.connection.execute(delete(changes).where(changes.c.space_id == space_id))
        self.connection.execute(delete(spaces).where(spaces.c.id == space_id))  # its embeddings are deleted with it
        return count

    def lacking(self, space_id: int, kind: Kind) -> list[int]:
        """Return the ids of the contents that still need an embedding in a space.

        Pictures whose files all have problems are left out: they cannot get one.
        """
        has = exists().where(embeddings.c.content_id == contents.c.id, embeddings.c.space_id == space_id)
        query = select(contents.c.id).where(contents.c.kind == kind, ~has).order_by(contents.c.id)
        if kind is Kind.PICTURE:
            whole = ~exists().where(problems.c.path == items.c.path)
            query = query.where(exists().where(items.c.content_id == contents.c.id, whole))
        return list(self.connection.execute(query).scalars())

    def embedded(self, space_id: int, among: Iterable[str] | None = None) -> dict[str, int]:
        """Return hash and id of the pictures embedded in a space, or of those with the hashes `among`."""
        if among is None:
            return self._embedded(space_id)
        found: dict[str, int] = {}
        for some in chunks(among):
            found |= self._embedded(space_id, contents.c.hash.in_(some))
        return found

    def frames(self, space_id: int, video: str) -> dict[str, int]:
        """Return hash and id of the frames of a video (given by its hash) that are embedded in a space."""
        after = "A"  # the character after "@"
        return self._embedded(space_id, contents.c.hash >= f"{video}@", contents.c.hash < f"{video}{after}")

    def _embedded(self, space_id: int, *which: Any) -> dict[str, int]:
        joined = contents.join(embeddings, embeddings.c.content_id == contents.c.id)
        same = (contents.c.kind == Kind.PICTURE, embeddings.c.space_id == space_id, *which)
        rows = self.connection.execute(select(contents.c.hash, contents.c.id).select_from(joined).where(*same))
        return {row[0]: row[1] for row in rows}

    # --- contents ------------------------------------------------------------------------------------------

    def content(self, kind: Kind, digest: str) -> int | None:
        """Return the id of the content with this hash, or None."""
        same = and_(contents.c.kind == kind, contents.c.hash == digest)
        return self.connection.execute(select(contents.c.id).where(same)).scalar()

    def add_content(self, kind: Kind, digest: str, text: str = "", thumbnail: bytes | None = None) -> int:
        """Return the id of a content, adding it if it is new."""
        known = self.content(kind, digest)
        if known is not None:
            return known
        return self._insert(contents, {"kind": kind, "hash": digest, "text": text, "thumbnail": thumbnail})

    def _insert(self, table: Any, row: dict[str, Any]) -> int:
        key = self.connection.execute(insert(table).values(**row)).inserted_primary_key
        assert key is not None  # every table here has an integer primary key
        return int(key[0])

    def texts(self, ids: Iterable[int]) -> dict[int, str]:
        """Return the text of each text content, by id."""
        rows = self._each(ids, lambda some: select(contents.c.id, contents.c.text).where(contents.c.id.in_(some)))
        return {row.id: row.text for row in rows}

    def thumbnails(self, ids: Iterable[int]) -> dict[int, bytes]:
        """Return the thumbnail of each picture content that has one, by id."""
        chosen = select(contents.c.id, contents.c.thumbnail)
        rows = self._each(ids, lambda some: chosen.where(contents.c.id.in_(some)))
        return {row.id: row.thumbnail for row in rows if row.thumbnail}

    # --- items ---------------------------------------------------------------------------------------------

    def known(self, space_id: int, within: Sequence[Path] | None = None) -> dict[str, IndexedFile]:
        """Return the indexed files, or those at or below `within`, by path, as they were when they were indexed.

        A video counts as embedded when all its frames are. More than `PLACES` places are not used to narrow the result.
        """
        has = exists().where(embeddings.c.content_id == items.c.content_id, embeddings.c.space_id == space_id)
        path = type_coerce(items.c.path, LargeBinary)  # as strings: a `Path` for each would cost more than all else
        columns = (path, items.c.content_id, items.c.size, items.c.mtime_ns, items.c.sidecar_mtime_ns)
        chosen = select(*columns, has).order_by(items.c.second.desc())
        if within is not None and len(within) <= PLACES:
            chosen = chosen.where(or_(false(), *map(inside, within)))
        rows = self.connection.execute(chosen)
        found: dict[str, IndexedFile] = {}
        for row in rows:
            name = os.fsdecode(row[0])
            before = found.get(name)
            found[name] = IndexedFile(
                row[1], row[2], row[3], row[4], bool(row[5]) and (before is None or before.embedded)
            )
        return found

    def put_item(self, found: ScannedFile, held: Sequence[tuple[int, float | None]], facts: Facts) -> None:
        """Add or replace a file.

        `held` lists its contents, each with its second: None for a picture, else the time of a video frame.
        """
        rows = [item_row(found, content, facts, NO_SECOND if second is None else second) for content, second in held]
        others = and_(items.c.path == found.path, items.c.second.not_in([row["second"] for row in rows]))
        self.connection.execute(delete(items).where(others))
        for row in rows:
            same = ["path", "second"]
            self.connection.execute(upsert(items).values(row).on_conflict_do_update(index_elements=same, set_=row))

    def saw_sidecar(self, item: int, mtime_ns: int) -> None:
        """Record the modification time of an item's sidecar, so that it is not read again."""
        self.connection.execute(update(items).where(items.c.id == item).values(sidecar_mtime_ns=mtime_ns))

    def remove_items(self, paths: Iterable[Path]) -> int:
        """Remove files with the captions that came with them; return how many files were removed."""
        removed = 0
        for some in chunks(paths):
            own = and_(captions.c.source.in_(OWN_WORDS), captions.c.origin.in_(some))
            self.connection.execute(delete(captions).where(own))
            removed += self._count(select(func.count(items.c.path.distinct())).where(items.c.path.in_(some)))
            self.connection.execute(delete(items).where(items.c.path.in_(some)))
        return removed

    def below(self, folder: Path) -> list[Path]:
        """Return the indexed files that are `folder` or lie in it."""
        return list(self.connection.execute(select(items.c.path).where(inside(folder)).distinct()).scalars())

    def drop_orphans(self) -> None:
        """Delete contents that nothing refers to any more, and log this for the vector files."""
        if self.connection.execute(text("SELECT 1 FROM loose LIMIT 1")).first() is None:
            return
        self._drop(Kind.PICTURE, ~exists().where(items.c.content_id == contents.c.id))
        self._drop(Kind.TEXT, ~exists().where(captions.c.text_id == contents.c.id))
        self.connection.execute(text("DELETE FROM loose"))

    def _drop(self, kind: Kind, unused: Any) -> None:
        loose = text("SELECT content_id FROM loose").columns(contents.c.id)
        such = literal_column("+contents.kind", contents.c.kind.type) == kind  # "+" disables the index on `kind`
        gone = select(contents.c.id).where(contents.c.id.in_(loose), such, unused)
        ids = list(self.connection.execute(gone).scalars())
        if not ids:
            return
        numbers = list(self.connection.execute(select(spaces.c.id)).scalars())
        rows = [{"space_id": n, "kind": kind, "content_id": i, "removed": 1} for n in numbers for i in ids]
        if rows:
            self.connection.execute(insert(changes), rows)
        for some in chunks(ids):
            self.connection.execute(delete(contents).where(contents.c.id.in_(some)))

    def items(self, ids: Iterable[int] | None = None) -> Iterator[Item]:
        """Iterate over the items with these ids, or over all items in order of path."""
        if ids is None:
            rows: Iterable[Row[Any]] = self.connection.execute(select(items).order_by(items.c.path))
        else:
            rows = self._each(ids, lambda some: select(items).where(items.c.id.in_(some)))
        return (to_item(row) for row in rows)

    def items_at(self, path: Path) -> list[Item]:
        """Return the item of the picture at a path, or the items of the frames of a video."""
        rows = self.connection.execute(select(items).where(items.c.path == path).order_by(items.c.second))
        return [to_item(row) for row in rows]

    def items_within(self, places: Sequence[Path] | None) -> list[Item]:
        """Return the items at or below these places (None: all), in order of path."""
        every = self.items()
        return [item for item in every if places is None or any(item.path.is_relative_to(place) for place in places)]

    def one_of_each(self, places: Sequence[Path] | None) -> dict[int, Item]:
        """Return the contents in these places (None: all), each with the first item that holds it."""
        found: dict[int, Item] = {}
        for item in self.items_within(places):
            found.setdefault(item.content, item)
        return found

    def items_holding(self, ids: Iterable[int]) -> dict[int, list[Item]]:
        """Return the items that hold each of these contents, in order of path."""
        found: dict[int, list[Item]] = defaultdict(list)
        chosen = select(items).order_by(items.c.path)
        for row in self._each(ids, lambda some: chosen.where(items.c.content_id.in_(some))):
            found[row.content_id].append(to_item(row))
        return found

    def contents_at(self, paths: Iterable[Path]) -> dict[Path, int]:
        """Return the content id of each file (of a video, its first frame); unknown files are left out."""
        found: dict[Path, int] = {}
        for some in chunks(paths):
            chosen = select(items.c.path, items.c.content_id).where(items.c.path.in_(some))
            rows = self.connection.execute(chosen.order_by(items.c.second.desc()))
            found |= {row[0]: row[1] for row in rows}
        return found

    # --- captions ------------------------------------------------------------------------------------------

    def put_captions(self, picture: int | None, texts: Sequence[int], source: str, origin: Path) -> None:
        """Link texts to a picture (None: to no picture)."""
        rows = [{"picture_id": picture, "text_id": text, "source": source, "origin": origin} for text in texts]
        if rows:
            self.connection.execute(insert(captions), rows)

    def drop_captions(self, source: Sequence[str], origin: Path) -> int:
        """Delete the captions from these sources and one origin; return how many there were."""
        same = and_(captions.c.source.in_(source), captions.c.origin == origin)
        return self.connection.execute(delete(captions).where(same)).rowcount

    def captions_of(self, pictures: Iterable[int], sources: Sequence[str] = ()) -> dict[int, list[str]]:
        """Return the texts of each picture: edited by hand first, then from files as they were added, then generated.

        With `sources`, only texts from these.
        """
        found: dict[int, list[str]] = defaultdict(list)
        joined = captions.join(contents, contents.c.id == captions.c.text_id)
        chosen = select(captions.c.picture_id, contents.c.text).select_from(joined)
        chosen = chosen.order_by(captions.c.source == GENERATED, captions.c.source != EDITED, captions.c.id)
        if sources:
            chosen = chosen.where(captions.c.source.in_(sources))
        for row in self._each(pictures, lambda some: chosen.where(captions.c.picture_id.in_(some))):
            found[row.picture_id].append(row.text)
        return found

    def captioned(self) -> float:
        """Return the share of pictures that have a text, by people or models."""
        has = func.count(captions.c.picture_id.distinct())
        pictures = self._count(select(func.count()).where(contents.c.kind == Kind.PICTURE))
        return self._count(select(has)) / max(pictures, 1)

    def pairs(self) -> list[tuple[int, int]]:
        """Return each distinct (picture id, text id) pair of captions that no model generated."""
        chosen = select(captions.c.picture_id, captions.c.text_id).distinct()
        chosen = chosen.where(captions.c.picture_id.is_not(None), captions.c.source != GENERATED)
        return [(row[0], row[1]) for row in self.connection.execute(chosen.order_by(*chosen.selected_columns))]

    def pairs_stamp(self) -> tuple[int, int]:
        """Return a value that changes whenever `pairs` does."""
        row = self.connection.execute(select(func.count(), func.coalesce(func.max(captions.c.id), 0))).one()
        return int(row[0]), int(row[1])

    def pairs_of(self, pictures: Iterable[int]) -> list[tuple[int, int]]:
        """Return the (picture id, text id) pairs of these pictures, in the order of the pictures."""
        chosen = select(captions.c.picture_id, captions.c.text_id).order_by(captions.c.id)
        found: dict[int, list[int]] = defaultdict(list)
        wanted = list(pictures)
        for row in self._each(wanted, lambda some: chosen.where(captions.c.picture_id.in_(some))):
            found[row.picture_id].append(row.text_id)
        return [(picture, text) for picture in wanted for text in found[picture]]

    def pictures_of(self, texts: Iterable[int]) -> dict[int, list[int]]:
        """Return the ids of the pictures that each of these texts belongs to."""
        found: dict[int, list[int]] = defaultdict(list)
        chosen = select(captions.c.text_id, captions.c.picture_id).order_by(captions.c.id)
        for row in self._each(texts, lambda some: chosen.where(captions.c.text_id.in_(some))):
            if row.picture_id is not None and row.picture_id not in found[row.text_id]:
                found[row.text_id].append(row.picture_id)
        return found

    # --- problems and roots --------------------------------------------------------------------------------

    def put_problem(self, problem: Problem, found: ScannedFile | None = None) -> None:
        """Record why a file could not be used, and its size and modification time at that attempt."""
        row = {
            "path": problem.path,
            "reason": str(problem.reason),
            "message": problem.message,
            "size": found.size if found else 0,
            "mtime_ns": found.mtime_ns if found else 0,
        }
        self.connection.execute(upsert(problems).values(row).on_conflict_do_update(index_elements=["path"], set_=row))

    def clear_problems(self, paths: Iterable[Path]) -> None:
        """Delete problems that are solved or whose files are gone."""
        for some in chunks(paths):
            self.connection.execute(delete(problems).where(problems.c.path.in_(some)))

    def problems(self) -> dict[Path, tuple[Problem, int, int]]:
        """Return every problem by path, with the size (bytes) and modification time (ns) of the file then."""
        rows = self.connection.execute(select(problems).order_by(problems.c.path))
        return {row.path: (Problem(row.path, row.reason, row.message), row.size, row.mtime_ns) for row in rows}

    def problems_below(self, folder: Path) -> list[Path]:
        """Return the paths with problems that are `folder` or lie in it."""
        rows = self.connection.execute(select(problems.c.path)).scalars()
        return [path for path in rows if path.is_relative_to(folder)]

    def add_roots(self, folders: Iterable[Path]) -> None:
        """Record folders as indexed roots."""
        for folder in folders:
            self.connection.execute(upsert(roots).values(path=folder).on_conflict_do_nothing())

    def roots(self) -> list[Path]:
        """Return the folders that were indexed, in order."""
        return list(self.connection.execute(select(roots.c.path).order_by(roots.c.path)).scalars())

    def drop_roots(self, folders: Sequence[Path]) -> None:
        """Remove folders from the indexed roots."""
        self.connection.execute(delete(roots).where(roots.c.path.in_(folders)))

    def counts(self) -> dict[str, int]:
        """Return the number of captions, problems, files (`items`), pictures and texts."""
        tables = {"captions": captions, "problems": problems}
        found = {name: self._count(select(func.count()).select_from(table)) for name, table in tables.items()}
        found["items"] = self._count(select(func.count(items.c.path.distinct())))
        for kind in Kind:
            found[kind] = self._count(select(func.count()).where(contents.c.kind == kind))
        return found

    def _count(self, query: Any) -> int:
        return int(self.connection.execute(query).scalar_one())

    def _each(self, ids: Iterable[int], query: Any) -> Iterator[Row[Any]]:
        for some in chunks(int(number) for number in ids):
            yield from self.connection.execute(query(some))


def chunks(values: Iterable[T]) -> Iterator[list[T]]:
    """Yield the values in lists that are short enough for one SQL statement."""
    rest = iter(values)
    while some := list(islice(rest, MANY)):
        yield some
