"""The search path: a query becomes a vector and a filter, and the nearest contents that pass become hits.

Does not know how vectors are compared, how a query is written or who shows the answer.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..calibration.calibration import Calibration
from ..encoders import Encoder
from ..errors import ModelChanged, UsageError
from ..queries.expression import Alternative, Expression
from ..queries.filters import EVERYTHING
from ..runtime.timing import span
from ..storage.catalog.full_text import shares_term
from ..storage.storage import Storage
from ..types.records import Answer, ByText, Hit, Item, Kind, Space
from ..types.request import SearchRequest
from . import hybrid, text_hits
from .branches import Branch, BranchResult, Candidate, merge
from .diversify import POOL, maximal_marginal_relevance
from .listing import NO_ITEM, Listed, answering, band_counts, listed, newest_first
from .near_duplicates import FOLDED, group_near_duplicates
from .query_embedding import QueryEmbedder

log = logging.getLogger(__name__)
DEEPEST = 10_000  # most hits that an answer can have


@dataclass(frozen=True)
class Searcher:
    """Answers queries from one library."""

    storage: Storage
    calibration: Calibration
    encoder: Callable[[Space], Encoder]  # returns the model of a space, loaded when first needed
    max_megapixels: float = 250.0

    def search(self, query: Expression, request: SearchRequest) -> Answer:
        """Return the best `request.k` pictures (or texts) for a query: by score, by date, or diversified.

        With `request.fold`, near-duplicates of a better picture are folded under it.

        Raises:
            UsageError: the query is empty, or an item does not exist.
            PictureError: the query's picture cannot be used.
            LibraryNotFound: nothing has been indexed yet.
        """
        if request.order == "diverse":
            answer, pool = self.answer(query, replace(request, k=POOL * request.k))
            return replace(answer, hits=self._diverse(answer.hits, pool, request.k, request.kind))
        if request.order == "date" and request.kind is Kind.PICTURE:
            answer, found = self.everything(query, request)
            return replace(answer, hits=self.hits(found[: request.k], request.kind, query.words))
        answer, _ = self.answer(query, request)
        return answer

    def everything(self, query: Expression, request: SearchRequest) -> tuple[Answer, list[Candidate]]:
        """Return all candidates of a query (at most `DEEPEST`) in their order, and the answer without hits.

        `Answer.bands` counts them. By date, the candidates are those that are as sure as `request.least`: unsure ones
        would come first only because they are new.
        """
        with self.storage.snapshot():
            answer, rows = self._listed(query, request)
            if request.order == "date":
                sure = answering([row.candidate for row in rows], request.least)
                return answer, newest_first(rows[:sure])
            return answer, [row.candidate for row in rows]

    def facets(self, query: Expression, request: SearchRequest) -> dict[str, list[tuple[str, int]]]:
        """Return the number of hits by year, camera, place, type and folder; see `facets_of`."""
        with self.storage.snapshot():
            answer, candidates = self.everything(query, replace(request, order="score"))
            return self.facets_of(candidates, request, nothing=answer.nothing)

    def facets_of(
        self, candidates: Sequence[Candidate], request: SearchRequest, *, nothing: bool
    ) -> dict[str, list[tuple[str, int]]]:
        """Return the number of candidates by year, camera, place, type and folder, most frequent first.

        Counted are those that are at least likely, or as sure as the threshold says; where none is, those that are
        shown.
        """
        sure = answering(candidates, request.threshold or "likely") or answering(candidates, request.least)
        counted = candidates[: 0 if nothing and request.least != "none" else sure]
        with self.storage.read() as catalog:
            rows = listed(counted, catalog.items.listing(each.content for each in counted))
            return catalog.filters.facets([row.item.id for row in rows])

    def _listed(self, query: Expression, request: SearchRequest) -> tuple[Answer, list[Listed]]:
        started = time.perf_counter()
        _, space = self.storage.active_space()
        branches = self.branches(query, space, request.kind)
        results = [_find(branch, DEEPEST) for branch in branches]
        candidates = merge(results)[:DEEPEST]
        if request.fold and request.kind is Kind.PICTURE:
            candidates = self._folded(candidates)
        with self.storage.read() as catalog:
            if request.kind is Kind.PICTURE:
                rows = listed(candidates, catalog.items.listing(each.content for each in candidates))
            else:
                rows = [Listed(each, NO_ITEM) for each in candidates]
        answer = self._summary(query, branches, results, time.perf_counter() - started)
        return replace(answer, bands=band_counts([row.candidate for row in rows])), rows

    def _diverse(self, hits: Sequence[Hit], pool: Sequence[Candidate], k: int, kind: Kind) -> tuple[Hit, ...]:
        """Return `k` hits of a pool, diversified by MMR; hits without scores count by their rank."""
        rows = self.storage.vectors.rows(kind, [each.content for each in pool])
        chosen = maximal_marginal_relevance(
            rows, [-float(each.rank) if each.score is None else each.score for each in hits], k
        )
        return tuple(replace(hits[place], rank=rank) for rank, place in enumerate(chosen, start=1))

    def answer(self, query: Expression, request: SearchRequest) -> tuple[Answer, list[Candidate]]:
        """Like `search` by score, and return the candidates of the hits, too; all is read in one snapshot."""
        with self.storage.snapshot():
            return self._answer(query, request.k, request.kind, fold=request.fold)

    def _answer(self, query: Expression, k: int, kind: Kind, *, fold: bool) -> tuple[Answer, list[Candidate]]:
        started = time.perf_counter()
        _, space = self.storage.active_space()
        with span("encode"):  # and filter, for each alternative
            branches = self.branches(query, space, kind)
        total = max(branch.total for branch in branches)
        wanted = k
        while True:  # runs once, unless frames of one video or near-duplicates leave too few hits
            with span("find"):
                results = [_find(branch, wanted) for branch in branches]
            candidates = merge(results)
            if fold and kind is Kind.PICTURE:
                with span("fold"):
                    candidates = self._folded(candidates)
            with span("hits"):
                hits = self.hits(candidates[: max(wanted, k)], kind, query.words)[:k]
            if len(hits) >= k or wanted >= total:
                break
            wanted *= 4
        answer = replace(self._summary(query, branches, results, time.perf_counter() - started), hits=hits)
        log.info(
            "%r: %d %ss pass the filters, %d hits, %.1f ms", query.text, total, kind, len(hits), 1000 * answer.seconds
        )
        by_content = {each.content: each for each in candidates}
        return answer, [by_content[hit.content] for hit in hits]

    def _summary(
        self, query: Expression, branches: Sequence[Branch], results: Sequence[BranchResult], seconds: float
    ) -> Answer:
        """Return the answer to a query without its hits."""
        kind, total = branches[0].kind, max(branch.total for branch in branches)
        notes = dict.fromkeys((*query.notes, *(note for branch in branches for note in branch.notes)))
        if not total:
            notes[_nothing(kind, any(each.where != EVERYTHING for each in query.alternatives))] = None
        return Answer(
            query.text,
            (),
            total,
            self.storage.active_space()[1].model,
            seconds,
            tuple(notes),
            match=max((each.match for each in results if each.match is not None), default=None),
            nothing=all(each.nothing for each in results),
            total=self.storage.vectors.count(kind),
        )

    def _folded(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Return the candidates, with near-duplicates folded under the best of each group."""
        passing = {each.content: each.items for each in candidates}
        found = group_near_duplicates(self.storage, list(passing), FOLDED)
        beneath = {content: tuple((other, passing[other]) for other, _ in others) for content, others in found.items()}
        kept = (each for each in candidates if each.content in found)
        return [replace(each, beneath=under) if (under := beneath[each.content]) else each for each in kept]

    def branches(self, query: Expression, space: Space, kind: Kind) -> list[Branch]:
        """Return the alternatives of a query, filtered and embedded."""
        return [self.branch(each, space, kind) for each in query.alternatives]

    def hits(self, found: Sequence[Candidate], kind: Kind, said: str = "") -> tuple[Hit, ...]:
        """Return the candidates as hits, ranked from 1; contents that were just removed are left out.

        The boxes of a hit are the lines of text in the picture (OCR) that have a word of `said`.
        """
        return self._pictures(found, said) if kind is Kind.PICTURE else self._texts(found)

    def branch(self, alternative: Alternative, space: Space, kind: Kind) -> Branch:
        """Return one alternative of a query, filtered and embedded.

        Raises:
            UsageError: the alternative has neither pieces nor filters.
        """
        passing, notes = self._passing(alternative, kind)
        total = self.storage.vectors.count(kind) if passing is None else len(passing)
        if not alternative.pieces:
            if alternative.where == EVERYTHING:
                raise UsageError('the query is empty; write what the picture shows, such as "a dog on the beach"')
            return Branch(self.storage, self.calibration, kind, total, notes, passing or {})
        embedder = QueryEmbedder(self.storage, space, self.encoder, self.max_megapixels)
        try:
            meaning = embedder.meaning(alternative.pieces, kind)
        except ModelChanged as exc:
            if kind is not Kind.PICTURE or not all(isinstance(part.piece, ByText) for part in alternative.pieces):
                raise
            notes = (*notes, f"found by names and captions alone: {exc}")
            return Branch(
                self.storage, self.calibration, kind, total, notes, passing, text=alternative.words,
                filter=alternative.where,
            )  # fmt: skip
        return Branch(
            self.storage,
            self.calibration,
            kind,
            total,
            notes=(*notes, *meaning.notes),
            passing=passing,
            vector=meaning.vector,
            words=meaning.words,
            text=alternative.words,
            itself=meaning.itself,
            filter=alternative.where,
        )

    def _passing(self, alternative: Alternative, kind: Kind) -> tuple[dict[int, list[int]] | None, tuple[str, ...]]:
        """Return the contents that pass the filter, with their items that do (None: all contents), and notes on it."""
        if alternative.where == EVERYTHING:
            return None, ()
        with self.storage.read() as catalog:
            selection = catalog.filters
            rows, unknown = selection.passing(alternative.where), selection.unknown(alternative.where)
            passing: dict[int, list[int]] = {}
            for item, content in rows:
                passing.setdefault(content, []).append(item)
            if kind is Kind.TEXT:
                passing = {text: passing[picture] for picture, text in catalog.captions.pairs_of(passing)}
        notes = tuple(f"no picture of the library has a {name}: the filter on it finds nothing" for name in unknown)
        return passing, notes

    def _pictures(self, candidates: Sequence[Candidate], words: str) -> tuple[Hit, ...]:
        numbers = [each.content for each in candidates]
        with self.storage.read() as catalog:
            files = catalog.items.holding([*numbers, *(under for each in candidates for under, _ in each.beneath)])
            captions = catalog.captions.of(numbers)
            lines = catalog.annotations.ocr_lines(numbers)
            digests = catalog.contents.digests(numbers)
        hits: list[Hit] = []
        videos: set[Path] = set()  # already shown: each is one hit, its best frame
        for each in candidates:
            here: list[Item] = files.get(each.content, [])
            if each.items is not None:
                here = [item for item in here if item.id in each.items]
            if here and here[0].path not in videos:  # empty: the content was removed a moment ago
                text = next(iter(captions.get(each.content, [])), "")
                copies = tuple(item.path for item in here[1:])
                item, rank = here[0], len(hits) + 1
                hit = Hit(rank, each.score, Kind.PICTURE, each.content, item.path, copies, text, item.id)
                hit = replace(hit, second=item.second, taken_at=item.facts.taken_at)
                hit = replace(hit, confidence=each.confidence, band=each.band, by=each.by)
                boxes = tuple(line for line in lines.get(each.content, []) if shares_term(line.label, words))
                beneath = [
                    item
                    for under, passing in each.beneath
                    for item in files.get(under, [])
                    if passing is None or item.id in passing
                ]
                hit = replace(hit, width=item.facts.width, height=item.facts.height, digest=digests[each.content])
                hit = replace(hit, beneath=tuple(i.path for i in beneath), beneath_items=tuple(i.id for i in beneath))
                hits.append(replace(hit, sources=tuple(each.sources), boxes=boxes))
                if item.second is not None:
                    videos.add(item.path)
        return tuple(hits)

    def _texts(self, candidates: Sequence[Candidate]) -> tuple[Hit, ...]:
        numbers = [each.content for each in candidates]
        with self.storage.read() as catalog:
            words, owners = catalog.contents.texts(numbers), catalog.captions.pictures_of(numbers)
            files = catalog.items.holding({picture for each in owners.values() for picture in each})
        hits: list[Hit] = []
        for each in candidates:
            if each.content in words:
                here = [item for picture in owners.get(each.content, []) for item in files.get(picture, [])]
                path, item = (here[0].path, here[0].id) if here else (None, None)
                copies, rank = tuple(other.path for other in here[1:]), len(hits) + 1
                hit = Hit(rank, each.score, Kind.TEXT, each.content, path, copies, words[each.content], item)
                hits.append(replace(hit, confidence=each.confidence, band=each.band))
        return tuple(hits)


def _find(branch: Branch, count: int) -> BranchResult:
    if branch.vector is None:
        return hybrid.by_words(branch, count) if branch.text else branch.newest(count)
    return hybrid.find(branch, count) if branch.kind is Kind.PICTURE else text_hits.find(branch, count)


def _nothing(kind: Kind, filtered: bool) -> str:
    if filtered:
        return "nothing in the library passes the filter"
    if kind is Kind.TEXT:
        return "the library has no texts; add some with `retrieval index --captions FILE`"
    return "the library has no pictures; add some with `retrieval index FOLDER`"
