"""What vision-language models said of pictures, and whether it helped, inside one transaction.

Knows the tables; does not know models. A human's text is never touched here.
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

from ...types.records import Box, Judgement, Kind, Look
from ...types.results import Gain
from .catalog import EDITED, GENERATED, chunks
from .schema import captions, contents, items, judgements, looks, readings, sidecars, trials

NOWHERE = Path()
STORED = np.dtype("<f2")


@dataclass(frozen=True)
class Words:
    """What was written of a picture here: by a model, or by hand (no model)."""

    text: str
    model: str


@dataclass(frozen=True)
class Sidecar:
    """A sidecar that was written: what it was (None: not there) and the digest of what it became."""

    before: bytes | None
    after: str


class Said:
    """Reads and writes of one transaction."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def put_caption(self, picture: int, text: int, model: str, prompt: str) -> None:
        """Link a generated text to a picture, in place of what the same model said before."""
        same = and_(captions.c.picture_id == picture, captions.c.source == GENERATED, captions.c.model == model)
        self.connection.execute(delete(captions).where(same))
        self._link(picture, text, GENERATED, model, prompt)

    def put_edited(self, picture: int, text: int) -> None:
        """Link what a human wrote to a picture, in place of their earlier words and of all that was generated."""
        gone = captions.c.source.in_([GENERATED, EDITED])
        self.connection.execute(delete(captions).where(captions.c.picture_id == picture, gone))
        self._link(picture, text, EDITED, "", "")

    def _link(self, picture: int, text: int, source: str, model: str, prompt: str) -> None:
        row = {"picture_id": picture, "text_id": text, "source": source, "origin": NOWHERE}
        self.connection.execute(insert(captions).values(**row, model=model, prompt=prompt, made_at=_now()))

    def own_words(self, pictures: Iterable[int]) -> dict[int, Words]:
        """The text of each picture that was made here: by hand before a model's, a later one before an earlier."""
        found: dict[int, Words] = {}
        chosen = select(captions.c.picture_id, captions.c.model, contents.c.text)
        chosen = chosen.select_from(captions.join(contents, contents.c.id == captions.c.text_id))
        chosen = chosen.where(captions.c.source.in_([GENERATED, EDITED]))
        for some in chunks(pictures):
            rows = chosen.where(captions.c.picture_id.in_(some)).order_by(captions.c.source == EDITED, captions.c.id)
            for row in self.connection.execute(rows):
                found[row.picture_id] = Words(row.text, row.model)
        return found

    def without_caption(self, model: str, *, of_any_source: bool) -> list[int]:
        """Pictures that this model has not captioned and no human has edited; or that have no text at all."""
        has = exists().where(captions.c.picture_id == contents.c.id)
        by_model = and_(captions.c.source == GENERATED, captions.c.model == model)
        settled = has if of_any_source else has.where(by_model | (captions.c.source == EDITED))
        held = exists().where(items.c.content_id == contents.c.id)
        query = select(contents.c.id).where(contents.c.kind == Kind.PICTURE, held, ~settled).order_by(contents.c.id)
        return list(self.connection.execute(query).scalars())

    def put_judgements(self, question: str, model: str, found: Mapping[int, Judgement]) -> None:
        """Keep verdicts on pictures, by content."""
        if not found:
            return
        same = {"question": question, "model": model, "made_at": _now()}
        rows = [{"content_id": content, **same, "yes": j.yes, "mass": j.mass} for content, j in found.items()]
        statement = upsert(judgements)
        new = {"yes": statement.excluded.yes, "mass": statement.excluded.mass, "made_at": statement.excluded.made_at}
        keys = ["content_id", "question", "model"]
        self.connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=new), rows)

    def judgements(self, question: str, model: str, pictures: Sequence[int]) -> dict[int, Judgement]:
        """The verdicts that are known."""
        found: dict[int, Judgement] = {}
        same = and_(judgements.c.question == question, judgements.c.model == model)
        for some in chunks(pictures):
            for row in self.connection.execute(select(judgements).where(same, judgements.c.content_id.in_(some))):
                found[row.content_id] = Judgement(row.yes, row.mass)
        return found

    def put_looks(self, model: str, found: Mapping[int, Look]) -> None:
        """Keep what a model saw of pictures, by content."""
        rows = [
            {"content_id": content, "model": model, "tokens": len(look), "look": np.asarray(look, STORED).tobytes()}
            for content, look in found.items()
        ]
        if rows:
            self.connection.execute(upsert(looks).on_conflict_do_nothing(), rows)

    def looks(self, model: str, pictures: Sequence[int]) -> dict[int, Look]:
        """What the model saw of those of the pictures that it has looked at."""
        found: dict[int, Look] = {}
        for some in chunks(pictures):
            same = and_(looks.c.model == model, looks.c.content_id.in_(some))
            for row in self.connection.execute(select(looks).where(same)):
                found[row.content_id] = np.frombuffer(row.look, STORED).reshape(row.tokens, -1).astype(np.float16)
        return found

    # --- text in pictures -----------------------------------------------------------------------------------

    def put_reading(self, picture: int, engine: str, lines: Sequence[Box]) -> None:
        """Keep what an engine read in a picture, in place of what was read before."""
        row = {"content_id": picture, "engine": engine, "lines": json.dumps([astuple(line) for line in lines])}
        statement = upsert(readings).values(**row, made_at=_now())
        new = {**row, "made_at": _now()}
        self.connection.execute(statement.on_conflict_do_update(index_elements=["content_id"], set_=new))

    def readings(self, pictures: Iterable[int]) -> dict[int, list[Box]]:
        """The lines of text in those of the pictures that were read."""
        found: dict[int, list[Box]] = {}
        for some in chunks(pictures):
            rows = self.connection.execute(select(readings).where(readings.c.content_id.in_(some)))
            found |= {row.content_id: [Box(*line) for line in json.loads(row.lines)] for row in rows}
        return found

    def read_by(self, engine: str) -> set[int]:
        """The pictures that an engine has read."""
        query = select(readings.c.content_id).where(readings.c.engine == engine)
        return set(self.connection.execute(query).scalars())

    # --- trials ----------------------------------------------------------------------------------------

    def put_trial(self, space: int, model: str, gain: Gain, number: int) -> None:
        """Keep what a model was found to add to mean reciprocal rank, on so many captions."""
        row = {"space_id": space, "model": model, "captions": number, "made_at": _now(), **asdict(gain)}
        same = ["space_id", "model"]
        self.connection.execute(upsert(trials).values(row).on_conflict_do_update(index_elements=same, set_=row))

    def trial(self, space: int, model: str) -> tuple[Gain, int] | None:
        """What a model was found to add, and on how many captions."""
        same = and_(trials.c.space_id == space, trials.c.model == model)
        row = self.connection.execute(select(trials).where(same)).first()
        return (Gain(row.points, row.low, row.high), row.captions) if row else None

    # --- sidecars ------------------------------------------------------------------------------------------

    def sidecar(self, path: Path) -> Sidecar | None:
        """What is known of a sidecar that was written."""
        row = self.connection.execute(select(sidecars).where(sidecars.c.path == path)).first()
        return Sidecar(row.before, row.after) if row else None

    def put_sidecar(self, path: Path, before: bytes | None, after: str) -> None:
        """Remember what a sidecar was before it is written."""
        row = {"path": path, "before": before, "after": after, "made_at": _now()}
        self.connection.execute(upsert(sidecars).values(row).on_conflict_do_update(index_elements=["path"], set_=row))

    def drop_sidecar(self, path: Path) -> None:
        """Forget a sidecar that is as it was."""
        self.connection.execute(delete(sidecars).where(sidecars.c.path == path))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
