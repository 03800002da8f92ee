"""Row-level security: a connection that sees no more of a catalog than one folder.

Temporary views stand in front of the tables and have their names, so that whatever is read, counted or joined on such a
connection comes from that folder alone. Knows the tables; does not know who asks.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

# In this order: each may look at those before it.
VIEWS = {
    "items": "SELECT * FROM main.items WHERE {inside}",
    "captions": (
        "SELECT * FROM main.captions WHERE picture_id IN (SELECT content_id FROM temp.items) "
        # a copy elsewhere may have words of its own; those by hand and by models are of the pixels
        "AND (source IN ('edited', 'generated') OR {origin} "
        "OR picture_id NOT IN (SELECT content_id FROM main.items WHERE NOT {inside}))"
    ),
    "contents": (
        "SELECT * FROM main.contents WHERE id IN (SELECT content_id FROM temp.items) "
        "OR id IN (SELECT text_id FROM temp.captions)"
    ),
    **{
        table: f"SELECT * FROM main.{table} WHERE content_id IN (SELECT id FROM temp.contents)"
        for table in ("embeddings", "judgements", "looks", "readings", "fingerprints", "examples")
    },
    # Full text speaks of all files of a picture at once: it keeps silent on those that lie elsewhere, too.
    "seen": "SELECT id FROM temp.contents WHERE id NOT IN (SELECT content_id FROM main.items WHERE NOT {inside})",
    "problems": "SELECT * FROM main.problems WHERE {inside}",
    "roots": "SELECT {folder} AS path",
    **{table: f"SELECT * FROM main.{table} WHERE 0" for table in ("saved", "trials", "sidecars")},
}
OPEN = {"spaces", "changes", "vector_files"}  # of models and files, not of pictures


def limit(connection: sqlite3.Connection, folder: Path) -> None:
    """Let a new connection see one folder only."""
    name = os.fsencode(folder).rstrip(b"/")
    whole, first, last = (f"X'{each.hex()}'" for each in (name, name + b"/", name + b"0"))  # "0" is the one after "/"
    inside, origin = (f"({x} = {whole} OR ({x} >= {first} AND {x} < {last}))" for x in ("path", "origin"))
    for view, query in VIEWS.items():
        connection.execute(f"CREATE TEMP VIEW {view} AS {query.format(inside=inside, origin=origin, folder=whole)}")
    connection.execute("PRAGMA query_only = ON")
