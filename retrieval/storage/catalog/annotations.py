"""Annotations of pictures: verdicts, vision features and OCR lines, rerank trials and written sidecars."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass
from pathlib import Path

import numpy as np
from sqlalchemy import and_, delete, select

from ...types.records import Box, Judgement, VisionFeatures
from ...types.results import Gain
from ...types.serialize import utc_now
from .repository import Repository, chunks
from .schema import judgements, ocr_lines, rerank_trials, sidecars, vision_features

CAPTIONS_BY_MODELS = "captions by models"  # a trial of these, not of reranking with a model
STORED = np.dtype("<f2")


@dataclass(frozen=True)
class WrittenSidecar:
    """A sidecar that was written: its earlier contents (None: no file) and the digest of the new ones."""

    before: bytes | None
    after: str


class Annotations(Repository):
    """What models said about pictures, and what was written beside them."""

    def put_judgements(self, question: str, model: str, found: Mapping[int, Judgement]) -> None:
        """Store verdicts on pictures, by content id."""
        same = {"question": question, "model": model, "made_at": utc_now()}
        rows = [{"content_id": content, **same, "yes": j.yes, "mass": j.mass} for content, j in found.items()]
        self._upsert(judgements, rows, ["content_id", "question", "model"])

    def judgements(self, question: str, model: str, pictures: Sequence[int]) -> dict[int, Judgement]:
        """Return the stored verdicts of a model on pictures for one question, by content id."""
        found: dict[int, Judgement] = {}
        same = and_(judgements.c.question == question, judgements.c.model == model)
        for some in chunks(pictures):
            for row in self._connection.execute(select(judgements).where(same, judgements.c.content_id.in_(some))):
                found[row.content_id] = Judgement(row.yes, row.mass)
        return found

    def put_vision_features(self, model: str, by_content: Mapping[int, VisionFeatures]) -> None:
        """Store a model's vision features of pictures, by content id; existing ones stay."""
        rows = [
            {
                "content_id": content,
                "model": model,
                "tokens": len(features),
                "features": np.asarray(features, STORED).tobytes(),
            }
            for content, features in by_content.items()
        ]
        self._upsert(vision_features, rows)

    def vision_features(self, model: str, pictures: Sequence[int]) -> dict[int, VisionFeatures]:
        """Return a model's stored vision features of pictures, `(tokens, width)` each, by content id."""
        found: dict[int, VisionFeatures] = {}
        for some in chunks(pictures):
            same = and_(vision_features.c.model == model, vision_features.c.content_id.in_(some))
            for row in self._connection.execute(select(vision_features).where(same)):
                found[row.content_id] = np.frombuffer(row.features, STORED).reshape(row.tokens, -1).astype(np.float16)
        return found

    def put_ocr_lines(self, picture: int, engine: str, lines: Sequence[Box]) -> None:
        """Store the lines that an OCR engine read in a picture, replacing earlier ones."""
        row = {"content_id": picture, "engine": engine, "lines": json.dumps([astuple(line) for line in lines])}
        self._upsert(ocr_lines, [{**row, "made_at": utc_now()}], ["content_id"])

    def ocr_lines(self, pictures: Iterable[int]) -> dict[int, list[Box]]:
        """Return the OCR lines of those pictures that were read, by content id."""
        found: dict[int, list[Box]] = {}
        for some in chunks(pictures):
            rows = self._connection.execute(select(ocr_lines).where(ocr_lines.c.content_id.in_(some)))
            found |= {row.content_id: [Box(*line) for line in json.loads(row.lines)] for row in rows}
        return found

    def with_ocr_by(self, engine: str) -> set[int]:
        """Return the ids of the pictures that an OCR engine has read."""
        query = select(ocr_lines.c.content_id).where(ocr_lines.c.engine == engine)
        return set(self._connection.execute(query).scalars())

    def put_trial(self, space: int, model: str, gain: Gain, number: int) -> None:
        """Store what a model, or `CAPTIONS_BY_MODELS`, adds to mean reciprocal rank, on `number` captions."""
        row = {"space_id": space, "model": model, "captions": number, "made_at": utc_now(), **asdict(gain)}
        self._upsert(rerank_trials, [row], ["space_id", "model"])

    def trial(self, space: int, model: str) -> tuple[Gain, int] | None:
        """Return what was found by `put_trial`, and on how many captions; None if it was not tried."""
        same = and_(rerank_trials.c.space_id == space, rerank_trials.c.model == model)
        row = self._connection.execute(select(rerank_trials).where(same)).first()
        return (Gain(row.points, row.low, row.high), row.captions) if row else None

    def sidecar(self, path: Path) -> WrittenSidecar | None:
        """Return the record of a sidecar that was written here, or None."""
        row = self._connection.execute(select(sidecars).where(sidecars.c.path == path)).first()
        return WrittenSidecar(row.before, row.after) if row else None

    def put_sidecar(self, path: Path, before: bytes | None, after: str) -> None:
        """Record the contents of a sidecar before it is written."""
        row = {"path": path, "before": before, "after": after, "made_at": utc_now()}
        self._upsert(sidecars, [row], ["path"])

    def drop_sidecar(self, path: Path) -> None:
        """Delete the record of a sidecar that was restored."""
        self._connection.execute(delete(sidecars).where(sidecars.c.path == path))
