"""Annotations: captions, verdicts, vision features and OCR lines of pictures, rerank trials and written sidecars.

Works inside one transaction. Does not know models. A generated text never replaces one by a person.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from sqlalchemy import Connection, and_, delete, exists, insert, select
from sqlalchemy.dialects.sqlite import insert as upsert

from ...types.records import Box, Judgement, Kind, VisionFeatures
from ...types.results import Gain
from .catalog import EDITED, GENERATED, chunks
from .schema import captions, contents, items, judgements, looks, readings, sidecars, trials

NOWHERE = Path()
STORED = np.dtype("<f2")


@dataclass(frozen=True)
class WrittenCaption:
    """A text written here for a picture: by a model, or by hand (no model)."""

    text: str
    model: str


@dataclass(frozen=True)
class WrittenSidecar:
    """A sidecar that was written: its earlier contents (None: no file) and the digest of the new ones."""

    before: bytes | None
    after: str


class Annotations:
    """Reads and writes of annotations, inside one transaction."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def put_caption(self, picture: int, text: int, model: str, prompt: str) -> None:
        """Link a generated text to a picture, replacing an earlier one by the same model."""
        same = and_(captions.c.picture_id == picture, captions.c.source == GENERATED, captions.c.model == model)
        self.connection.execute(delete(captions).where(same))
        self._link(picture, text, GENERATED, model, prompt)

    def put_edited(self, picture: int, text: int) -> None:
        """Link a text written by hand to a picture, replacing earlier edits and all generated texts."""
        gone = captions.c.source.in_([GENERATED, EDITED])
        self.connection.execute(delete(captions).where(captions.c.picture_id == picture, gone))
        self._link(picture, text, EDITED, "", "")

    def _link(self, picture: int, text: int, source: str, model: str, prompt: str) -> None:
        row = {"picture_id": picture, "text_id": text, "source": source, "origin": NOWHERE}
        self.connection.execute(insert(captions).values(**row, model=model, prompt=prompt, made_at=_now()))

    def written_captions(self, pictures: Iterable[int]) -> dict[int, WrittenCaption]:
        """Return the text made here for each picture: the latest by hand if there is one, else the latest generated."""
        found: dict[int, WrittenCaption] = {}
        chosen = select(captions.c.picture_id, captions.c.model, contents.c.text)
        chosen = chosen.select_from(captions.join(contents, contents.c.id == captions.c.text_id))
        chosen = chosen.where(captions.c.source.in_([GENERATED, EDITED]))
        for some in chunks(pictures):
            rows = chosen.where(captions.c.picture_id.in_(some)).order_by(captions.c.source == EDITED, captions.c.id)
            for row in self.connection.execute(rows):
                found[row.picture_id] = WrittenCaption(row.text, row.model)
        return found

    def without_caption(self, model: str, *, of_any_source: bool) -> list[int]:
        """Return the ids of pictures that this model has not captioned and no person has edited.

        With `of_any_source`, the ids of pictures without any text.
        """
        has = exists().where(captions.c.picture_id == contents.c.id)
        by_model = and_(captions.c.source == GENERATED, captions.c.model == model)
        settled = has if of_any_source else has.where(by_model | (captions.c.source == EDITED))
        held = exists().where(items.c.content_id == contents.c.id)
        query = select(contents.c.id).where(contents.c.kind == Kind.PICTURE, held, ~settled).order_by(contents.c.id)
        return list(self.connection.execute(query).scalars())

    def put_judgements(self, question: str, model: str, found: Mapping[int, Judgement]) -> None:
        """Store verdicts on pictures, by content id."""
        if not found:
            return
        same = {"question": question, "model": model, "made_at": _now()}
        rows = [{"content_id": content, **same, "yes": j.yes, "mass": j.mass} for content, j in found.items()]
        statement = upsert(judgements)
        new = {"yes": statement.excluded.yes, "mass": statement.excluded.mass, "made_at": statement.excluded.made_at}
        keys = ["content_id", "question", "model"]
        self.connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=new), rows)

    def judgements(self, question: str, model: str, pictures: Sequence[int]) -> dict[int, Judgement]:
        """Return the stored verdicts of a model on pictures for one question, by content id."""
        found: dict[int, Judgement] = {}
        same = and_(judgements.c.question == question, judgements.c.model == model)
        for some in chunks(pictures):
            for row in self.connection.execute(select(judgements).where(same, judgements.c.content_id.in_(some))):
                found[row.content_id] = Judgement(row.yes, row.mass)
        return found

    def put_vision_features(self, model: str, found: Mapping[int, VisionFeatures]) -> None:
        """Store a model's vision features of pictures, by content id; existing ones stay."""
        rows = [
            {"content_id": content, "model": model, "tokens": len(look), "look": np.asarray(look, STORED).tobytes()}
            for content, look in found.items()
        ]
        if rows:
            self.connection.execute(upsert(looks).on_conflict_do_nothing(), rows)

    def looks(self, model: str, pictures: Sequence[int]) -> dict[int, VisionFeatures]:
        """Return a model's stored vision features of pictures, `(tokens, width)` each, by content id."""
        found: dict[int, VisionFeatures] = {}
        for some in chunks(pictures):
            same = and_(looks.c.model == model, looks.c.content_id.in_(some))
            for row in self.connection.execute(select(looks).where(same)):
                found[row.content_id] = np.frombuffer(row.look, STORED).reshape(row.tokens, -1).astype(np.float16)
        return found

    # --- text in pictures -----------------------------------------------------------------------------------

    def put_ocr_lines(self, picture: int, engine: str, lines: Sequence[Box]) -> None:
        """Store the lines that an OCR engine read in a picture, replacing earlier ones."""
        row = {"content_id": picture, "engine": engine, "lines": json.dumps([astuple(line) for line in lines])}
        statement = upsert(readings).values(**row, made_at=_now())
        new = {**row, "made_at": _now()}
        self.connection.execute(statement.on_conflict_do_update(index_elements=["content_id"], set_=new))

    def ocr_lines(self, pictures: Iterable[int]) -> dict[int, list[Box]]:
        """Return the OCR lines of those pictures that were read, by content id."""
        found: dict[int, list[Box]] = {}
        for some in chunks(pictures):
            rows = self.connection.execute(select(readings).where(readings.c.content_id.in_(some)))
            found |= {row.content_id: [Box(*line) for line in json.loads(row.lines)] for row in rows}
        return found

    def with_ocr_by(self, engine: str) -> set[int]:
        """Return the ids of the pictures that an OCR engine has read."""
        query = select(readings.c.content_id).where(readings.c.engine == engine)
        return set(self.connection.execute(query).scalars())

    # --- trials ----------------------------------------------------------------------------------------

    def put_rerank_trial(self, space: int, model: str, gain: Gain, number: int) -> None:
        """Store what a model was found to add to mean reciprocal rank, on `number` captions."""
        row = {"space_id": space, "model": model, "captions": number, "made_at": _now(), **asdict(gain)}
        same = ["space_id", "model"]
        self.connection.execute(upsert(trials).values(row).on_conflict_do_update(index_elements=same, set_=row))

    def rerank_trial(self, space: int, model: str) -> tuple[Gain, int] | None:
        """Return what a model was found to add, and on how many captions; None if it was not tried."""
        same = and_(trials.c.space_id == space, trials.c.model == model)
        row = self.connection.execute(select(trials).where(same)).first()
        return (Gain(row.points, row.low, row.high), row.captions) if row else None

    # --- sidecars ------------------------------------------------------------------------------------------

    def sidecar(self, path: Path) -> WrittenSidecar | None:
        """Return the record of a sidecar that was written here, or None."""
        row = self.connection.execute(select(sidecars).where(sidecars.c.path == path)).first()
        return WrittenSidecar(row.before, row.after) if row else None

    def put_sidecar(self, path: Path, before: bytes | None, after: str) -> None:
        """Record the contents of a sidecar before it is written."""
        row = {"path": path, "before": before, "after": after, "made_at": _now()}
        self.connection.execute(upsert(sidecars).values(row).on_conflict_do_update(index_elements=["path"], set_=row))

    def drop_sidecar(self, path: Path) -> None:
        """Delete the record of a sidecar that was restored."""
        self.connection.execute(delete(sidecars).where(sidecars.c.path == path))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
