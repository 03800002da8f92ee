"""SQLite's full text: an FTS5 table, and the triggers that queue changed pictures."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, text

from . import TermPlace

# A row has the id of its picture. The Porter stemmer finds "dogs" by "dog"; accents are ignored.
INDEX = (
    "CREATE VIRTUAL TABLE full_text USING fts5(captions, told, about, names, folders, written, "
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
COLUMNS = ("captions", "told", "about", "names", "folders", "written")
MOST_SELECTS = 400  # in one statement: SQLite allows 500


class SqliteFullText:
    """The FTS5 table of a catalog, inside one transaction; see `dialects.FullTextIndex`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @cached_property
    def _visible(self) -> str:
        """The condition on rows, where this connection sees only a part of the catalog."""
        own = text("SELECT 1 FROM temp.sqlite_master WHERE name = 'visible'")
        return "" if self._connection.execute(own).first() is None else f" AND {VISIBLE}"

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
            columns, values = ", ".join(COLUMNS), ", ".join(f":{column}" for column in COLUMNS)
            self._connection.execute(
                text(f"INSERT INTO full_text (rowid, {columns}) VALUES (:id, {values})"), list(rows)
            )
        self._connection.execute(
            text("DELETE FROM fts_queue WHERE content_id IN (SELECT value FROM json_each(:ids))"),
            {"ids": json.dumps(list(contents))},
        )

    def counts(self, places: Sequence[TermPlace]) -> list[int]:
        """Return the number of pictures that have each term in its column."""
        rows = self._each(places, "count(*)", "")
        return [count for _, count in rows]

    def holders(self, places: Sequence[TermPlace], among: Sequence[int] | None = None) -> list[list[int]]:
        """Return the pictures that have each term in its column, of `among` only if that is given."""
        within = "" if among is None else " AND rowid IN (SELECT value FROM json_each(:among))"
        found: list[list[int]] = [[] for _ in places]
        for place, content in self._each(
            places, "rowid", within, {} if among is None else {"among": json.dumps(among)}
        ):
            found[place].append(content)
        return found

    def _each(
        self, places: Sequence[TermPlace], what: str, within: str, values: Mapping[str, str] | None = None
    ) -> Iterator[tuple[int, int]]:
        """Yield (number of the place, result) of one query for each place, several of them in one statement."""
        for start in range(0, len(places), MOST_SELECTS):
            some = range(start, min(start + MOST_SELECTS, len(places)))
            selects = (
                f"SELECT {n}, {what} FROM full_text WHERE full_text MATCH :m{n}{self._visible}{within}" for n in some
            )
            matches = {f"m{n}": f"{{{places[n].column}}} : {_phrase(places[n].term)}" for n in some}
            for row in self._connection.execute(text(" UNION ALL ".join(selects)), {**matches, **(values or {})}):
                yield row[0], row[1]

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


def _phrase(term: str) -> str:
    """Return a term in the syntax of FTS5."""
    return f'"{term}"'
