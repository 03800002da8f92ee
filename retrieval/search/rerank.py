"""Reranking: a vision-language model checks the encoder's best hits, most promising first, until the top is settled.

Combines both scores and decides when to stop; does not know how either score is formed. Verdicts are stored in the
catalog and never requested twice.
"""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from .. import pictures
from ..errors import LibraryLocked, LibraryReadOnly, PictureError, RetrievalError, UsageError
from ..queries.counts_and_negations import CountedQuery, Fact, split_query, unwanted
from ..queries.expression import Expression
from ..runtime.timing import span
from ..storage.storage import Storage
from ..types.records import Answer, Budget, Hit, Judgement, Progress, VisionFeatures, no_progress
from ..types.request import SearchRequest
from ..vlm import IMAGE_SIZE, Ability, SupportsVisionCache, VisionLanguageModel
from .evidence import Source
from .searcher import Searcher

if TYPE_CHECKING:
    from PIL.Image import Image

BATCH = 8  # pictures judged between two checks of the time limit
ENOUGH = 8  # verdicts from which their spread is meaningful
SAME = 0.02  # standard deviation of the log-odds below which verdicts carry no information
SURE = 6.0  # bound to which log-odds are clipped
USUAL = 2.0  # prior standard deviation of the log-odds; it weighs as much as four verdicts
OVERRULES_NOTHING = 1.0  # an opinion above this overrules the encoder's "nothing here looks like that"
HOPE = 1.5  # standard deviations above the mean that an unchecked picture may still reach

CAPTIONED = (  # 143 captions of Flickr8k dev, the other four stored: R@1 53.1, with the built-in model 44.1
    "the vision-language model is left off: nearly every picture has captions, which order the hits better; --anyway "
    "lets it have its say"
)

Floats = npt.NDArray[np.float64]
Seen = TypeVar("Seen")  # a picture, or its vision features
Asking: TypeAlias = Callable[[str, Sequence[Seen]], list[Judgement]]


@dataclass(frozen=True)
class Reranker:
    """Reorders answers to text queries.

    The joint score is z(cosine) + weight * mass * log-odds, with z over the hits that are reranked. Their cosines are
    taken in descending order, so that a hit that full text put first has the highest one. The weight, the only
    parameter, belongs to the model and is fitted by `retrieval eval --rerank`. Stopping is that of top-k by upper
    bounds: an unchecked picture is given the mean verdict plus `HOPE` standard deviations, and checking ends once none
    can reach the top k. Where captions found most hits, only queries with counts or negations are reranked.

    Counts and negations are asked one by one, if the model can answer such questions; the log-odds of all parts add up.
    The verdict on each part is stored by its words, so that other queries with the same part reuse it.
    """

    storage: Storage
    model: VisionLanguageModel
    max_megapixels: float = 250.0
    progress: Callable[[Progress], None] = no_progress

    def search(self, searcher: Searcher, query: Expression, request: SearchRequest, budget: Budget) -> Answer:
        """Return the encoder's hits, reordered by the model's verdicts on the whole query, with counts and negations.

        Raises:
            UsageError: the query has no words that a picture could be checked against.
        """
        useless = None if budget.anyway else self._useless()
        if useless:
            answer = searcher.search(query, request)
            return replace(answer, notes=(*answer.notes, useless))
        if not query.words:
            raise UsageError("--rerank checks pictures against words; the query has none")
        counted = split_query(query.words)
        counted = replace(counted, facts=counted.facts + tuple(unwanted(phrase) for phrase in query.unwanted))
        deeper = replace(request, k=max(request.k, budget.depth))
        answer = searcher.search(query.reworded(counted.text), deeper)
        captioned = sum(Source.CAPTIONS in hit.sources for hit in answer.hits)
        if not (budget.anyway or counted.facts) and 2 * captioned > len(answer.hits):
            return replace(answer, query=query.text, hits=answer.hits[: request.k], notes=(*answer.notes, CAPTIONED))
        ordered = self.rerank(counted, answer, request.k, budget)
        seen = any(hit.verdict and weighted_log_odds(hit.verdict) > OVERRULES_NOTHING for hit in ordered.hits)
        return replace(ordered, query=query.text, nothing=ordered.nothing and not seen)

    def _useless(self) -> str | None:
        """Return a note if this model was measured not to help in this library, else None."""
        number, _ = self.storage.active_space()
        with self.storage.read() as catalog:
            trial = catalog.annotations.trial(number, self.model.identity)
        if trial is None or trial[0].points > 0:
            return None
        gain, captions = trial
        return (
            f"{self.model.name} is left off: on {captions} captions of this library it changed the mean reciprocal "
            f"rank by {gain.points:.1f} points ({gain.low:.1f} to {gain.high:.1f}); --anyway lets it have its say"
        )

    def rerank(self, counted: CountedQuery, answer: Answer, k: int, budget: Budget) -> Answer:
        """Return the best k hits by the joint score; if the model fails, the encoder's order with a note."""
        started = time.perf_counter()
        able = self.model.abilities
        facts = [fact for fact in counted.facts if (Ability.COUNT if fact.wanted else Ability.ANSWER) in able]
        task = _Task(self, counted.text, facts, answer, k, budget, started)
        if facts:
            task.notes.append(f"understood: {counted.text}; {'; '.join(map(str, facts))}")
        try:
            with span("rerank"):
                task.run()
        except RetrievalError as exc:
            task.notes.append(f"{self.model.name} failed ({exc}); this is the encoder's order")
        found = task.found()
        if task.indifferent():
            task.notes.append("its verdicts do not differ from picture to picture; this is the encoder's order")
        checked = f"checked {len(task.verdicts)} of {len(answer.hits)} with {self.model.name}"
        return replace(found, notes=(*answer.notes, checked, *task.notes))


