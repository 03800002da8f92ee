"""Explains why a picture is a hit: the contribution of each word, ranking and filter, and where the picture shows it.

A word's contribution is the fall of the z-score without it (leave-one-out).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ... import pictures
from ...calibration.calibration import CANDIDATES
from ...encoders import Grids
from ...errors import UsageError
from ...queries.expression import Expression
from ...queries.render import written
from ...storage.catalog.full_text import Words
from ...types.explanations import Heat, Reading, SourceShare, Why
from ...types.records import Hit, Item, Kind
from ...vlm import SEEN, Ability
from .. import hybrid
from ..fusion import RANK, WEIGHTS, Source
from ..searcher import DEEPEST, Searcher
from .attribution import Fit

if TYPE_CHECKING:
    from ...vlm import VisionLanguageModel

NOTHING = "nothing here looks like the query: `retrieval search` shows this only with --threshold none"
COLUMNS = {"captions": "caption", "told": "a model's caption", "about": "file", "names": "name", "written": "shown"}


@dataclass(frozen=True)
class Explainer:
    """Explains hits; with a vision-language model, adds its verdict and boxes."""

    searcher: Searcher
    model: VisionLanguageModel | None = None

    def why(self, query: Expression, hit: Path | int, k: int = 10, *, heat: bool = False) -> Why:
        """Explain why a picture, given by path or rank, is a hit; searches deeper if it is not among the first `k`.

        Raises:
            UsageError: it is not a hit or has no embedding yet, or `heat` is requested and not available.
        """
        for depth in (max(k, hit) if isinstance(hit, int) else k, DEEPEST):
            answer, _ = self.searcher.answer(query, depth, Kind.PICTURE)
            found = next((each for each in answer.hits if hit in (each.rank, each.path, *each.copies)), None)
            if found is not None:
                break
        if found is None or found.item is None:
            what = f"there is no hit {hit}" if isinstance(hit, int) else f"{hit} is not among the hits"
            raise UsageError(f"{what}: there are {len(answer.hits)}; `retrieval why-not` explains the others")
        with self.searcher.holdings.reading() as catalog:
            item = next(catalog.items([found.item]))
        fit = Fit.best(self.searcher, query, [item])
        if fit is None:
            raise UsageError(f"{item.path} is not indexed with the present model yet; run `retrieval index`")
        told = Why(
            query=answer.query,
            path=item.path,
            item=item.id,
            rank=found.rank,
            searched=answer.searched,
            reading=Reading(found.score, fit.above_neutral(), found.confidence, found.band),
            second=item.second,
            match=answer.match,
            understood=written(replace(query, alternatives=(fit.asked,))),
            parts=fit.parts(),
            sources=self._sources(fit, found, depth),
            filters=fit.checks,
            notes=(*answer.notes, *([NOTHING] if answer.nothing else [])),
        )
        if heat:
            told = replace(told, heat=self._heat(fit, item))
        return self._seen(told, fit, item) if self.model is not None else told

    def _sources(self, fit: Fit, hit: Hit, depth: int) -> tuple[SourceShare, ...]:
        """Return the share of each ranking in the picture's fusion points, as in the search."""
        side = fit.side
        if side.words is None:
            return ()
        lists, _ = hybrid.rankings(side, side.nearest(max(depth, CANDIDATES)), max(depth, hybrid.DEEP))
        places = {source: ranked.index(hit.content) + 1 for source, ranked in lists.items() if hit.content in ranked}
        points = {source: WEIGHTS[source] / (RANK + place) for source, place in places.items()}
        matched = {Source.WORDS: self._words(fit), Source.CAPTIONS: self._caption(fit)}
        return tuple(
            SourceShare(str(source), place, points[source] / sum(points.values()), matched.get(source, ()))
            for source, place in places.items()
        )

    def _words(self, fit: Fit) -> tuple[str, ...]:
        with self.searcher.holdings.reading() as catalog:
            found = Words(catalog.connection).matched(fit.side.said, fit.item.content)
        return tuple(f"{COLUMNS[column]}: {line}" for column, line in found)

    def _caption(self, fit: Fit) -> tuple[str, ...]:
        """Return the picture's text that is nearest to the query in meaning; empty if there is none."""
        holdings = self.searcher.holdings
        with holdings.reading() as catalog:
            own = [text for _, text in catalog.pairs_of([fit.item.content])]
            texts = catalog.texts(own)
        ids, rows = holdings.vectors_of(Kind.TEXT, own)
        if fit.side.words is None or not len(ids):
            return ()
        return (f"caption: {texts[int(ids[int(np.argmax(rows @ fit.side.words[0]))])]}",)

    def _heat(self, fit: Fit, item: Item) -> Heat:
        encoder = self.searcher.encoder(fit.space)
        wanted = fit.side.words if fit.side.words is not None else fit.side.vector
        if wanted is None:
            raise UsageError("the query has filters alone: there is nothing to look for in the picture")
        if not isinstance(encoder, Grids):
            raise UsageError(f"{fit.space.model} has no features for parts of a picture")
        picture = pictures.load(item.path, encoder.least, self.searcher.max_megapixels, item.second)
        found: Heat = (encoder.grid(picture.image) @ wanted[0]).astype(np.float32)
        return found

    def _seen(self, told: Why, fit: Fit, item: Item) -> Why:
        """Return the explanation with the model's verdict and boxes, as far as the model can give them."""
        model, wanted = self.model, fit.asked.words
        if model is None or not wanted:
            return told
        image = pictures.load(item.path, SEEN, self.searcher.max_megapixels, item.second).image
        if Ability.JUDGE in model.abilities:
            told = replace(told, verdict=model.judge(wanted, [image])[0])
        if Ability.GROUND in model.abilities:
            return replace(told, boxes=tuple(model.ground(image, wanted)))
        return replace(told, notes=(*told.notes, f"{model.name} draws no boxes (see `retrieval vlms`)"))
