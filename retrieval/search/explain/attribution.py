"""How one picture fits a query: its best alternative, the checks of the filters, and the contribution of each part.

Does not know ranks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ...queries.expression import MINUS, Alternative, Expression, WeightedPiece, describe_piece
from ...types.explanations import FilterCheck, PartShare
from ...types.records import ByText, ByVector, Item, Kind, Space, Vectors
from ..branches import Branch
from ..query_embedding import QueryEmbedder
from ..searcher import Searcher
from .filter_checks import check_filter, conjuncts


@dataclass(frozen=True)
class Attribution:
    """A picture and the alternative of a query that it fits best."""

    searcher: Searcher
    space: Space
    item: Item
    row: Vectors  # (dimensions,)
    alternative: Alternative
    branch: Branch
    checks: tuple[FilterCheck, ...]

    @classmethod
    def best(cls, searcher: Searcher, query: Expression, items: Sequence[Item]) -> Attribution | None:
        """Return the best fit of these items, the files of one picture or the frames of a video.

        The fewest failed filters decide, then the highest z-score. None if no item has an embedding yet.
        """
        storage = searcher.storage
        _, space = storage.active_space()
        ids, rows = storage.vectors.get(Kind.PICTURE, list({item.content for item in items}))
        row_of = dict(zip(ids.tolist(), rows, strict=True))
        fits = []
        for alternative in query.alternatives if row_of else ():
            branch = searcher.branch(alternative, space, Kind.PICTURE)
            with storage.read() as catalog:
                for item in items:
                    if item.content in row_of:
                        checks = tuple(check_filter(catalog, part, item) for part in conjuncts(alternative.where))
                        fits.append(cls(searcher, space, item, row_of[item.content], alternative, branch, checks))
        return max(fits, key=lambda fit: (-sum(not each.passes for each in fit.checks), fit.stands_out()), default=None)

    def score(self) -> float | None:
        """Return the cosine with the query; None for filters only."""
        return None if self.branch.vector is None else float(self.branch.vector[0] @ self.row)

    def stands_out(self) -> float:
        """Return the z-score of the cosine over the library's pictures; 0 for filters only."""
        score = self.score()
        return 0.0 if score is None else self.branch.z_score(score)

    def above_neutral(self) -> float | None:
        """Return the z-score of the wanted text's cosine against the anchor texts' cosines with the picture.

        None without a wanted text or without anchor texts.
        """
        bank = self.searcher.calibration.anchors()
        if bank is None or self.branch.words is None:
            return None
        mean, spread = bank.scale(self.row[None])
        return float((self.row @ self.branch.words[0] - mean[0]) / spread[0])

    def parts(self) -> tuple[PartShare, ...]:
        """Return the contribution of each word and other part: the fall of the z-score without it (leave-one-out)."""
        if self.branch.vector is None:
            return ()
        names = [describe_piece(part.piece) for part in self.alternative.pieces]
        whole = self.stands_out()
        found = [(label, whole - self._stands_out(rest)) for label, rest in _without_each(self._fixed(), names)]
        total = sum(max(drop, 0.0) for _, drop in found) or 1.0
        return tuple(PartShare(label, drop, max(drop, 0.0) / total) for label, drop in found)

    def _stands_out(self, alternative: Alternative) -> float:
        """Return the z-score for another alternative; 0 if it has no pieces."""
        if not alternative.pieces:
            return 0.0
        branch = replace(self.branch, vector=self._understanding().meaning(alternative.pieces, Kind.PICTURE).vector)
        return replace(self, branch=branch).stands_out()

    def _understanding(self) -> QueryEmbedder:
        return QueryEmbedder(self.searcher.storage, self.space, self.searcher.encoder, self.searcher.max_megapixels)

    def _fixed(self) -> Alternative:
        """Return the alternative with all pieces but texts as vectors, so that each is encoded only once."""
        pieces = []
        for part in self.alternative.pieces:
            if not isinstance(part.piece, ByText):
                vector = self._understanding().meaning((WeightedPiece(part.piece),), Kind.PICTURE).vector[0]
                part = WeightedPiece(ByVector(vector), part.weight)
            pieces.append(part)
        return replace(self.alternative, pieces=tuple(pieces))


def _without_each(alternative: Alternative, names: Sequence[str]) -> Iterator[tuple[str, Alternative]]:
    """Yield each word or part, with its sign and weight, and the alternative without it."""
    for place, part in enumerate(alternative.pieces):
        others = (*alternative.pieces[:place], *alternative.pieces[place + 1 :])
        size = part.weight if part.weight > 0 else -part.weight / MINUS
        sign = ("" if part.weight > 0 else "-") + ("" if size == 1 or part.feedback else f"{size:g}:")
        words = part.piece.text.split() if isinstance(part.piece, ByText) else []
        if len(words) < 2:
            yield sign + names[place], replace(alternative, pieces=others)
        for number, word in enumerate(words if len(words) > 1 else ()):
            text = " ".join((*words[:number], *words[number + 1 :]))
            pieces = (*alternative.pieces[:place], replace(part, piece=ByText(text)), *alternative.pieces[place + 1 :])
            yield sign + word, replace(alternative, pieces=pieces)


def without_a_word(alternative: Alternative) -> Iterator[tuple[str, Alternative]]:
    """Return each word or part, and the alternative without it, as long as a wanted piece is left."""
    names = [describe_piece(part.piece) for part in alternative.pieces]
    return (
        (label, rest)
        for label, rest in _without_each(alternative, names)
        if any(part.weight > 0 for part in rest.pieces)
    )
