"""Pagination: long answers are stored for a day, so that all pages come from one answer while the library changes.

Does not know how answers are found.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ..errors import LibraryError, UsageError
from ..queries.expression import Expression
from ..runtime import private_files
from ..types.records import Answer, Band, Kind, Threshold
from ..types.request import SearchRequest
from . import listing
from .branches import Candidate
from .searcher import DEEPEST, Searcher

KEPT = 24 * 3600  # seconds
MOST = 200  # stored answers, at most


@dataclass(frozen=True)
class KeptAnswer:
    """An answer as it was when its first page was requested."""

    query: str
    kind: Kind
    by_date: bool
    searched: int
    total: int
    model: str
    notes: Sequence[str]
    match: float | None
    nothing: bool
    bands: dict[str, int] | None
    found: Sequence[Candidate]


@dataclass(frozen=True)
class Cursor:
    """The position of a page in a stored answer; `str()` gives the text that clients get."""

    token: str
    start: int
    size: int

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """Return the cursor for a text that clients got.

        Raises:
            UsageError: the text is not a cursor.
        """
        token, _, rest = text.partition(".")
        start, _, size = rest.partition(".")
        if not (token.replace("-", "").isalnum() and start.isdecimal() and size.isdecimal() and int(size) > 0):
            raise UsageError(f"{text[:100]!r} is not a cursor; use the one from the previous page")
        return cls(token, int(start), int(size))

    def __str__(self) -> str:
        return f"{self.token}.{self.start}.{self.size}"


@dataclass(frozen=True)
class AnswerStore:
    """The stored answers of one user, in a folder of the cache."""

    folder: Path

    def keep(self, question: str, answer: KeptAnswer) -> str:
        """Store an answer and return its token; `question` is everything that the answer depends on.

        Raises:
            LibraryError: the folder cannot be written.
        """
        token = f"{_name(question)}-{secrets.token_hex(4)}"
        try:
            private_files.make_folder(self.folder)
            self._tidy()
            private_files.write_text(self.folder / f"{token}.json", json.dumps(asdict(answer)))
        except OSError as exc:
            raise LibraryError(f"cannot keep pages in {self.folder}: {exc.strerror}") from exc
        return token

    def newest(self, question: str) -> str | None:
        """Return the token of the latest answer stored for this question; None if there is none or it has expired."""
        found = sorted(self.folder.glob(f"{_name(question)}-*.json"), key=_age)
        return found[0].stem if found and _age(found[0]) < KEPT else None

    def get(self, token: str) -> KeptAnswer:
        """Return a stored answer.

        Raises:
            UsageError: the answer has expired or cannot be read.
        """
        try:
            found = json.loads((self.folder / f"{token}.json").read_text(encoding="utf-8"))
            candidates = [Candidate(**{**each, "band": Band(each["band"])}) for each in found["found"]]
            return KeptAnswer(**{**found, "kind": Kind(found["kind"]), "found": candidates})
        except (OSError, ValueError, KeyError, TypeError) as exc:
            raise UsageError("this page's answer is not kept any more; begin again with the first page") from exc

    def _tidy(self) -> None:
        files = sorted(self.folder.glob("*.json"), key=_age)
        for place, file in enumerate(files):
            if place >= MOST - 1 or _age(file) > KEPT:
                file.unlink(missing_ok=True)


@dataclass(frozen=True)
class Pager:
    """Returns answers page by page."""

    searcher: Searcher
    pages: AnswerStore

    def page(self, query: Expression, request: SearchRequest) -> Answer:
        """Return page `request.page`, from 1, of a query's answer; later pages use the latest stored answer, if any.

        Raises:
            UsageError: whatever `Searcher.search` raises.
        """
        started = time.perf_counter()
        number = request.page or 1
        token = self.pages.newest(self._key(query, request)) if number > 1 else None
        if token is None:
            answer, candidates = self.searcher.everything(query, request)
            kept = KeptAnswer(
                query=query.text,
                kind=request.kind,
                by_date=request.order == "date",
                searched=answer.searched,
                total=answer.total,
                model=answer.model,
                notes=answer.notes,
                match=answer.match,
                nothing=answer.nothing,
                bands=answer.bands,
                found=candidates,
            )
            try:
                token = self.pages.keep(self._key(query, request), kept)
            except LibraryError as exc:  # then each page is found anew
                shown = self._show(Cursor("", (number - 1) * request.k, request.k), kept, request.least)
                notes = (*shown.notes, f"{exc}; each page is found anew, by its number")
                return replace(shown, notes=notes, cursor="", seconds=time.perf_counter() - started)
        kept = self.pages.get(token)
        shown = self._show(Cursor(token, (number - 1) * request.k, request.k), kept, request.least)
        if request.facets:
            shown = replace(shown, facets=self.searcher.facets_of(kept.found, request, nothing=kept.nothing))
        return replace(shown, seconds=time.perf_counter() - started)

    def _key(self, query: Expression, request: SearchRequest) -> str:
        """Return what a stored answer is found by: the library, the query, and the options that change all pages."""
        least = request.least if request.order == "date" else None  # by score, a threshold only ends the pages sooner
        changing = replace(request, query="", image=None, k=DEEPEST, page=None, facets=False, threshold=least)
        return f"{self.searcher.storage.path.absolute()}\n{changing}\n{query}"

    def next(self, cursor: str, least: Threshold) -> Answer:
        """Return the page that a cursor points at; the pages end where hits are less sure than `least`.

        Raises:
            UsageError: the text is not a cursor, or its answer has expired.
        """
        at = Cursor.parse(cursor)
        return self._show(at, self.pages.get(at.token), least)

    def _show(self, at: Cursor, kept: KeptAnswer, least: Threshold) -> Answer:
        started = time.perf_counter()
        sure = len(kept.found) if kept.by_date else listing.shown(kept.found, least)
        end = min(at.start + at.size, sure)
        some = kept.found[at.start : end]
        hits = [replace(hit, rank=hit.rank + at.start) for hit in self.searcher.hits(some, kept.kind)]
        gone = len(some) - len(hits)
        notes = [*kept.notes, f"{gone} of this page have left the library since"] if gone else [*kept.notes]
        if not some and sure:
            notes.append(f"there are {-(-sure // at.size)} pages of {at.size}")
        if some and end == sure < len(kept.found) and not kept.nothing:
            notes.append(f"{len(kept.found) - sure} hits are less sure than {least} and not shown (--threshold)")
        following = str(replace(at, start=end)) if end < sure else ""
        spent = time.perf_counter() - started
        answer = Answer(kept.query, tuple(hits), kept.searched, kept.model, spent, tuple(notes), cursor=following)
        return replace(answer, total=kept.total, match=kept.match, nothing=kept.nothing, bands=kept.bands)


def _name(question: str) -> str:
    return hashlib.blake2b(question.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()


def _age(file: Path) -> float:
    try:
        return time.time() - file.stat().st_mtime
    except OSError:  # another process has removed it
        return float("inf")
