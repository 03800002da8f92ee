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
from ...encoders import SupportsPatchFeatures
from ...errors import UsageError
from ...queries.expression import Expression
from ...queries.render import render_expression
from ...types.explanations import Heat, ScoreReading, SourceShare, Why
from ...types.records import Hit, Item, Kind
from ...types.request import SearchRequest
from ...vlm import IMAGE_SIZE, Ability
from .. import confidence, hybrid
from ..evidence import NONE, Source, gather
from ..searcher import DEEPEST, Searcher
from .attribution import Attribution

if TYPE_CHECKING:
    from ...vlm import VisionLanguageModel

NOTHING = "nothing here looks like the query: `retrieval search` shows this only with --threshold none"
COLUMNS = {
    "captions": "caption",
    "told": "a model's caption",
    "about": "file",
    "names": "name",
    "folders": "folder",
    "written": "shown",
}


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
            answer, _ = self.searcher.answer(query, SearchRequest(k=depth))
            chosen = next((each for each in answer.hits if hit in (each.rank, each.path, *each.copies)), None)
            if chosen is not None:
                break
        if chosen is None or chosen.item is None:
            what = f"there is no hit {hit}" if isinstance(hit, int) else f"{hit} is not among the hits"
            raise UsageError(f"{what}: there are {len(answer.hits)}; `retrieval why-not` explains the others")
        with self.searcher.storage.read() as catalog:
            item = next(catalog.items.get([chosen.item]))
        fit = Attribution.best(self.searcher, query, [item])
        if fit is None:
            raise UsageError(f"{item.path} is not indexed with the present model yet; run `retrieval index`")
        explanation = Why(
            query=answer.query,
            path=item.path,
            item=item.id,
            rank=chosen.rank,
            searched=answer.searched,
            reading=ScoreReading(chosen.score, fit.above_neutral(), chosen.confidence, chosen.band, chosen.by),
            second=item.second,
            match=answer.match,
            understood=render_expression(replace(query, alternatives=(fit.alternative,))),
            parts=fit.parts(),
            sources=self._sources(fit, chosen, depth),
            filters=fit.checks,
            notes=(*answer.notes, *([NOTHING] if answer.nothing else [])),
        )
        if heat:
            explanation = replace(explanation, heat=self._heat(fit, item))
        return self._seen(explanation, fit, item) if self.model is not None else explanation

    def _sources(self, fit: Attribution, hit: Hit, depth: int) -> tuple[SourceShare, ...]:
        """Return the share of pixels and of each kind of text in the picture's fit, as in the search."""
        branch = fit.branch
        if branch.words is None or hit.score is None:
            return ()
        nearest = branch.nearest(max(depth, CANDIDATES))
        match = confidence.match(branch) if nearest else None
        texts = gather(branch, [each.content for each in nearest], depth)
        said = texts.get(hit.content, NONE)
        above = max(hit.score - branch.mean, 0.0) / hybrid.nat(branch, match)
        pixels = 0.0 if match is not None and match.nothing and said.half else above
        nats = {Source.PIXELS: pixels, Source.CAPTIONS: said.nats - said.words, Source.WORDS: said.words}
        total = sum(max(each, 0.0) for each in nats.values()) or 1.0
        places = [each.content for each in nearest]
        ranks = {
            Source.PIXELS: places.index(hit.content) + 1 if hit.content in places else len(places) + 1,
            Source.CAPTIONS: 1 + sum(each.nats - each.words > said.nats - said.words for each in texts.values()),
            Source.WORDS: 1 + sum(each.words > said.words for each in texts.values()),
        }
        matched = {Source.WORDS: self._words(fit), Source.CAPTIONS: self._caption(fit)}
        return tuple(
            SourceShare(str(source), ranks[source], max(value, 0.0) / total, matched.get(source, ()))
            for source, value in nats.items()
            if source in (Source.PIXELS, *said.sources)
        )

    def _words(self, fit: Attribution) -> tuple[str, ...]:
        with self.searcher.storage.read() as catalog:
            found = catalog.full_text.matched(fit.branch.text, fit.item.content)
        return tuple(f"{COLUMNS[column]}: {line}" for column, line in found)

    def _caption(self, fit: Attribution) -> tuple[str, ...]:
        """Return the picture's text that is nearest to the query in meaning; empty if there is none."""
        storage = self.searcher.storage
        with storage.read() as catalog:
            own = [text for _, text in catalog.captions.pairs_of([fit.item.content])]
            texts = catalog.contents.texts(own)
        ids, rows = storage.vectors.get(Kind.TEXT, own)
        if fit.branch.words is None or not len(ids):
            return ()
        return (f"caption: {texts[int(ids[int(np.argmax(rows @ fit.branch.words[0]))])]}",)

    def _heat(self, fit: Attribution, item: Item) -> Heat:
        encoder = self.searcher.encoder(fit.space)
        wanted = fit.branch.words if fit.branch.words is not None else fit.branch.vector
        if wanted is None:
            raise UsageError("the query has filters alone: there is nothing to look for in the picture")
        if not isinstance(encoder, SupportsPatchFeatures):
            raise UsageError(f"{fit.space.model} has no features for parts of a picture")
        picture = pictures.load(item.path, encoder.image_size, self.searcher.max_megapixels, item.second)
        found: Heat = (encoder.patch_features(picture.image) @ wanted[0]).astype(np.float32)
        return found

    def _seen(self, explanation: Why, fit: Attribution, item: Item) -> Why:
        """Return the explanation with the model's verdict and boxes, as far as the model can give them."""
        model, wanted = self.model, fit.alternative.words
        if model is None or not wanted:
            return explanation
        image = pictures.load(item.path, IMAGE_SIZE, self.searcher.max_megapixels, item.second).image
        if Ability.JUDGE in model.abilities:
            explanation = replace(explanation, verdict=model.judge(wanted, [image])[0])
        if Ability.GROUND in model.abilities:
            return replace(explanation, boxes=tuple(model.ground(image, wanted)))
        return replace(explanation, notes=(*explanation.notes, f"{model.name} draws no boxes (see `retrieval vlms`)"))
