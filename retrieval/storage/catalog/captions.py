"""Captions: which texts belong to which pictures, where they come from, and who wrote them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Row, and_, delete, exists, func, insert, select

from ...types.records import AttributedText, Kind
from ...types.serialize import utc_now
from .repository import Repository, chunks
from .schema import captions, contents
from .schema import present_items as items

GENERATED, EDITED = "generated", "edited"  # sources of captions: by a model, and by hand
NOWHERE = Path()


@dataclass(frozen=True)
class WrittenCaption:
    """A text written here for a picture: by a model, or by hand (no model)."""

    text: str
    model: str


@dataclass(frozen=True)
class CaptionCounts:
    """How many pictures have a caption by people, or by a model, and how many captions by people one of these has."""

    people: int
    models: int
    per_picture: float


class Captions(Repository):
    """The links between texts and pictures."""

    def link(self, picture: int | None, texts: Sequence[int], source: str, origin: Path) -> None:
        """Link texts to a picture (None: to no picture)."""
        rows = [{"picture_id": picture, "text_id": text, "source": source, "origin": origin} for text in texts]
        if rows:
            self._connection.execute(insert(captions), rows)

    def unlink(self, source: Sequence[str], origin: Path) -> int:
        """Delete the captions from these sources and one origin; return how many there were."""
        same = and_(captions.c.source.in_(source), captions.c.origin == origin)
        return self._connection.execute(delete(captions).where(same)).rowcount

    def put_generated(self, picture: int, text: int, model: str, prompt: str) -> None:
        """Link a generated text to a picture, replacing an earlier one by the same model."""
        same = and_(captions.c.picture_id == picture, captions.c.source == GENERATED, captions.c.model == model)
        self._connection.execute(delete(captions).where(same))
        self._link(picture, text, GENERATED, model, prompt)

    def put_edited(self, picture: int, text: int) -> None:
        """Link a text written by hand to a picture, replacing earlier edits and all generated texts."""
        gone = captions.c.source.in_([GENERATED, EDITED])
        self._connection.execute(delete(captions).where(captions.c.picture_id == picture, gone))
        self._link(picture, text, EDITED, "", "")

    def edited(self, picture: int) -> str:
        """Return the caption by hand of a picture, the first one that `texts_of` names; "" if there is none."""
        return next(iter(self.of([picture], [EDITED])[picture]), "")

    def remove_edited(self, picture: int) -> None:
        """Delete the captions by hand of a picture."""
        by_hand = and_(captions.c.picture_id == picture, captions.c.source == EDITED)
        self._connection.execute(delete(captions).where(by_hand))

    def copy_edited(self, picture: int, to: int) -> None:
        """Give a picture the captions by hand of another one, unless it has its own."""
        edited = captions.c.source == EDITED
        if self._connection.execute(select(captions.c.id).where(captions.c.picture_id == to, edited)).first():
            return
        found = select(captions.c.text_id).where(captions.c.picture_id == picture, edited).order_by(captions.c.id)
        for text in list(self._connection.execute(found).scalars()):
            self._link(to, text, EDITED, "", "")

    def _link(self, picture: int, text: int, source: str, model: str, prompt: str) -> None:
        row = {"picture_id": picture, "text_id": text, "source": source, "origin": NOWHERE}
        self._connection.execute(insert(captions).values(**row, model=model, prompt=prompt, made_at=utc_now()))

    def of(self, pictures: Iterable[int], sources: Sequence[str] = ()) -> dict[int, list[str]]:
        """Return the texts of each picture: edited by hand first, then from files as they were added, then generated.

        With `sources`, only texts from these.
        """
        by_picture: dict[int, list[str]] = defaultdict(list)
        for row in self._texts(pictures, sources):
            by_picture[row.picture_id].append(row.text)
        return by_picture

    def with_models(self, pictures: Iterable[int]) -> dict[int, list[tuple[str, str]]]:
        """Return the texts of each picture in the order of `of`, each with the model that wrote it ("" for people)."""
        found: dict[int, list[tuple[str, str]]] = defaultdict(list)
        for row in self._texts(pictures):
            found[row.picture_id].append((row.text, row.model if row.source == GENERATED else ""))
        return found

    def _texts(self, pictures: Iterable[int], sources: Sequence[str] = ()) -> Iterator[Row[Any]]:
        """Yield the texts of pictures: edited by hand first, then from files as they were added, then generated."""
        chosen = select(captions.c.picture_id, contents.c.text, captions.c.model, captions.c.source)
        chosen = chosen.select_from(captions.join(contents, contents.c.id == captions.c.text_id))
        chosen = chosen.order_by(captions.c.source == GENERATED, captions.c.source != EDITED, captions.c.id)
        if sources:
            chosen = chosen.where(captions.c.source.in_(sources))
        yield from self._each(pictures, lambda some: chosen.where(captions.c.picture_id.in_(some)))

    def count(self) -> int:
        """Return the number of captions."""
        return self._count(select(func.count()).select_from(captions))

    def captioned(self) -> CaptionCounts:
        """Return how many pictures have captions, by whom."""
        by_model = captions.c.source == GENERATED
        counts = (func.count(captions.c.picture_id.distinct()), func.count(captions.c.picture_id))
        chosen = select(by_model.label("by_model"), *counts).group_by(by_model)
        found = {bool(row[0]): (int(row[1]), int(row[2])) for row in self._connection.execute(chosen)}
        people, captions_by_people = found.get(False, (0, 0))
        return CaptionCounts(people, found.get(True, (0, 0))[0], captions_by_people / max(people, 1))

    def authors(self, pictures: Iterable[int]) -> tuple[set[int], set[int]]:
        """Return which of these pictures have a caption by people, and which one by a model."""
        people: set[int] = set()
        models: set[int] = set()
        chosen = select(captions.c.picture_id, (captions.c.source == GENERATED).label("by_model")).distinct()
        for row in self._each(pictures, lambda some: chosen.where(captions.c.picture_id.in_(some))):
            (models if row.by_model else people).add(row.picture_id)
        return people, models

    def pairs(self) -> list[tuple[int, int]]:
        """Return each distinct (picture id, text id) pair of captions that no model generated."""
        chosen = select(captions.c.picture_id, captions.c.text_id).distinct()
        chosen = chosen.where(captions.c.picture_id.is_not(None), captions.c.source != GENERATED)
        return [(row[0], row[1]) for row in self._connection.execute(chosen.order_by(*chosen.selected_columns))]

    def pairs_stamp(self) -> tuple[int, int]:
        """Return a value that changes whenever `pairs` does."""
        row = self._connection.execute(select(func.count(), func.coalesce(func.max(captions.c.id), 0))).one()
        return int(row[0]), int(row[1])

    def pairs_of(self, pictures: Iterable[int]) -> list[tuple[int, int]]:
        """Return the (picture id, text id) pairs of these pictures, in the order of the pictures."""
        chosen = select(captions.c.picture_id, captions.c.text_id).order_by(captions.c.id)
        found: dict[int, list[int]] = defaultdict(list)
        wanted = list(pictures)
        for row in self._each(wanted, lambda some: chosen.where(captions.c.picture_id.in_(some))):
            found[row.picture_id].append(row.text_id)
        return [(picture, text) for picture in wanted for text in found[picture]]

    def pictures_of(self, texts: Iterable[int], *, by_people: bool = False) -> dict[int, list[int]]:
        """Return the ids of the pictures that each of these texts belongs to; with `by_people`, as a person's text."""
        found: dict[int, list[int]] = defaultdict(list)
        chosen = select(captions.c.text_id, captions.c.picture_id).order_by(captions.c.id)
        if by_people:
            chosen = chosen.where(captions.c.source != GENERATED)
        for row in self._each(texts, lambda some: chosen.where(captions.c.text_id.in_(some))):
            if row.picture_id is not None and row.picture_id not in found[row.text_id]:
                found[row.text_id].append(row.picture_id)
        return found

    def written(self, pictures: Iterable[int]) -> dict[int, WrittenCaption]:
        """Return the text made here for each picture: the latest by hand if there is one, else the latest generated."""
        by_picture: dict[int, WrittenCaption] = {}
        chosen = select(captions.c.picture_id, captions.c.model, contents.c.text)
        chosen = chosen.select_from(captions.join(contents, contents.c.id == captions.c.text_id))
        chosen = chosen.where(captions.c.source.in_([GENERATED, EDITED]))
        for some in chunks(pictures):
            rows = chosen.where(captions.c.picture_id.in_(some)).order_by(captions.c.source == EDITED, captions.c.id)
            for row in self._connection.execute(rows):
                by_picture[row.picture_id] = WrittenCaption(row.text, row.model)
        return by_picture

    def lacking(self, model: str, *, of_any_source: bool) -> list[int]:
        """Return the ids of pictures that this model has not captioned and no person has edited.

        With `of_any_source`, the ids of pictures without any text.
        """
        has = exists().where(captions.c.picture_id == contents.c.id)
        by_model = and_(captions.c.source == GENERATED, captions.c.model == model)
        settled = has if of_any_source else has.where(by_model | (captions.c.source == EDITED))
        held = exists().where(items.c.content_id == contents.c.id)
        query = select(contents.c.id).where(contents.c.kind == Kind.PICTURE, held, ~settled).order_by(contents.c.id)
        return list(self._connection.execute(query).scalars())

    def texts_of(self, picture: int) -> list[AttributedText]:
        """Return each distinct text of a picture: edited by hand first, then from files, then generated."""
        rank = func.instr("edited file    sidecar metadata", captions.c.source)  # 0: generated
        chosen = select(contents.c.text, captions.c.source, captions.c.model)
        chosen = chosen.select_from(captions.join(contents, contents.c.id == captions.c.text_id))
        rows = self._connection.execute(
            chosen.where(captions.c.picture_id == picture).order_by(rank == 0, rank, captions.c.id)
        )
        return list({row[0]: AttributedText(*row) for row in reversed(rows.fetchall())}.values())[::-1]
