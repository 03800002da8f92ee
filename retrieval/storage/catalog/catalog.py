"""The catalog: what a library knows of its files, pictures, texts and problems, inside one transaction.

Made over a connection of `Database.begin()` (writes; rolled back unless that block ends well) or `connect()`.
Knows the tables; does not know vectors, models or pictures' pixels.
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

from ...types.records import Facts, Found, Item, Kind, Problem, Space
from .mapping import PICTURE, inside, item_row, to_item
from .schema import captions, changes, contents, embeddings, items, problems, roots, spaces

T = TypeVar("T")
OWN_WORDS = ("metadata", "sidecar")  # captions whose origin is the picture file itself
GENERATED, EDITED = "generated", "edited"  # captions by a model, and by hand
PLACES = 50  # folders and files up to which the catalog is asked for what lies in them
MANY = 5000  # values in one IN list


class Known(NamedTuple):
    """A file as it was when it was indexed."""

    content: int
    size: int
    mtime_ns: int
    sidecar_mtime_ns: int
    embedded: bool  # in the space that was asked about


class Catalog:
    """Reads and writes of one transaction."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    # --- spaces --------------------------------------------------------------------------------------------

    def space_id(self, space: Space) -> int | None:
        """The number of a space, if the library has it."""
        same = and_(spaces.c.model == space.model, spaces.c.fingerprint == space.fingerprint)
        return self.connection.execute(select(spaces.c.id).where(same)).scalar()

    def add_space(self, space: Space) -> int:
        """The number of a space, made when it is new; the first one serves."""
        known = self.space_id(space)
        if known is not None:
            return known
        first = self.serving() is None
        row = {
            "model": space.model,
            "dimensions": space.dimensions,
            "fingerprint": space.fingerprint,
            "serving": int(first),
        }
        return self._insert(spaces, row)

    def spaces(self) -> list[tuple[int, Space]]:
        """Every space with its number."""
        rows = self.connection.execute(select(spaces).order_by(spaces.c.id))
        return [(row.id, Space(row.model, row.dimensions, row.fingerprint)) for row in rows]

    def serving(self) -> tuple[int, Space] | None:
        """The space that answers queries."""
        row = self.connection.execute(select(spaces).where(spaces.c.serving == 1)).first()
        return (row.id, Space(row.model, row.dimensions, row.fingerprint)) if row else None

    def serve(self, space_id: int) -> None:
        """From now on this space answers queries."""
        self.connection.execute(update(spaces).values(serving=spaces.c.id == space_id))

    def drop_space(self, space_id: int) -> int:
        """Forget a space with its embeddings, of which it had so many."""
        count = self._count(select(func.count()).where(embeddings.c.space_id == space_id))
        self.connection.execute(delete(changes).where(changes.c.space_id == space_id))
        self.connection.execute(delete(spaces).where(spaces.c.id == space_id))  # the rest goes with it
        return count

    def lacking(self, space_id: int, kind: Kind) -> list[int]:
        """Contents that should have an embedding in a space and do not; files with problems cannot have one."""
        has = exists().where(embeddings.c.content_id == contents.c.id, embeddings.c.space_id == space_id)
        query = select(contents.c.id).where(contents.c.kind == kind, ~has).order_by(contents.c.id)
        if kind is Kind.PICTURE:
            whole = ~exists().where(problems.c.path == items.c.path)
            query = query.where(exists().where(items.c.content_id == contents.c.id, whole))
        return list(self.connection.execute(query).scalars())

    def embedded(self, space_id: int, among: Iterable[str] | None = None) -> dict[str, int]:
        """The pictures that have an embedding in a space, or those of them with these hashes: hashes and numbers."""
        if among is None:
            return self._embedded(space_id)
        found: dict[str, int] = {}
        for some in chunks(among):
            found |= self._embedded(space_id, contents.c.hash.in_(some))
        return found

    def frames(self, space_id: int, video: str) -> dict[str, int]:
        """The frames of a video, by its hash, that have an embedding in a space: hashes and numbers."""
        after = "A"  # the one after "@"
        return self._embedded(space_id, contents.c.hash >= f"{video}@", contents.c.hash < f"{video}{after}")

    def _embedded(self, space_id: int, *which: Any) -> dict[str, int]:
        joined = contents.join(embeddings, embeddings.c.content_id == contents.c.id)
        same = (contents.c.kind == Kind.PICTURE, embeddings.c.space_id == space_id, *which)
        rows = self.connection.execute(select(contents.c.hash, contents.c.id).select_from(joined).where(*same))
        return {row[0]: row[1] for row in rows}

    # --- contents ------------------------------------------------------------------------------------------

    def content(self, kind: Kind, digest: str) -> int | None:
        """The number of a content by its hash."""
        same = and_(contents.c.kind == kind, contents.c.hash == digest)
        return self.connection.execute(select(contents.c.id).where(same)).scalar()

    def add_content(self, kind: Kind, digest: str, text: str = "", thumbnail: bytes | None = None) -> int:
        """The number of a content, made when it is new."""
        known = self.content(kind, digest)
        if known is not None:
            return known
        return self._insert(contents, {"kind": kind, "hash": digest, "text": text, "thumbnail": thumbnail})

    def _insert(self, table: Any, row: dict[str, Any]) -> int:
        key = self.connection.execute(insert(table).values(**row)).inserted_primary_key
        assert key is not None  # every table here has a numbered key
        return int(key[0])

    def texts(self, ids: Iterable[int]) -> dict[int, str]:
        """The words of text contents."""
        rows = self._each(ids, lambda some: select(contents.c.id, contents.c.text).where(contents.c.id.in_(some)))
        return {row.id: row.text for row in rows}

    def thumbnails(self, ids: Iterable[int]) -> dict[int, bytes]:
        """The thumbnails of picture contents."""
        chosen = select(contents.c.id, contents.c.thumbnail)
        rows = self._each(ids, lambda some: chosen.where(contents.c.id.in_(some)))
        return {row.id: row.thumbnail for row in rows if row.thumbnail}

    # --- items ---------------------------------------------------------------------------------------------

    def known(self, space_id: int, within: Sequence[Path] | None = None) -> dict[str, Known]:
        """The files of the library, or of some places, as they were when they were indexed.

        A video is embedded when all its frames are.
        """
        has = exists().where(embeddings.c.content_id == items.c.content_id, embeddings.c.space_id == space_id)
        path = type_coerce(items.c.path, LargeBinary)  # as strings: a `Path` of each would cost more than all the rest
        columns = (path, items.c.content_id, items.c.size, items.c.mtime_ns, items.c.sidecar_mtime_ns)
        chosen = select(*columns, has).order_by(items.c.second.desc())
        if within is not None and len(within) <= PLACES:
            chosen = chosen.where(or_(false(), *map(inside, within)))
        rows = self.connection.execute(chosen)
        found: dict[str, Known] = {}
        for row in rows:
            name = os.fsdecode(row[0])
            before = found.get(name)
            found[name] = Known(row[1], row[2], row[3], row[4], bool(row[5]) and (before is None or before.embedded))
        return found

    def put_item(self, found: Found, held: Sequence[tuple[int, float | None]], facts: Facts) -> None:
        """Add or replace a file: the picture it holds, or a video's frames, each with its second."""
        rows = [item_row(found, content, facts, PICTURE if second is None else second) for content, second in held]
        others = and_(items.c.path == found.path, items.c.second.not_in([row["second"] for row in rows]))
        self.connection.execute(delete(items).where(others))
        for row in rows:
            same = ["path", "second"]
            self.connection.execute(upsert(items).values(row).on_conflict_do_update(index_elements=same, set_=row))

    def saw_sidecar(self, item: int, mtime_ns: int) -> None:
        """Remember the time of an item's sidecar, which is known without reading it."""
        self.connection.execute(update(items).where(items.c.id == item).values(sidecar_mtime_ns=mtime_ns))

    def remove_items(self, paths: Iterable[Path]) -> int:
        """Remove files with the words that came with them; how many files there were."""
        removed = 0
        for some in chunks(paths):
            own = and_(captions.c.source.in_(OWN_WORDS), captions.c.origin.in_(some))
            self.connection.execute(delete(captions).where(own))
            removed += self._count(select(func.count(items.c.path.distinct())).where(items.c.path.in_(some)))
            self.connection.execute(delete(items).where(items.c.path.in_(some)))
        return removed

    def below(self, folder: Path) -> list[Path]:
        """The files of the library that are `folder` or lie in it."""
        return list(self.connection.execute(select(items.c.path).where(inside(folder)).distinct()).scalars())

    def drop_orphans(self) -> None:
        """Remove contents that nothing points to any more, telling the vector files."""
        if self.connection.execute(text("SELECT 1 FROM loose LIMIT 1")).first() is None:
            return
        self._drop(Kind.PICTURE, ~exists().where(items.c.content_id == contents.c.id))
        self._drop(Kind.TEXT, ~exists().where(captions.c.text_id == contents.c.id))
        self.connection.execute(text("DELETE FROM loose"))

    def _drop(self, kind: Kind, unused: Any) -> None:
        loose = text("SELECT content_id FROM loose").columns(contents.c.id)
        such = literal_column("+contents.kind", contents.c.kind.type) == kind  # "+": not all of a kind
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
        """Files by their number, or all of them, in order of their path."""
        if ids is None:
            rows: Iterable[Row[Any]] = self.connection.execute(select(items).order_by(items.c.path))
        else:
            rows = self._each(ids, lambda some: select(items).where(items.c.id.in_(some)))
        return (to_item(row) for row in rows)

    def items_at(self, path: Path) -> list[Item]:
        """The picture file at a path, or the frames of the video."""
        rows = self.connection.execute(select(items).where(items.c.path == path).order_by(items.c.second))
        return [to_item(row) for row in rows]

    def items_within(self, places: Sequence[Path] | None) -> list[Item]:
        """The files that are one of these places or lie in one (None: all), in order of their path."""
        every = self.items()
        return [item for item in every if places is None or any(item.path.is_relative_to(place) for place in places)]

    def one_of_each(self, places: Sequence[Path] | None) -> dict[int, Item]:
        """The contents of these places (None: all), each with the first file that holds it."""
        found: dict[int, Item] = {}
        for item in self.items_within(places):
            found.setdefault(item.content, item)
        return found

    def items_holding(self, ids: Iterable[int]) -> dict[int, list[Item]]:
        """The files that hold each of these contents, in order of their path."""
        found: dict[int, list[Item]] = defaultdict(list)
        chosen = select(items).order_by(items.c.path)
        for row in self._each(ids, lambda some: chosen.where(items.c.content_id.in_(some))):
            found[row.content_id].append(to_item(row))
        return found

    def contents_at(self, paths: Iterable[Path]) -> dict[Path, int]:
        """The picture (of a video, the first) that each of these files holds; files it does not have are left out."""
        found: dict[Path, int] = {}
        for some in chunks(paths):
            chosen = select(items.c.path, items.c.content_id).where(items.c.path.in_(some))
            rows = self.connection.execute(chosen.order_by(items.c.second.desc()))
            found |= {row[0]: row[1] for row in rows}
        return found

    # --- captions ------------------------------------------------------------------------------------------

    def put_captions(self, picture: int | None, texts: Sequence[int], source: str, origin: Path) -> None:
        """Link texts to a picture (or to none)."""
        rows = [{"picture_id": picture, "text_id": text, "source": source, "origin": origin} for text in texts]
        if rows:
            self.connection.execute(insert(captions), rows)

    def drop_captions(self, source: Sequence[str], origin: Path) -> int:
        """Forget what came from one origin; how many captions it was."""
        same = and_(captions.c.source.in_(source), captions.c.origin == origin)
        return self.connection.execute(delete(captions).where(same)).rowcount

    def captions_of(self, pictures: Iterable[int], sources: Sequence[str] = ()) -> dict[int, list[str]]:
        """The texts of each picture: people's in the order they were added, then what models made; or some sources'."""
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
        """The share of pictures that have texts, by people or models."""
        has = func.count(captions.c.picture_id.distinct())
        pictures = self._count(select(func.count()).where(contents.c.kind == Kind.PICTURE))
        return self._count(select(has)) / max(pictures, 1)

    def pairs(self) -> list[tuple[int, int]]:
        """Every picture with every text that a person gave it, as numbers, each pair once."""
        chosen = select(captions.c.picture_id, captions.c.text_id).distinct()
        chosen = chosen.where(captions.c.picture_id.is_not(None), captions.c.source != GENERATED)
        return [(row[0], row[1]) for row in self.connection.execute(chosen.order_by(*chosen.selected_columns))]

    def pairs_stamp(self) -> tuple[int, int]:
        """Changes whenever `pairs` does."""
        row = self.connection.execute(select(func.count(), func.coalesce(func.max(captions.c.id), 0))).one()
        return int(row[0]), int(row[1])

    def pairs_of(self, pictures: Iterable[int]) -> list[tuple[int, int]]:
        """These pictures with every text they have, in the order of the pictures."""
        chosen = select(captions.c.picture_id, captions.c.text_id).order_by(captions.c.id)
        found: dict[int, list[int]] = defaultdict(list)
        wanted = list(pictures)
        for row in self._each(wanted, lambda some: chosen.where(captions.c.picture_id.in_(some))):
            found[row.picture_id].append(row.text_id)
        return [(picture, text) for picture in wanted for text in found[picture]]

    def pictures_of(self, texts: Iterable[int]) -> dict[int, list[int]]:
        """The pictures each text belongs to."""
        found: dict[int, list[int]] = defaultdict(list)
        chosen = select(captions.c.text_id, captions.c.picture_id).order_by(captions.c.id)
        for row in self._each(texts, lambda some: chosen.where(captions.c.text_id.in_(some))):
            if row.picture_id is not None and row.picture_id not in found[row.text_id]:
                found[row.text_id].append(row.picture_id)
        return found

    # --- problems and roots --------------------------------------------------------------------------------

    def put_problem(self, problem: Problem, found: Found | None = None) -> None:
        """Remember why a file could not be used, and as what it was tried."""
        row = {
            "path": problem.path,
            "reason": str(problem.reason),
            "message": problem.message,
            "size": found.size if found else 0,
            "mtime_ns": found.mtime_ns if found else 0,
        }
        self.connection.execute(upsert(problems).values(row).on_conflict_do_update(index_elements=["path"], set_=row))

    def clear_problems(self, paths: Iterable[Path]) -> None:
        """Forget problems that are solved or whose files are gone."""
        for some in chunks(paths):
            self.connection.execute(delete(problems).where(problems.c.path.in_(some)))

    def problems(self) -> dict[Path, tuple[Problem, int, int]]:
        """Every problem with the size and time the file had."""
        rows = self.connection.execute(select(problems).order_by(problems.c.path))
        return {row.path: (Problem(row.path, row.reason, row.message), row.size, row.mtime_ns) for row in rows}

    def problems_below(self, folder: Path) -> list[Path]:
        """The problems of `folder` and of what lies in it."""
        rows = self.connection.execute(select(problems.c.path)).scalars()
        return [path for path in rows if path.is_relative_to(folder)]

    def add_roots(self, folders: Iterable[Path]) -> None:
        """Remember which folders were indexed."""
        for folder in folders:
            self.connection.execute(upsert(roots).values(path=folder).on_conflict_do_nothing())

    def roots(self) -> list[Path]:
        """The folders that were indexed."""
        return list(self.connection.execute(select(roots.c.path).order_by(roots.c.path)).scalars())

    def drop_roots(self, folders: Sequence[Path]) -> None:
        """Forget folders."""
        self.connection.execute(delete(roots).where(roots.c.path.in_(folders)))

    def counts(self) -> dict[str, int]:
        """How many rows there are of everything people ask about."""
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
    """The values in lists that fit one statement."""
    rest = iter(values)
    while some := list(islice(rest, MANY)):
        yield some
