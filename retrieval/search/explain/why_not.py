"""Explains why a picture is not a hit: whether the library has it, what removed it, its rank, and what would help."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ...queries.expression import Alternative, Expression
from ...queries.filters import all_of
from ...queries.render import render_expression, render_filter
from ...sources.companions import stands_for
from ...sources.rules import EXTENSIONS
from ...types.explanations import Change, FilterCheck, ScoreReading, Standing, WhyNot
from ...types.records import Answer, Hit, Item, Threshold
from ...types.request import SearchRequest
from ..confidence import apply_threshold
from ..searcher import DEEPEST, Searcher
from .attribution import Attribution, without_a_word
from .filter_checks import conjuncts, widen

KEPT = "`retrieval index` finds it when it is back, `retrieval relocate` tells where its folder is now"
APART = SearchRequest(k=DEEPEST, fold=False)  # every picture by itself, as deep as answers go


@dataclass(frozen=True)
class WhyNotExplainer:
    """Explains why pictures are not among the hits of a query with this `k` and `threshold`."""

    searcher: Searcher
    query: Expression
    k: int = 10
    threshold: Threshold = "weak"

    def why_not(self, place: Path) -> WhyNot:
        """Explain why the picture at an absolute path is not a hit, or say that it is one."""
        with self.searcher.storage.read() as catalog:
            items = catalog.items.at(place)
        if not items:
            return self._absent(place)
        fit = Attribution.best(self.searcher, self.query, items)
        if fit is None:
            said = "the current model has not encoded it yet; run `retrieval index` on its folder"
            return WhyNot(self.query.text, place, Standing.UNENCODED, said)
        reading = ScoreReading(fit.score(), fit.above_neutral())
        failed = [check for check in fit.checks if not check.passes]
        if failed:
            return self._filtered(place, fit, reading, failed)
        return self._placed(place, fit, reading)

    def _absent(self, place: Path) -> WhyNot:
        with self.searcher.storage.read() as catalog:
            problem, *_ = catalog.problems.all().get(place, (None, 0, 0, 0))
            roots = [root for root in catalog.roots.all() if place.is_relative_to(root)]
            kept = place in catalog.items.absent([place])
        result = WhyNot(self.query.text, place, Standing.UNKNOWN, "")
        if problem is not None:
            said = f"it could not be used: {problem.reason}: {problem.message}"
            return replace(result, standing=Standing.FAILED, said=said, problem=problem)
        if kept:
            said = f"it was not there when its folder was last indexed; what is known of it is kept: {KEPT}"
            return replace(result, standing=Standing.MISSING, said=said)
        if place.is_dir():
            return replace(result, said="it is a folder; name a picture")
        if not place.is_file():
            return replace(result, standing=Standing.MISSING, said="there is no such file, on disk or in the library")
        if place.suffix.lower() not in EXTENSIONS:
            return replace(result, said=f"files that end in {place.suffix or 'nothing'} are not indexed")
        if any(part.startswith(".") for part in (place.relative_to(roots[0]) if roots else Path(place.name)).parts):
            return replace(result, said="it is hidden; `retrieval index --hidden` takes hidden files, too")
        beside = stands_for(place)
        if beside is not None:
            return replace(result, said=f"{beside.name} beside it is the same picture, and is indexed in its place")
        where = f"{roots[0]} was indexed without it" if roots else "no folder that contains it was indexed"
        return replace(result, said=f"the library does not have it: {where}; run `retrieval index {place.parent}`")

    def _filtered(self, place: Path, fit: Attribution, reading: ScoreReading, failed: list[FilterCheck]) -> WhyNot:
        said = "; ".join(f"{check.filter} removed it ({check.value})" for check in failed)
        found = WhyNot(self.query.text, place, Standing.FILTERED, said, reading=reading, filters=fit.checks)
        found = replace(found, searched=fit.branch.total)
        changed = [self._change(what, asked, fit.item, DEEPEST) for what, asked in _let_through(fit)]
        return replace(found, changes=tuple(change for change in changed if change))

    def _placed(self, place: Path, fit: Attribution, reading: ScoreReading) -> WhyNot:
        """Explain a picture that passes the filters, by its rank in the search."""
        answer, _ = self.searcher.answer(self.query, SearchRequest(k=self.k))
        shown = apply_threshold(answer, self.threshold).hits
        result = WhyNot(
            query=self.query.text,
            path=place,
            standing=Standing.HIT,
            said="",
            searched=answer.searched,
            reading=reading,
            last=shown[-1].score if shown else None,
            filters=fit.checks,
            notes=answer.notes,
        )
        hit = next((each for each in shown if each.content == fit.item.content), None)
        if hit is not None:
            reading = replace(reading, confidence=hit.confidence, band=hit.band)
            return replace(result, said=f"it is hit {hit.rank} of {len(shown)}", rank=hit.rank, reading=reading)
        above = next((each for each in shown if place in each.beneath), None)
        if above is not None:
            return self._folded(result, above, fit.item)
        hit = _of(answer, fit.item)
        if hit is None:
            answer, _ = self.searcher.answer(self.query, APART)
            hit = _of(answer, fit.item)
        if hit is None:
            message = f"{DEEPEST} pictures or more are better"
            return replace(result, standing=Standing.BELOW, said=message, changes=tuple(self._fewer_words(fit)))
        result = replace(result, rank=hit.rank, reading=replace(reading, confidence=hit.confidence, band=hit.band))
        if answer.nothing and self.threshold != "none":
            message = "nothing here looks like the query, so nothing is shown"
            return replace(result, standing=Standing.UNSURE, said=message, changes=(_all_the_same(hit, self.k),))
        if hit.rank <= self.k:
            message = (
                f"it would be hit {hit.rank}, but is only a {hit.band} match; the search shows {self.threshold} ones"
            )
            change = Change(f"show less sure hits: --threshold {hit.band}", "", hit.rank)
            return replace(result, standing=Standing.UNSURE, said=message, changes=(change,))
        message = f"{hit.rank - 1} pictures fit better; {self.k} are shown"
        deeper = Change(f"show more hits: -k {hit.rank}", "", hit.rank)
        return replace(result, standing=Standing.BELOW, said=message, changes=(*self._fewer_words(fit), deeper))

    def _folded(self, found: WhyNot, above: Hit, item: Item) -> WhyNot:
        said = f"it is nearly the same as hit {above.rank}, {above.path}, and grouped under it"
        apart, _ = self.searcher.answer(self.query, APART)
        hit = _of(apart, item)
        change = Change("show every picture by itself: --no-fold", "", hit.rank if hit else above.rank)
        return replace(found, standing=Standing.FOLDED, said=said, rank=above.rank, changes=(change,))

    def _fewer_words(self, fit: Attribution) -> list[Change]:
        """Return the words without which the picture becomes a hit, the best rank first."""
        each = [
            self._change(f"without {label}", asked, fit.item, self.k)
            for label, asked in without_a_word(fit.alternative)
        ]
        return sorted((change for change in each if change), key=lambda change: change.rank)

    def _change(self, what: str, asked: Alternative, item: Item, depth: int) -> Change | None:
        """Return the effect of a changed query; None if the picture is still not among the first `depth` hits."""
        query = replace(self.query, alternatives=(asked,), notes=())
        answer, _ = self.searcher.answer(query, SearchRequest(k=self.k))
        hit = _of(apply_threshold(answer, self.threshold), item)
        if hit is None and depth > self.k:
            answer, _ = self.searcher.answer(query, replace(APART, k=depth))
            hit = _of(answer, item)
        return Change(what, render_expression(query), hit.rank) if hit else None


def _of(answer: Answer, item: Item) -> Hit | None:
    return next((hit for hit in answer.hits if hit.content == item.content), None)


def _let_through(fit: Attribution) -> Iterator[tuple[str, Alternative]]:
    """Yield the query with its failed filters widened just enough to let the picture pass, then with them removed."""
    parts = conjuncts(fit.alternative.where)
    stay = [part for part, check in zip(parts, fit.checks, strict=True) if check.passes]
    bad = [part for part, check in zip(parts, fit.checks, strict=True) if not check.passes]
    wider = [widen(part, fit.item) for part in bad]
    if any(wider):
        steps = [
            f"{render_filter(part)} -> {render_filter(wide)}" if wide else f"without {render_filter(part)}"
            for part, wide in zip(bad, wider, strict=True)
        ]
        yield ", ".join(steps), replace(fit.alternative, where=all_of(*stay, *(wide for wide in wider if wide)))
    if stay or fit.alternative.pieces:
        yield ", ".join(f"without {render_filter(part)}" for part in bad), replace(fit.alternative, where=all_of(*stay))


def _all_the_same(hit: Hit, k: int) -> Change:
    deeper = f" -k {hit.rank}" if hit.rank > k else ""
    return Change(f"show the nearest all the same: --threshold none{deeper}", "", hit.rank)
