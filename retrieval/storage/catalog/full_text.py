"""Full text over all that is said of pictures, or written in them: captions, descriptions, keywords, places, names.

SQLite's FTS5 with BM25 (Robertson & Zaragoza 2009), inside one transaction; what changes is noted by triggers and read
again before the transaction ends. Knows tables and words; does not know the query language.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

from sqlalchemy import Connection, text

from .annotations import Said
from .catalog import GENERATED, Catalog, chunks

# The number of a row is that of its picture. Porter's stemmer finds dogs by dog; accents do not matter.
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
SEEN = "CREATE VIEW seen AS SELECT id FROM contents"  # a limited connection has another one (`limits.py`)
MAY = "EXISTS (SELECT 1 FROM seen WHERE seen.id = words.rowid)"
COLUMNS = ("captions", "told", "about", "names", "written")
WEIGHTS = (1.0, 0.5, 1.0, 0.5, 1.0)  # of the columns, in BM25
SURE = "{captions about names written}"  # the columns that people and cameras wrote
TERM = re.compile(r"\d+(?:[.,:/-]\d+)+|\w+")  # a number with its points is one
FOLDERS = 3  # above a file, whose names count
STOPS = frozenset("a an and are at be by for from has in is it its of on or that the their this to was with".split())
APART = re.compile(r"(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])")  # between letters and digits: RM15.40, 50mm, U13
IDEOGRAPHS = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff]")  # no spaces between


class Words:
    """The full text of one library, inside one transaction."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    @cached_property
    def limited(self) -> bool:
        """Whether this connection sees a part of the catalog only."""
        own = text("SELECT 1 FROM temp.sqlite_master WHERE name = 'seen'")
        return self.connection.execute(own).first() is not None

    def refresh(self) -> None:
        """Read again what has changed since."""
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
        """The words of those pictures that are still held by a file."""
        catalog = Catalog(self.connection)
        lines = Said(self.connection).readings(contents)
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
        """The k pictures whose words fit a query best, best first; `allowed` keeps those among them.

        A picture counts if at least half of the query's words are said of it.
        """
        found = phrases(query)
        ranked = self._matching(" OR ".join(found), k, allowed)
        if not ranked or (len(found) < 3 and not self.limited):
            return ranked
        said = Counter(content for term in found for content in self._matching(term, len(ranked), ranked))
        if self.limited:  # BM25 would tell how often words occur elsewhere
            ranked.sort(key=lambda content: (-said[content], content))
        return [content for content in ranked if 2 * said[content] >= len(found)]

    def saying(self, query: str, k: int, allowed: Sequence[int] | None = None) -> list[int]:
        """Pictures of which people or files say every word of a query."""
        found = phrases(query)
        return self._matching(f"{SURE} : ({' AND '.join(found)})" if found else "", k, allowed)

    def matched(self, query: str, content: int) -> list[tuple[str, str]]:
        """What is said of a picture that has a word of a query: the column and the line."""
        found = " OR ".join(phrases(query))
        if not found:
            return []
        marked = ", ".join(f"highlight(words, {place}, char(2), '')" for place in range(len(COLUMNS)))
        chosen = f"SELECT {marked} FROM words WHERE words MATCH :match AND rowid = :content AND {MAY}"
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
            f"SELECT rowid FROM words WHERE words MATCH :match AND {MAY}{within} "
            f"ORDER BY {'' if self.limited else f'bm25(words, {weights}), '}rowid LIMIT :k"
        )
        values = {"match": match, "k": k, **({} if allowed is None else {"allowed": json.dumps(list(allowed))})}
        return list(self.connection.execute(text(query), values).scalars())


def terms(query: str) -> list[str]:
    """The words of a query that can be looked up, each once; ideographs in a row are one phrase."""
    found = (" ".join(spaced([word]).split()) for word in TERM.findall(APART.sub(" ", query)))
    return list(dict.fromkeys(word for word in found if word and word.lower() not in STOPS))


def phrases(query: str) -> list[str]:
    """The same as FTS5 takes them."""
    return [f'"{term}"' for term in terms(query)]


def shares_term(line: str, query: str) -> bool:
    """Whether a line has one of the words of a query, whole."""
    low = APART.sub(" ", line).casefold()
    return any(re.search(rf"(?<!\w){re.escape(term.casefold())}(?!\w)", low) for term in terms(query))


def spaced(texts: Iterable[str]) -> str:
    """Texts as they are stored: one a line, ideographs as words of their own, so that any part of a name is found.

    Letters and digits are parted, which people and text readers put together as it comes.
    """
    return "\n".join(IDEOGRAPHS.sub(lambda sign: f" {sign[0]} ", APART.sub(" ", each)) for each in texts if each)


def _names(path: Path) -> list[str]:
    """The name of a file without its ending, and those of the folders around it, with their words apart."""
    return [re.sub(r"[_\W]+", " ", name) for name in (path.stem, *(up.name for up in list(path.parents)[:FOLDERS]))]
