"""Full-text search in captions, descriptions, keywords, places, file names and OCR text of pictures.

SQLite's FTS5 with BM25 (Robertson & Zaragoza 2009), inside one transaction. Triggers queue changed pictures, which
are indexed again before the transaction ends. Does not know the query language.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

from sqlalchemy import Connection, text

from .annotations import Annotations
from .catalog import GENERATED, Catalog, chunks

# A row has the id of its picture. The Porter stemmer finds "dogs" by "dog"; accents are ignored.
TABLES = (
    "CREATE VIRTUAL TABLE words USING fts5(captions, told, about, names, written, "
    "tokenize = 'porter unicode61 remove_diacritics 2')",
    "CREATE TABLE unread (content_id INTEGER NOT NULL)",
    *(
        f"CREATE TRIGGER {table}_{event}_{row} AFTER {event.upper()} ON {table} WHEN {row}.{column} IS NOT NULL BEGIN "
        f"INSERT INTO unread VALUES ({row}.{column}); END"
        for table, column in (("items", "content_id"), ("captions", "picture_id"), ("readings", "content_id"))
        for event, row in (("insert", "new"), ("update", "old"), ("update", "new"), ("delete", "old"))
    ),
)
VISIBLE_VIEW = "CREATE VIEW seen AS SELECT id FROM contents"  # a connection limited to a folder has its own
VISIBLE = "EXISTS (SELECT 1 FROM seen WHERE seen.id = words.rowid)"
COLUMNS = ("captions", "told", "about", "names", "written")
WEIGHTS = (1.0, 0.5, 1.0, 0.5, 1.0)  # BM25 weights of the columns
HUMAN_COLUMNS = "{captions about names written}"  # all columns but that of generated captions
TERM = re.compile(r"\d+(?:[.,:/-]\d+)+|\w+")  # a number with its separators is one term
FOLDERS = 3  # folders above a file whose names are indexed
STOP_WORDS = frozenset(
    "a an and are at be by for from has in is it its of on or that the their this to was with".split()
)
LETTER_DIGIT_BOUNDARY = re.compile(
    r"(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])"
)  # boundaries of letters and digits: RM15.40, 50mm, U13
IDEOGRAPHS = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff]")  # no spaces between


class FullText:
    """The full text of one library, inside one transaction."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    @cached_property
    def limited(self) -> bool:
        """Whether this connection sees only a part of the catalog."""
        own = text("SELECT 1 FROM temp.sqlite_master WHERE name = 'seen'")
        return self.connection.execute(own).first() is not None

    def refresh(self) -> None:
        """Index again the pictures whose texts have changed."""
        stale = list(self.connection.execute(text("SELECT DISTINCT content_id FROM unread")).scalars())
        for some in chunks(stale):
            rows = [{"id": content, **row} for content, row in self._said(some).items()]
            self.connection.execute(text("DELETE FROM words WHERE rowid = :id"), [{"id": content} for content in some])
            if rows:
                columns = "INSERT INTO words (rowid, captions, told, about, names, written) "
                self.connection.execute(
                    text(columns + "VALUES (:id, :captions, :told, :about, :names, :written)"), rows
                )
        if stale:
            self.connection.execute(text("DELETE FROM unread"))

    def _said(self, contents: Sequence[int]) -> dict[int, dict[str, str]]:
        """Return the texts of each of these pictures that a file still holds, by column."""
        catalog = Catalog(self.connection)
        lines = Annotations(self.connection).ocr_lines(contents)
        captions, told = catalog.captions_of(contents), catalog.captions_of(contents, (GENERATED,))
        found: dict[int, dict[str, str]] = {}
        for content, items in catalog.items_holding(contents).items():
            own = set(told.get(content, []))
            about: dict[str, None] = {}
            for item in items:
                facts = item.facts
                about |= dict.fromkeys((facts.title, facts.description, *facts.keywords, *item.place))
            found[content] = {
                "captions": spaced(caption for caption in captions.get(content, []) if caption not in own),
                "told": spaced(own),
                "about": spaced(about),
                "written": spaced(line.label for line in lines.get(content, [])),
                "names": spaced(dict.fromkeys(name for item in items for name in _names(item.path))),
            }
        return found

    def search(self, query: str, k: int, allowed: Sequence[int] | None = None) -> list[int]:
        """Return the ids of the k pictures whose texts match a query best, best first.

        A picture must match at least half of the terms of the query, and be one of `allowed` (None: all).
        """
        found = phrases(query)
        ranked = self._matching(" OR ".join(found), k, allowed)
        if not ranked or (len(found) < 3 and not self.limited):
            return ranked
        said = Counter(content for term in found for content in self._matching(term, len(ranked), ranked))
        if self.limited:  # BM25 would reveal how often words occur elsewhere
            ranked.sort(key=lambda content: (-said[content], content))
        return [content for content in ranked if 2 * said[content] >= len(found)]

    def containing_all(self, query: str, k: int, allowed: Sequence[int] | None = None) -> list[int]:
        """Return the ids of up to k pictures with every term of a query in texts that no model generated."""
        found = phrases(query)
        return self._matching(f"{HUMAN_COLUMNS} : ({' AND '.join(found)})" if found else "", k, allowed)

    def matched(self, query: str, content: int) -> list[tuple[str, str]]:
        """Return the lines of text of a picture that contain a term of a query, each with its column."""
        found = " OR ".join(phrases(query))
        if not found:
            return []
        marked = ", ".join(f"highlight(words, {place}, char(2), '')" for place in range(len(COLUMNS)))
        chosen = f"SELECT {marked} FROM words WHERE words MATCH :match AND rowid = :content AND {VISIBLE}"
        row = self.connection.execute(text(chosen), {"match": found, "content": content}).first()
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
            f"SELECT rowid FROM words WHERE words MATCH :match AND {VISIBLE}{within} "
            f"ORDER BY {'' if self.limited else f'bm25(words, {weights}), '}rowid LIMIT :k"
        )
        values = {"match": match, "k": k, **({} if allowed is None else {"allowed": json.dumps(list(allowed))})}
        return list(self.connection.execute(text(query), values).scalars())


def terms(query: str) -> list[str]:
    """Return the distinct search terms of a query, without stop words; adjacent ideographs form one phrase."""
    found = (" ".join(spaced([word]).split()) for word in TERM.findall(LETTER_DIGIT_BOUNDARY.sub(" ", query)))
    return list(dict.fromkeys(word for word in found if word and word.lower() not in STOP_WORDS))


def phrases(query: str) -> list[str]:
    """Return the terms of a query in the syntax of FTS5."""
    return [f'"{term}"' for term in terms(query)]


def shares_term(line: str, query: str) -> bool:
    """Whether a line contains a term of a query as a whole word."""
    low = LETTER_DIGIT_BOUNDARY.sub(" ", line).casefold()
    return any(re.search(rf"(?<!\w){re.escape(term.casefold())}(?!\w)", low) for term in terms(query))


def spaced(texts: Iterable[str]) -> str:
    """Return texts as they are indexed: one a line, each ideograph as a word, so that parts of names match.

    Letters and digits are separated, because people and OCR engines join them inconsistently.
    """
    return "\n".join(
        IDEOGRAPHS.sub(lambda sign: f" {sign[0]} ", LETTER_DIGIT_BOUNDARY.sub(" ", each)) for each in texts if each
    )


def _names(path: Path) -> list[str]:
    """Return the file name without its suffix and the names of the folders above it, with their words separated."""
    return [re.sub(r"[_\W]+", " ", name) for name in (path.stem, *(up.name for up in list(path.parents)[:FOLDERS]))]
