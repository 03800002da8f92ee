"""Full-text search in captions, descriptions, keywords, places, file names and OCR text of pictures.

Knows which texts a picture has and what a term is; the index itself is the dialect's. Does not know the query language.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from .captions import GENERATED
from .dialects import FullTextIndex, TermPlace
from .repository import Repository, chunks

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from .annotations import Annotations
    from .captions import Captions
    from .dialects import Dialect
    from .items import Items

COLUMNS = (  # captions by people and by models, metadata, file and folder names, text in the picture (OCR)
    "captions",
    "told",
    "about",
    "names",
    "folders",
    "written",
)
TERM = re.compile(r"\d+(?:[.,:/-]\d+)+|\w+")  # a number with its separators is one term
MOST_TERMS = 64  # of a query that are looked up
FOLDERS = 3  # folders above a file whose names are indexed
STOP_WORDS = frozenset(
    "a an and are at be by for from has in is it its of on or that the their this to was with".split()
)
LETTER_DIGIT_BOUNDARY = re.compile(
    r"(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])"
)  # boundaries of letters and digits: RM15.40, 50mm, U13
IDEOGRAPHS = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff]")  # no spaces between


class FullText(Repository):
    """The full text of one library."""

    def __init__(
        self, connection: Connection, dialect: Dialect, items: Items, captions: Captions, annotations: Annotations
    ) -> None:
        super().__init__(connection, dialect)
        self._items, self._captions, self._annotations = items, captions, annotations

    @cached_property
    def _index(self) -> FullTextIndex:
        return self._dialect.full_text(self._connection)

    def refresh(self) -> None:
        """Index again the pictures whose texts have changed; called before a transaction ends."""
        for some in chunks(self._index.pending()):
            self._index.replace(some, [{"id": content, **row} for content, row in self._texts(some).items()])

    def _texts(self, contents: Sequence[int]) -> dict[int, dict[str, str]]:
        """Return the texts of each of these pictures that a file still holds, by column."""
        lines = self._annotations.ocr_lines(contents)
        captions, told = self._captions.of(contents), self._captions.of(contents, (GENERATED,))
        by_content: dict[int, dict[str, str]] = {}
        for content, items in self._items.holding(contents).items():
            own = set(told.get(content, []))
            about: dict[str, None] = {}
            for item in items:
                facts = item.facts
                about |= dict.fromkeys((facts.title, facts.description, *facts.keywords, *facts.people, *item.place))
            by_content[content] = {
                "captions": spaced(caption for caption in captions.get(content, []) if caption not in own),
                "told": spaced(own),
                "about": spaced(about),
                "written": spaced(line.label for line in lines.get(content, [])),
                "names": spaced(dict.fromkeys(_words(item.path.stem) for item in items)),
                "folders": spaced(dict.fromkeys(name for item in items for name in _folders(item.path))),
            }
        return by_content

    def counts(self, wanted: Sequence[str]) -> dict[TermPlace, int]:
        """Return how many pictures have each term, by column; no entry where none has."""
        places = [TermPlace(column, term) for term in wanted[:MOST_TERMS] for column in COLUMNS]
        return {place: count for place, count in zip(places, self._index.counts(places), strict=True) if count}

    def holders(self, places: Sequence[TermPlace], among: Sequence[int] | None = None) -> dict[TermPlace, list[int]]:
        """Return the pictures that have each term in its column, of `among` only if that is given."""
        return dict(zip(places, self._index.holders(places, among), strict=True))

    def matched(self, query: str, content: int) -> list[tuple[str, str]]:
        """Return the lines of text of a picture that contain a term of a query, each with its column."""
        return self._index.lines(terms(query), content)


def terms(query: str) -> list[str]:
    """Return the distinct search terms of a query, without stop words; adjacent ideographs form one phrase."""
    found = (" ".join(spaced([word]).split()) for word in TERM.findall(LETTER_DIGIT_BOUNDARY.sub(" ", query)))
    return list(dict.fromkeys(word for word in found if word and word.lower() not in STOP_WORDS))


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


def _folders(path: Path) -> list[str]:
    """Return the names of the folders above a file, with their words separated."""
    return [_words(up.name) for up in list(path.parents)[:FOLDERS]]


def _words(name: str) -> str:
    return re.sub(r"[_\W]+", " ", name)
