"""Row-level security: a connection that sees only the rows of one folder.

Temporary views with the names of the tables hide them, so that whatever such a connection reads, counts or joins
comes from that folder alone. Does not know who asks.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

# The order matters: each view may use those before it.
VIEWS = {
    "items": "SELECT * FROM main.items WHERE {inside}",
    "captions": (
        "SELECT * FROM main.captions WHERE picture_id IN (SELECT content_id FROM temp.items) "
        # a copy elsewhere may have captions of its own; edited and generated ones belong to the pixels
        "AND (source IN ('edited', 'generated') OR {origin} "
        "OR picture_id NOT IN (SELECT content_id FROM main.items WHERE NOT {inside}))"
    ),
    "contents": (
        "SELECT * FROM main.contents WHERE id IN (SELECT content_id FROM temp.items WHERE absent_since IS NULL) "
        "OR id IN (SELECT text_id FROM temp.captions)"
    ),
    **{
        table: f"SELECT * FROM main.{table} WHERE content_id IN (SELECT id FROM temp.contents)"
        for table in ("embeddings", "judgements", "vision_features", "ocr_lines", "fingerprints", "examples")
    },
    # Full text is indexed over all files of a picture, so it leaves out pictures that also lie elsewhere.
    "visible": "SELECT id FROM temp.contents WHERE id NOT IN (SELECT content_id FROM main.items WHERE NOT {inside})",
    "problems": "SELECT * FROM main.problems WHERE {inside}",
    "live_photo_films": "SELECT * FROM main.live_photo_films WHERE {inside}",
    "roots": "SELECT {folder} AS path, '{{}}' AS passed_over",
    **{table: f"SELECT * FROM main.{table} WHERE 0" for table in ("saved", "rerank_trials", "sidecars", "jobs")},
}
UNRESTRICTED = {"spaces", "changes", "vector_files"}  # tables about models and files, not about pictures


def restrict(connection: sqlite3.Connection, folder: Path) -> None:
    """Limit a new connection to reading the rows of one folder."""
    name = os.fsencode(folder).rstrip(b"/")
    whole, first, last = (f"X'{each.hex()}'" for each in (name, name + b"/", name + b"0"))  # "0" comes next after "/"
    inside, origin = (f"({x} = {whole} OR ({x} >= {first} AND {x} < {last}))" for x in ("path", "origin"))
    for view, query in VIEWS.items():
        connection.execute(f"CREATE TEMP VIEW {view} AS {query.format(inside=inside, origin=origin, folder=whole)}")
    connection.execute("PRAGMA query_only = ON")
