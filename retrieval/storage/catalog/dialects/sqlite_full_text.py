"""SQLite's full text: FTS5 with BM25 (Robertson & Zaragoza 2009), and the triggers that queue changed pictures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, text

# A row has the id of its picture. The Porter stemmer finds "dogs" by "dog"; accents are ignored.
INDEX = (
    "CREATE VIRTUAL TABLE full_text USING fts5(captions, told, about, names, written, "
    "tokenize = 'porter unicode61 remove_diacritics 2')"
)
QUEUE = (
    "CREATE TABLE fts_queue (content_id INTEGER NOT NULL)",
    *(
        f"CREATE TRIGGER {table}_{event}_{row} AFTER {event.upper()} ON {table} WHEN {row}.{column} IS NOT NULL BEGIN "
        f"INSERT INTO fts_queue VALUES ({row}.{column}); END"
        for table, column in (("items", "content_id"), ("captions", "picture_id"), ("ocr_lines", "content_id"))
        for event, row in (("insert", "new"), ("update", "old"), ("update", "new"), ("delete", "old"))
    ),
)
VISIBLE_VIEW = "CREATE VIEW visible AS SELECT id FROM contents"  # a connection limited to a folder has its own
VISIBLE = "EXISTS (SELECT 1 FROM visible WHERE visible.id = full_text.rowid)"
COLUMNS = ("captions", "told", "about", "names", "written")
WEIGHTS = (1.0, 0.5, 1.0, 0.5, 1.0)  # BM25 weights of the columns
HUMAN_COLUMNS = "{captions about names written}"  # all columns but that of generated captions


class SqliteFullText:
    """The FTS5 table of a catalog, inside one transaction; see `dialects.FullTextIndex`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @cached_property
    def limited(self) -> bool:
        """Whether this connection sees only a part of the catalog."""
        own = text("SELECT 1 FROM temp.sqlite_master WHERE name = 'visible'")
        return self._connection.execute(own).first() is not None

    def pending(self) -> list[int]:
        """Return the content ids in the queue, each once."""
        return list(self._connection.execute(text("SELECT DISTINCT content_id FROM fts_queue")).scalars())

    def replace(self, contents: Sequence[int], rows: Sequence[Mapping[str, Any]]) -> None:
        """Index these pictures anew, and take them out of the queue."""
        if not contents:
            return
        gone = [{"id": content} for content in contents]
        self._connection.execute(text("DELETE FROM full_text WHERE rowid = :id"), gone)
        if rows:
            columns = "INSERT INTO full_text (rowid, captions, told, about, names, written) "
            values = "VALUES (:id, :captions, :told, :about, :names, :written)"
            self._connection.execute(text(columns + values), list(rows))
        self._connection.execute(
            text("DELETE FROM fts_queue WHERE content_id IN (SELECT value FROM json_each(:ids))"),
            {"ids": json.dumps(list(contents))},
        )

    def any_of(self, terms: Sequence[str], k: int, allowed: Sequence[int] | None) -> list[int]:
        """Return up to `k` pictures with any of the terms, best first by BM25."""
        return self._matching(" OR ".join(map(_phrase, terms)), k, allowed)

    def all_of(self, terms: Sequence[str], k: int, allowed: Sequence[int] | None) -> list[int]:
        """Return up to `k` pictures with every term in texts that no model generated."""
        return self._matching(f"{HUMAN_COLUMNS} : ({' AND '.join(map(_phrase, terms))})" if terms else "", k, allowed)

    def lines(self, terms: Sequence[str], content: int) -> list[tuple[str, str]]:
        """Return the lines of a picture's texts that have one of the terms, each with its column."""
        if not terms:
            return []
        marked = ", ".join(f"highlight(full_text, {place}, char(2), '')" for place in range(len(COLUMNS)))
        chosen = f"SELECT {marked} FROM full_text WHERE full_text MATCH :match AND rowid = :content AND {VISIBLE}"
        match = " OR ".join(map(_phrase, terms))
        row = self._connection.execute(text(chosen), {"match": match, "content": content}).first()
        return [
            (column, " ".join(line.replace("\2", "").split()))
            for column, lines in zip(COLUMNS, row or (), strict=bool(row))
            for line in (lines or "").splitlines()
            if "\2" in line
        ]

    def _matching(self, match: str, k: int, allowed: Sequence[int] | None) -> list[int]:
        if not match:
            return []
        within = "" if allowed is None else " AND rowid IN (SELECT value FROM json_each(:allowed))"
        weights = ", ".join(map(str, WEIGHTS))
        query = (
            f"SELECT rowid FROM full_text WHERE full_text MATCH :match AND {VISIBLE}{within} "
            f"ORDER BY {'' if self.limited else f'bm25(full_text, {weights}), '}rowid LIMIT :k"
        )
        values = {"match": match, "k": k, **({} if allowed is None else {"allowed": json.dumps(list(allowed))})}
        return list(self._connection.execute(text(query), values).scalars())


def _phrase(term: str) -> str:
    """Return a term in the syntax of FTS5."""
    return f'"{term}"'