@dataclass
class _Task:
    """The state of one rerank."""

    reranker: Reranker
    text: str
    facts: Sequence[Fact]
    answer: Answer
    k: int
    budget: Budget
    started: float
    verdicts: dict[int, Judgement] = field(default_factory=dict)  # verdicts on the whole query, by content
    parts: dict[str, dict[int, Judgement]] = field(default_factory=dict)
    new: dict[str, dict[int, Judgement]] = field(default_factory=lambda: defaultdict(dict))
    looks: dict[int, VisionFeatures] = field(default_factory=dict)  # vision features computed now, to be stored
    lost: set[int] = field(default_factory=set)  # pictures that can no longer be read
    notes: list[str] = field(default_factory=list)

    @property
    def hits(self) -> Sequence[Hit]:
        """The encoder's hits."""
        return self.answer.hits

    def found(self) -> Answer:
        """Return the best k hits in the order known so far; it has as many strong and likely ones as before, first."""
        bands = sorted((hit.band for hit in self.hits), key=lambda band: band.rank)
        hits = [
            replace(
                hit, rank=rank, verdict=self.verdicts.get(hit.content), band=band, by=hit.by if band is hit.band else ""
            )
            for rank, (place, band) in enumerate(zip(self.order()[: self.k], bands, strict=False), start=1)
            for hit in (self.hits[place],)
        ]
        return replace(self.answer, hits=tuple(hits), seconds=self.answer.seconds + time.perf_counter() - self.started)

    def run(self) -> None:
        """Check hits until the top k are settled, the budget is spent or every hit is checked."""
        storage, model = self.reranker.storage, self.reranker.model
        contents = [hit.content for hit in self.hits]
        with storage.read() as catalog:
            said = catalog.annotations
            self.parts = {part: said.judgements(part, model.identity, contents) for part in self.questions}
        self._join(contents)
        try:
            while batch := self._next():
                before = time.perf_counter()
                self._ask(batch)
                self._join([hit.content for hit in batch])
                self.reranker.progress(Progress("checked", len(self.verdicts), len(self.hits), self.found()))
                taken = time.perf_counter() - before
                spent = time.perf_counter() - self.started
                if self.budget.seconds is not None and spent + taken > self.budget.seconds:
                    break
        finally:
            self._keep()

    @property
    def questions(self) -> tuple[str, ...]:
        """The query's text, then the questions for its facts, as asked and stored."""
        return (self.text, *(fact.question for fact in self.facts))

    def _join(self, contents: Iterable[int]) -> None:
        """Combine the verdicts on each content of which all parts are judged."""
        wanted = (True, *(fact.wanted for fact in self.facts))
        for content in contents:
            found = [self.parts[part].get(content) for part in self.questions]
            whole = [verdict for verdict in found if verdict is not None]
            if len(whole) == len(found):
                self.verdicts[content] = combined_verdict(whole, wanted)

    def _next(self) -> list[Hit]:
        """Return the most promising unchecked hits; none once they cannot reach the top k."""
        hopes = self._scores(HOPE)
        fused = self._scores(0.0)
        checked = sorted((fused[i] for i, hit in enumerate(self.hits) if hit.content in self.verdicts), reverse=True)
        bar = checked[self.k - 1] if len(checked) >= self.k else -math.inf
        left = [i for i, hit in enumerate(self.hits) if hit.content not in self.verdicts | dict.fromkeys(self.lost)]
        promising = sorted((i for i in left if hopes[i] > bar), key=lambda i: -hopes[i])
        return [self.hits[i] for i in promising[:BATCH]]

    def _scores(self, hope: float) -> Floats:
        """Return the joint score of each hit, (n,); unchecked ones get the mean opinion plus `hope` times its std."""
        opinions = self._opinions()
        said = opinions[~np.isnan(opinions)]
        mean = float(said.mean()) if len(said) else 0.0
        spread = math.sqrt((len(said) * float(said.var() if len(said) else 0) + 4 * USUAL**2) / (len(said) + 4))
        filled = np.where(np.isnan(opinions), mean + hope * spread, opinions)
        return joint_scores(self._bases(), filled, self.reranker.model.weight)

    def _bases(self) -> Floats:
        """Return the hits' cosines in descending order, (n,); text rankings may have put the hits in another order."""
        return np.sort([hit.score or 0.0 for hit in self.hits])[::-1]

    def _opinions(self) -> Floats:
        """Return the opinion on each hit, (n,); NaN for unchecked ones."""
        return np.array([weighted_log_odds(self.verdicts.get(hit.content)) for hit in self.hits])

    def _ask(self, batch: Sequence[Hit]) -> None:
        """Get the missing verdicts on a batch, for each part of the query."""
        model = self.reranker.model
        if isinstance(model, SupportsVisionCache):
            self._fill(self._looks(model, batch), model.judge_features, model.verify_features)
        else:
            self._fill(dict(self._open(batch)), model.judge, model.verify)

    def _fill(self, shown: Mapping[int, Seen], judge: Asking[Seen], verify: Asking[Seen]) -> None:
        for part in self.questions:
            lacking = [content for content in shown if content not in self.parts[part]]
            if lacking:
                ask = judge if part == self.text else verify
                found = dict(zip(lacking, ask(part, [shown[content] for content in lacking]), strict=True))
                self.parts[part] |= found
                self.new[part] |= found

    def _looks(self, model: SupportsVisionCache, batch: Sequence[Hit]) -> dict[int, VisionFeatures]:
        """Return the vision features of each picture, by content: from the catalog if stored there, else computed."""
        name = self.reranker.model.identity
        with self.reranker.storage.read() as catalog:
            known = catalog.annotations.vision_features(name, [hit.content for hit in batch])
        shown = self._open([hit for hit in batch if hit.content not in known])
        new = zip(shown, model.vision_features([image for _, image in shown]), strict=True)
        self.looks |= (fresh := {content: look for (content, _), look in new})
        return known | fresh

    def _open(self, batch: Sequence[Hit]) -> list[tuple[int, Image]]:
        """Return (content, picture) for the pictures that can still be read."""
        shown: list[tuple[int, Image]] = []
        for hit in batch:
            try:
                assert hit.path is not None  # hits of pictures have a path
                found = pictures.load(hit.path, IMAGE_SIZE, self.reranker.max_megapixels, hit.second)
                shown.append((hit.content, found.image))
            except PictureError as exc:
                self.lost.add(hit.content)
                self.notes.append(f"{hit.path} could not be checked: {exc}")
        return shown

    def _keep(self) -> None:
        if not any(self.new.values()) and not self.looks:
            return
        storage = self.reranker.storage
        try:
            with storage.small_write() as catalog:
                said, name = catalog.annotations, self.reranker.model.identity
                for part, found in self.new.items():
                    said.put_judgements(part, name, found)
                said.put_vision_features(name, self.looks)
        except (LibraryLocked, LibraryReadOnly) as exc:
            self.notes.append(f"the verdicts are not kept: {exc}")

    def order(self) -> list[int]:
        """Return the positions of the hits, best first."""
        if self.indifferent() or np.isnan(self._opinions()).all():
            return list(range(len(self.hits)))
        return [int(i) for i in np.argsort(-self._scores(0.0), kind="stable")]

    def indifferent(self) -> bool:
        """Return whether the verdicts carry no information because all are nearly the same."""
        said = [value for value in self._opinions().tolist() if not math.isnan(value)]
        return len(said) >= ENOUGH and float(np.std(said)) < SAME


def joint_scores(cosines: Floats, opinions: Floats, weight: float) -> Floats:
    """Return the joint score of each query's candidates, (..., candidates); see `Reranker`."""
    spread = np.maximum(cosines.std(axis=-1, keepdims=True), 1e-6)
    scores: Floats = (cosines - cosines.mean(axis=-1, keepdims=True)) / spread + weight * opinions
    return scores


def combined_verdict(verdicts: Sequence[Judgement], wanted: Sequence[bool]) -> Judgement:
    """Combine the verdicts on a query's parts into one: opinions add up, those on unwanted parts with reversed sign."""
    if len(verdicts) == 1:
        return verdicts[0]
    total = sum(
        weighted_log_odds(verdict) * (1 if want else -1) for verdict, want in zip(verdicts, wanted, strict=True)
    )
    return Judgement(1 / (1 + math.exp(-total)))


def weighted_log_odds(verdict: Judgement | None) -> float:
    """Return the clipped log-odds of a verdict times its mass; NaN without a verdict."""
    if verdict is None:
        return math.nan
    yes = min(max(verdict.yes, 1e-6), 1 - 1e-6)
    return verdict.mass * min(max(math.log(yes / (1 - yes)), -SURE), SURE)
