"""The read path on one screen: a query becomes a vector and a filter, the nearest contents that pass become hits.

Knows the order of things; does not know how vectors are compared, how a query is written or who shows the answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..encoders import Encoder
from ..errors import UsageError
from ..holdings import Holdings
from ..queries.expression import Alternative, Expression
from ..queries.filters import EVERYTHING
from ..records import Answer, Hit, Item, Kind, Query, Space, Vectors
from ..store.selection import Selection
from .meaning import Understanding


@dataclass(frozen=True)
class Candidate:
    """A content that may become a hit."""

    content: int
    score: float | None  # none where nothing was looked for: the newest come first
    items: Sequence[int] | None = None  # the files that passed the filter; none: all of them


@dataclass(frozen=True)
class Searcher:
    """Answers queries from one library."""

    holdings: Holdings
    encoder: Callable[[Space], Encoder]  # gives the model of a space, loaded when first needed
    max_megapixels: float = 250.0

    def search(self, query: Query | Expression, k: int = 10, kind: Kind = Kind.PICTURE) -> Answer:
        """The k best pictures (or texts) for a query.

        Raises:
            UsageError: an empty query, `k` below one, an item that is not there.
            PictureError: the query's picture cannot be used.
            LibraryNotFound: nothing has been indexed yet.
        """
        return self.answer(query, k, kind)[0]

    def answer(self, query: Query | Expression, k: int, kind: Kind) -> tuple[Answer, list[Candidate]]:
        """As `search`, with the candidates that its hits were."""
        started = time.perf_counter()
        if k < 1:
            raise UsageError(f"k must be at least 1, got {k}")
        asked = query if isinstance(query, Expression) else Expression.of(query)
        _, space = self.holdings.serving()
        sides = [self._side(each, space, kind) for each in asked.alternatives]
        total = max(side.total for side in sides)
        wanted = k
        while True:  # once, but where several of the nearest are frames of one video
            found = _best([side.candidates(wanted) for side in sides])
            hits = self.hits(found, kind)[:k]
            if len(hits) >= k or wanted >= total:
                break
            wanted *= 4
        notes = dict.fromkeys((*asked.notes, *(note for side in sides for note in side.notes)))
        if not total:
            notes[_nothing(kind, any(each.where != EVERYTHING for each in asked.alternatives))] = None
        answer = Answer(asked.text, hits, total, space.model, time.perf_counter() - started, tuple(notes))
        by_content = {each.content: each for each in found}
        return answer, [by_content[hit.content] for hit in hits]

    def hits(self, found: Sequence[Candidate], kind: Kind) -> tuple[Hit, ...]:
        """Candidates with all that is known of them, ranked from 1; those that have just been removed are left out."""
        return self._pictures(found) if kind is Kind.PICTURE else self._texts(found)

    def _side(self, asked: Alternative, space: Space, kind: Kind) -> _Side:
        """One alternative of a query, ready to be asked for its best."""
        passing, notes = self._passing(asked, kind)
        total = self.holdings.count(kind) if passing is None else len(passing)
        if not asked.pieces:
            if asked.where == EVERYTHING:
                raise UsageError('the query is empty; write what the picture shows, such as "a dog on the beach"')
            return _Side(self.holdings, kind, total, notes, passing or {})
        meaning = Understanding(self.holdings, space, self.encoder, self.max_megapixels).meaning(asked.pieces, kind)
        return _Side(self.holdings, kind, total, (*notes, *meaning.notes), passing, meaning.vector, meaning.itself)

    def _passing(self, asked: Alternative, kind: Kind) -> tuple[dict[int, list[int]] | None, tuple[str, ...]]:
        """The contents that pass the filter, each with its files that do; None: all. And what to say of it."""
        if asked.where == EVERYTHING:
            return None, ()
        with self.holdings.reading() as catalog:
            selection = Selection(catalog.connection)
            rows, unknown = selection.passing(asked.where), selection.unknown(asked.where)
            found: dict[int, list[int]] = {}
            for item, content in rows:
                found.setdefault(content, []).append(item)
            if kind is Kind.TEXT:
                found = {text: found[picture] for picture, text in catalog.pairs_of(found)}
        notes = tuple(f"no picture of the library has a {name}: the filter on it finds nothing" for name in unknown)
        return found, notes

    def _pictures(self, found: Sequence[Candidate]) -> tuple[Hit, ...]:
        numbers = [each.content for each in found]
        with self.holdings.reading() as catalog:
            files, captions = catalog.items_holding(numbers), catalog.captions_of(numbers)
        hits: list[Hit] = []
        videos: set[Path] = set()  # each is one hit: its best frame
        for each in found:
            here: list[Item] = files.get(each.content, [])
            if each.items is not None:
                here = [item for item in here if item.id in each.items]
            if here and here[0].path not in videos:  # none here: it was removed a moment ago
                text = next(iter(captions.get(each.content, [])), "")
                copies = tuple(item.path for item in here[1:])
                item, rank = here[0], len(hits) + 1
                hit = Hit(rank, each.score, Kind.PICTURE, each.content, item.path, copies, text, item.id)
                hits.append(replace(hit, second=item.second))
                if item.second is not None:
                    videos.add(item.path)
        return tuple(hits)

    def _texts(self, found: Sequence[Candidate]) -> tuple[Hit, ...]:
        numbers = [each.content for each in found]
        with self.holdings.reading() as catalog:
            words, owners = catalog.texts(numbers), catalog.pictures_of(numbers)
            files = catalog.items_holding({picture for each in owners.values() for picture in each})
        hits: list[Hit] = []
        for each in found:
            if each.content in words:
                here = [item.path for picture in owners.get(each.content, []) for item in files.get(picture, [])]
                path, rank = (here[0] if here else None), len(hits) + 1
                hits.append(Hit(rank, each.score, Kind.TEXT, each.content, path, tuple(here[1:]), words[each.content]))
        return tuple(hits)


@dataclass(frozen=True)
class _Side:
    """One alternative: what passes its filter, and what it looks for."""

    holdings: Holdings
    kind: Kind
    total: int  # how many can be answers
    notes: tuple[str, ...]
    passing: dict[int, list[int]] | None
    vector: Vectors | None = None  # (1, dimensions)
    itself: frozenset[int] = frozenset()

    def candidates(self, count: int) -> list[tuple[float, Candidate]]:
        """Its best, each with how far its score is above the library's mean, in standard deviations."""
        if self.vector is None:
            newest = list((self.passing or {}).items())[:count]
            return [(-place, Candidate(content, None, items)) for place, (content, items) in enumerate(newest)]
        allowed = None if self.passing is None else np.array(sorted(self.passing), np.int64)
        wanted = min(count + len(self.itself), max(self.total, 1))
        scores, ids = self.holdings.nearest(self.kind, self.vector, wanted, allowed)
        known = self.holdings.sample(self.kind) @ self.vector[0]
        mean, spread = (float(known.mean()), max(float(known.std()), 1e-6)) if len(known) > 1 else (0.0, 1.0)
        return [
            (
                (float(s) - mean) / spread,
                Candidate(int(i), float(s), None if self.passing is None else self.passing[int(i)]),
            )
            for s, i in zip(scores[0], ids[0], strict=True)
            if i >= 0 and i not in self.itself
        ]


def _best(sides: Iterable[list[tuple[float, Candidate]]]) -> list[Candidate]:
    """The candidates of all alternatives, each content once, by the alternative that it fits best."""
    best: dict[int, tuple[float, Candidate]] = {}
    for height, candidate in (pair for side in sides for pair in side):
        if candidate.content not in best or best[candidate.content][0] < height:
            best[candidate.content] = (height, candidate)
    return [candidate for _, candidate in sorted(best.values(), key=lambda pair: -pair[0])]


def _nothing(kind: Kind, filtered: bool) -> str:
    if filtered:
        return "nothing in the library passes the filter"
    if kind is Kind.TEXT:
        return "the library has no texts; add some with `retrieval index --captions FILE`"
    return "the library has no pictures; add some with `retrieval index FOLDER`"
