"""The current tables. `migrations.py` brings older files to this state."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Column,
    ColumnElement,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    and_,
    literal_column,
    or_,
    select,
)
from sqlalchemy.engine import Dialect

metadata = MetaData()


class PathBytes(TypeDecorator[Path]):
    """A path, stored as the system's bytes, so that names that are not UTF-8 survive unchanged."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: Path | None, dialect: Dialect) -> bytes | None:  # noqa: ARG002  # SQLAlchemy's
        """Return a path as bytes."""
        return None if value is None else os.fsencode(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Path | None:  # noqa: ARG002  # SQLAlchemy's
        """Return stored bytes as a path."""
        return None if value is None else Path(os.fsdecode(value))


spaces = Table(
    "spaces",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("model", Text, nullable=False),
    Column("dimensions", Integer, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("serving", Integer, nullable=False, default=0),
    UniqueConstraint("model", "fingerprint"),
)

contents = Table(  # pictures and texts by hash: each is processed once, whatever files hold it
    "contents",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Column("text", Text, nullable=False, default=""),
    Column("thumbnail", LargeBinary),
    Column("absent", Integer, nullable=False, server_default="0"),  # 1: no file that is there holds it (see `Contents`)
    UniqueConstraint("kind", "hash"),
    CheckConstraint("kind IN ('picture', 'text')"),
    sqlite_autoincrement=True,  # ids are never reused: vectors are stored by them
)

items = Table(  # picture files, and the frames of video files
    "items",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("path", PathBytes, nullable=False),
    Column("second", Float, nullable=False, server_default="-1"),  # of a video frame; -1: a picture
    Column("content_id", ForeignKey("contents.id"), nullable=False),
    Column("size", Integer, nullable=False),
    Column("mtime_ns", Integer, nullable=False),
    Column("ctime_ns", Integer, nullable=False, server_default="0"),  # 0: to be read again
    Column("sidecar_digest", Text, nullable=False, server_default=""),
    Column("width", Integer, nullable=False, default=0),
    Column("height", Integer, nullable=False, default=0),
    Column("format", Text, nullable=False, default=""),
    Column("taken_at", Text),  # ISO 8601, with an offset where the file gives one
    Column("taken_to", Text),  # the last second of the day, month or year, where no more is known; else NULL
    Column("date_precision", Text, nullable=False, server_default="second"),
    Column("date_from_name", Integer, nullable=False, server_default="0"),
    Column("camera", Text, nullable=False, default=""),
    Column("lens", Text, nullable=False, default=""),
    Column("latitude", Float),
    Column("longitude", Float),
    Column("orientation", Integer, nullable=False, default=1),
    Column("title", Text, nullable=False, default=""),
    Column("description", Text, nullable=False, default=""),
    Column("keywords", Text, nullable=False, default="[]"),  # JSON list
    Column("rating", Integer),
    Column("comments", Text, nullable=False, server_default="[]"),  # JSON list
    Column("people", Text, nullable=False, server_default="[]"),  # JSON list
    Column("iso", Integer),
    Column("aperture", Float),
    Column("focal_length", Float),  # millimetres
    Column("exposure", Float),  # seconds
    Column("damaged", Integer, nullable=False, server_default="0"),
    Column("absent_since", Text),  # ISO 8601, UTC: when the file was first not found; NULL: it is there
    Column("city", Text, nullable=False, server_default=""),  # as the file says, or of the coordinates
    Column("region", Text, nullable=False, server_default=""),
    Column("country", Text, nullable=False, server_default=""),
    UniqueConstraint("path", "second"),
    Index("items_by_content", "content_id"),
    Index("items_by_time", "taken_at"),
)

CLOCK: ColumnElement[str] = literal_column(
    "coalesce(substr(taken_at, 1, 19), '')"
)  # the camera's clock; undated files come last
Index("items_by_clock", CLOCK, items.c.id)  # the order of browsing

UNPLACED = (
    items.c.latitude.is_not(None),
    items.c.longitude.is_not(None),
    or_(items.c.city == "", items.c.country == ""),
)
Index("items_unplaced", items.c.id, sqlite_where=and_(*UNPLACED))  # items whose place is still to be looked up
Index("items_absent", items.c.absent_since, sqlite_where=items.c.absent_since.is_not(None))

present_items = select(items).where(items.c.absent_since.is_(None)).subquery("present_items")  # what answers come from
PRESENT_CLOCK: ColumnElement[str] = literal_column("coalesce(substr(present_items.taken_at, 1, 19), '')")

captions = Table(  # which texts belong to which pictures
    "captions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("picture_id", ForeignKey("contents.id", ondelete="CASCADE")),  # NULL: a text without a picture
    Column("text_id", ForeignKey("contents.id"), nullable=False),
    Column("source", Text, nullable=False),  # file, sidecar, metadata, edited (by hand), generated (by a model)
    Column("origin", PathBytes, nullable=False),  # caption file or picture file; empty if edited or generated
    Column("model", Text, nullable=False, server_default=""),  # of a generated caption, like the prompt
    Column("prompt", Text, nullable=False, server_default=""),
    Column("made_at", Text, nullable=False, server_default=""),  # ISO 8601, UTC
    Index("captions_by_picture", "picture_id"),
    Index("captions_by_text", "text_id"),
)

embeddings = Table(
    "embeddings",
    metadata,
    Column("space_id", ForeignKey("spaces.id", ondelete="CASCADE"), primary_key=True),
    Column("content_id", ForeignKey("contents.id", ondelete="CASCADE"), primary_key=True),
    Column("vector", LargeBinary, nullable=False),  # float32, little-endian, unit length
    Index("embeddings_by_content", "content_id"),
)

changes = Table(  # the change log: what vector files do not include yet
    "changes",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("space_id", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("content_id", Integer, nullable=False),
    Column("removed", Integer, nullable=False, default=0),
    sqlite_autoincrement=True,
)

vector_files = Table(  # complete vector files, and the last change that each includes
    "vector_files",
    metadata,
    Column("space_id", ForeignKey("spaces.id", ondelete="CASCADE"), primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("engine", Text, nullable=False),
    Column("file", Text, nullable=False),
    Column("upto", Integer, nullable=False),
    Column("checksum", Text, nullable=False),
    Column("size", Integer, nullable=False, server_default="-1"),  # of the file as written, in bytes
    Column("mtime_ns", Integer, nullable=False, server_default="-1"),
)

judgements = Table(  # verdicts of vision-language models, stored so that none is computed twice
    "judgements",
    metadata,
    Column("content_id", ForeignKey("contents.id", ondelete="CASCADE"), primary_key=True),
    Column("question", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("yes", Float, nullable=False),
    Column("mass", Float, nullable=False),
    Column("made_at", Text, nullable=False),
)

vision_features = Table(  # vision features of a vision-language model, where they are small enough to store
    "vision_features",
    metadata,
    Column("content_id", ForeignKey("contents.id", ondelete="CASCADE"), primary_key=True),
    Column("model", Text, primary_key=True),
    Column("tokens", Integer, nullable=False),
    Column("features", LargeBinary, nullable=False),  # float16, little-endian, (tokens, width)
)

ocr_lines = Table(  # text in pictures, as an OCR engine read it
    "ocr_lines",
    metadata,
    Column("content_id", ForeignKey("contents.id", ondelete="CASCADE"), primary_key=True),
    Column("engine", Text, nullable=False),
    Column("lines", Text, nullable=False),  # JSON: text, left, top, right, bottom (fractions of the picture), score
    Column("made_at", Text, nullable=False),
)

rerank_trials = Table(  # whether reranking with a model helps, measured on the library's own captions
    "rerank_trials",
    metadata,
    Column("space_id", ForeignKey("spaces.id", ondelete="CASCADE"), primary_key=True),
    Column("model", Text, primary_key=True),
    Column("points", Float, nullable=False),  # gain in mean reciprocal rank, percentage points, with its 95% interval
    Column("low", Float, nullable=False),
    Column("high", Float, nullable=False),
    Column("captions", Integer, nullable=False),
    Column("made_at", Text, nullable=False),
)

sidecars = Table(  # XMP files that captions were written into, with their earlier contents
    "sidecars",
    metadata,
    Column("path", PathBytes, primary_key=True),
    Column("before", LargeBinary),  # NULL: there was no file
    Column("after", Text, nullable=False),  # BLAKE2b of what was written
    Column("made_at", Text, nullable=False),
)

fingerprints = Table(  # perceptual hashes: nearly the same for re-encoded and resized copies
    "fingerprints",
    metadata,
    Column("content_id", ForeignKey("contents.id", ondelete="CASCADE"), primary_key=True),
    Column("bits", Integer, nullable=False),  # 64, as a signed integer
)

saved = Table(  # saved searches
    "saved",
    metadata,
    Column("name", Text, primary_key=True),
    Column("query", Text, nullable=False),
    Column("made_at", Text, nullable=False),
)

examples = Table(  # training examples of concepts (taught words), for whatever space is active
    "examples",
    metadata,
    Column("name", Text, primary_key=True),
    Column("content_id", ForeignKey("contents.id", ondelete="CASCADE"), primary_key=True),
    Column("wanted", Integer, nullable=False),  # 1: a positive example, 0: a negative one
)

problems = Table(
    "problems",
    metadata,
    Column("path", PathBytes, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("size", Integer, nullable=False, default=0),
    Column("mtime_ns", Integer, nullable=False, default=0),
    Column("ctime_ns", Integer, nullable=False, server_default="0"),
)

roots = Table(
    "roots",
    metadata,
    Column("path", PathBytes, primary_key=True),
    Column("passed_over", Text, nullable=False, server_default="{}"),  # JSON: files by an ending that is not indexed
)

jobs = Table(  # indexing jobs of servers
    "jobs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("job", Text, nullable=False),  # JSON: `types.job.Job`
)

live_photo_films = Table(  # films that are the moving part of a photo beside them, as they were when that was found
    "live_photo_films",
    metadata,
    Column("path", PathBytes, primary_key=True),
    Column("size", Integer, nullable=False),
    Column("mtime_ns", Integer, nullable=False),
    Column("ctime_ns", Integer, nullable=False),
)
