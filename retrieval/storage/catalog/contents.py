"""Contents: pictures and texts by their hash, each stored once however many files or captions have it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import (
    ColumnElement,
    and_,
    delete,
    exists,
    func,
    insert,
    literal,
    literal_column,
    or_,
    select,
    text,
    update,
)

from ...types.records import REMARKS, Kind
from .captions import EDITED
from .repository import Repository, chunks
from .schema import captions, changes, contents, embeddings, examples, items, problems, spaces

SAID_BY_PEOPLE = or_(  # of a picture in `contents`
    exists().where(captions.c.picture_id == contents.c.id, captions.c.source == EDITED),
    exists().where(examples.c.content_id == contents.c.id),
)


class Contents(Repository):
    """Pictures and texts, and what is computed from them."""

    def find(self, kind: Kind, digest: str) -> int | None:
        """Return the id of the content with this hash, or None."""
        same = and_(contents.c.kind == kind, contents.c.hash == digest)
        return self._connection.execute(select(contents.c.id).where(same)).scalar()

    def add(self, kind: Kind, digest: str, text: str = "", thumbnail: bytes | None = None) -> int:
        """Return the id of a content, adding it if it is new."""
        known = self.find(kind, digest)
        if known is not None:
            return known
        return self._insert(contents, {"kind": kind, "hash": digest, "text": text, "thumbnail": thumbnail})

    def texts(self, ids: Iterable[int]) -> dict[int, str]:
        """Return the text of each text content, by id."""
        rows = self._each(ids, lambda some: select(contents.c.id, contents.c.text).where(contents.c.id.in_(some)))
        return {row.id: row.text for row in rows}

    def digests(self, ids: Iterable[int]) -> dict[int, str]:
        """Return the content hash of each content, by id."""
        rows = self._each(ids, lambda some: select(contents.c.id, contents.c.hash).where(contents.c.id.in_(some)))
        return {row.id: row.hash for row in rows}

    def thumbnails(self, ids: Iterable[int]) -> dict[int, bytes]:
        """Return the thumbnail of each picture content that has one, by id."""
        chosen = select(contents.c.id, contents.c.thumbnail)
        rows = self._each(ids, lambda some: chosen.where(contents.c.id.in_(some)))
        return {row.id: row.thumbnail for row in rows if row.thumbnail}

    def count(self, kind: Kind) -> int:
        """Return the number of contents of a kind that are present."""
        return self._count(select(func.count()).where(contents.c.kind == kind, contents.c.absent == 0))

    def lacking(self, space_id: int, kind: Kind) -> list[int]:
        """Return the ids of the contents that still need an embedding in a space.

        Pictures whose files all have problems are left out: they cannot get one.
        """
        has = exists().where(embeddings.c.content_id == contents.c.id, embeddings.c.space_id == space_id)
        query = select(contents.c.id).where(contents.c.kind == kind, ~has).order_by(contents.c.id)
        if kind is Kind.PICTURE:
            whole = ~exists().where(problems.c.path == items.c.path, problems.c.reason.not_in(REMARKS))
            there = items.c.absent_since.is_(None)
            query = query.where(exists().where(items.c.content_id == contents.c.id, there, whole))
        return list(self._connection.execute(query).scalars())

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
        rows = self._connection.execute(select(contents.c.hash, contents.c.id).select_from(joined).where(*same))
        return {row[0]: row[1] for row in rows}

    def has_own_words(self, picture: int) -> bool:
        """Whether a picture has a caption by hand, or is an example of a taught word."""
        return bool(
            self._connection.execute(select(contents.c.id).where(contents.c.id == picture, SAID_BY_PEOPLE)).first()
        )

    def drop_own_words(self, pictures: Iterable[int]) -> None:
        """Delete the captions by hand and the lessons of pictures."""
        for some in chunks(pictures):
            own = and_(captions.c.picture_id.in_(some), captions.c.source == EDITED)
            self._connection.execute(delete(captions).where(own))
            self._connection.execute(delete(examples).where(examples.c.content_id.in_(some)))

    def settle(self) -> None:
        """Delete contents that nothing refers to any more, and note which are present; log both for the vector files.

        A picture that people have captioned or taught with is kept though no file holds it: it may come back.

        A picture is present if a file that is there holds it; a text, if it belongs to such a picture or to none.
        Vector stores hold the present contents only. Called at the end of each transaction that changes files or
        captions; it looks only at the contents that triggers have listed.
        """
        if self._connection.execute(text("SELECT 1 FROM orphan_candidates LIMIT 1")).first() is None:
            return
        self._drop(Kind.PICTURE, and_(~exists().where(items.c.content_id == contents.c.id), ~SAID_BY_PEOPLE))
        self._drop(Kind.TEXT, ~exists().where(captions.c.text_id == contents.c.id))
        listed = text("SELECT content_id FROM orphan_candidates").columns(contents.c.id)
        candidates = set(self._connection.execute(select(contents.c.id).where(contents.c.id.in_(listed))).scalars())
        there = exists().where(items.c.content_id == contents.c.id, items.c.absent_since.is_(None))
        changed = self._note_presence(Kind.PICTURE, candidates, there)
        for some in chunks(changed):
            of_pictures = select(captions.c.text_id).where(captions.c.picture_id.in_(some))
            candidates |= set(self._connection.execute(of_pictures).scalars())
        picture = contents.alias("picture")
        seen = exists().where(
            captions.c.text_id == contents.c.id,
            or_(
                captions.c.picture_id.is_(None),
                exists().where(picture.c.id == captions.c.picture_id, picture.c.absent == 0),
            ),
        )
        self._note_presence(Kind.TEXT, candidates, seen)
        self._connection.execute(text("DELETE FROM orphan_candidates"))

    def _note_presence(self, kind: Kind, among: Iterable[int], present: ColumnElement[bool]) -> list[int]:
        """Note for each of these contents whether it is present, and return those for which this has changed."""
        changed: list[int] = []
        for some in chunks(among):
            of_kind = (contents.c.id.in_(some), contents.c.kind == kind)
            for absent, wrong in ((1, ~present), (0, present)):
                ids = list(
                    self._connection.execute(
                        select(contents.c.id).where(*of_kind, contents.c.absent == 1 - absent, wrong)
                    ).scalars()
                )
                if not ids:
                    continue
                self._connection.execute(update(contents).where(contents.c.id.in_(ids)).values(absent=absent))
                columns = [embeddings.c.space_id, literal(str(kind)), embeddings.c.content_id, literal(absent)]
                logged = select(*columns).where(embeddings.c.content_id.in_(ids))
                names = ["space_id", "kind", "content_id", "removed"]
                self._connection.execute(insert(changes).from_select(names, logged))
                changed += ids
        return changed

    def _drop(self, kind: Kind, unused: Any) -> None:
        loose = text("SELECT content_id FROM orphan_candidates").columns(contents.c.id)
        such = literal_column("+contents.kind", contents.c.kind.type) == kind  # "+" disables the index on `kind`
        gone = select(contents.c.id).where(contents.c.id.in_(loose), such, unused)
        ids = list(self._connection.execute(gone).scalars())
        if not ids:
            return
        numbers = list(self._connection.execute(select(spaces.c.id)).scalars())
        rows = [{"space_id": n, "kind": kind, "content_id": i, "removed": 1} for n in numbers for i in ids]
        if rows:
            self._connection.execute(insert(changes), rows)
        for some in chunks(ids):
            self._connection.execute(delete(contents).where(contents.c.id.in_(some)))
