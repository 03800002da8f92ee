"""What the texts of pictures say for a query: captions, metadata, names of files and folders, text in the picture.

Each picture gets a log-likelihood ratio: positive where its texts have terms of the query that are rare in this
library, negative where people described it in other words. docs/ranking.md has the rule and its measurement. Does not
know pixels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import PurePath
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..storage.catalog.annotations import CAPTIONS_BY_MODELS
from ..storage.catalog.dialects import TermPlace
from ..storage.catalog.full_text import COLUMNS, terms
from ..types.records import Kind
from ..vectors import Where

if TYPE_CHECKING:
    from ..storage.catalog import CatalogSession
    from ..storage.catalog.captions import CaptionCounts
    from ..storage.storage import Storage
    from .branches import Branch

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.int64]

COMMON = 20_000  # pictures with a term from which it is looked up in the candidates only, not a source of them
DEEP = 200  # candidates from texts, and nearest texts that are compared, at least
ALIKE = 5.0  # z-score of a caption from which it speaks for its picture
LISTED = 3.0  # z-score of a caption from which its picture counts as found by it
PER_Z = 0.75  # nats for each standard deviation above `ALIKE`, if pictures have one caption; see `_FullText.per_z`
MOST_CERTAIN = 0.65  # chance that one of several captions has a term, at most
SEVERAL = 15.0  # nats for a text that has all of several terms, or a number: no chance, and not what pixels show
RARE = 0.25  # of the pictures whose texts have every term, for these to be likely hits at least
FEW, MANY = 10, 2  # a text with every term has full weight if one picture in ten has one; none if one in two has


class Source(StrEnum):
    """What a hit may be found by."""

    PIXELS = "pixels"  # the picture's embedding
    CAPTIONS = "captions"  # the embeddings of captions that people wrote
    WORDS = "words"  # full text of its captions, metadata, names and the text it shows


@dataclass(frozen=True)
class Column:
    """How much the texts of one column say; the numbers were chosen on Flickr8k (docs/ranking.md)."""

    name: str  # as an answer says it: "by its folder"
    chance: float  # that such a text of the picture that is meant has a term of the query
    weight: float = 1.0
    whole: float = 0.0  # nats for a text that has every term, if that is one word
    partly: float = 1.0  # the power of the share of the query's terms that a picture's texts have, by which terms count
    describes: bool = False  # whether a term that is missing speaks against the picture
    by_people: bool = True


RULES = {
    "captions": Column("caption", 0.34, 0.6, describes=True),  # for one caption; see `_FullText.chance`
    "told": Column("caption by a model", 0.2, 0.3, describes=True, by_people=False),
    "about": Column("metadata", 0.5, whole=9.0, partly=0.0),
    "names": Column("name", 0.05, whole=3.0),
    "folders": Column("folder", 0.3, whole=9.0, partly=0.5),
    "written": Column("text", 0.05, whole=3.0),
}


@dataclass(frozen=True)
class Evidence:
    """What the texts of one picture say."""

    nats: float = 0.0  # log-likelihood ratio
    words: float = 0.0  # of it, from full text
    share: float = 0.0  # of the query's terms, how many its texts have
    whole: bool = False  # whether texts that people or files wrote have every term
    rare: bool = False  # whether few enough pictures have such a text, so that this is no chance
    by: str = ""  # the name of the column that says most; empty if none speaks for the picture
    z: float = -np.inf  # z-score of its caption that is nearest to the query in meaning

    @property
    def half(self) -> bool:
        """Whether its texts have half of the terms."""
        return self.share >= 0.5

    @property
    def sources(self) -> tuple[Source, ...]:
        """By which kinds of text it was found."""
        found = {Source.CAPTIONS: self.z >= LISTED, Source.WORDS: self.half}
        return tuple(source for source, yes in found.items() if yes)


NONE = Evidence()


def gather(branch: Branch, nearest: Sequence[int], count: int) -> dict[int, Evidence]:
    """Return the evidence for the nearest pictures, and for the `count` that texts speak for most."""
    file = named_file(branch.text)
    wanted = terms(branch.text if file is None else file.stem)  # the ending is not indexed
    with branch.storage.read() as catalog:
        captioned = branch.storage.once("captioned", catalog.captions.captioned)
        models_help = captioned.models > 0 and captions_by_models_help(branch.storage, catalog)
        alike, beyond = _alike(branch, catalog, max(count, DEEP)) if captioned.people else ({}, -np.inf)
        used = [column for column in RULES if models_help or RULES[column].by_people]
        full = _FullText.read(catalog, wanted, used, captioned, branch.storage.vectors.count(Kind.PICTURE))
        found = full.best(branch, max(count, DEEP))
        contents = np.array(list(dict.fromkeys((*nearest, *found, *alike))), np.int64)
        people, models = catalog.captions.authors(contents.tolist())
        full.look_up(catalog, contents)
    described = {"captions": _among(contents, people)}
    if models_help:
        described["told"] = _among(contents, models)
    nats, share, whole, by = full.score(contents, described)
    rare = whole & (full.together <= RARE * branch.storage.vectors.count(Kind.PICTURE))
    z = np.array([alike.get(each, beyond if each in people else -np.inf) for each in contents.tolist()])
    total = nats + np.where(described["captions"] & np.isfinite(z), full.per_z * (z - ALIKE), 0.0)
    by = [RULES["captions"].name if z[n] > ALIKE and not by[n] else by[n] for n in range(len(contents))]
    columns = (each.tolist() for each in (total, nats, share, whole, rare))
    rows = zip(*columns, by, z.tolist(), strict=True)
    return {content: Evidence(*row) for content, row in zip(contents.tolist(), rows, strict=True)}


def captions_by_models_help(storage: Storage, catalog: CatalogSession) -> bool:
    """Return whether captions by models were measured to improve the order of this library's hits."""
    number, _ = storage.active_space()
    trial = catalog.annotations.trial(number, CAPTIONS_BY_MODELS)
    return trial is not None and trial[0].low > 0


def nats_of_models(catalog: CatalogSession, text: str, contents: Numbers, size: int) -> Floats:
    """Return what captions by models alone say for each picture, (n,), in a library of `size` pictures."""
    captioned = catalog.captions.captioned()
    full = _FullText.read(catalog, terms(text), ["told"], captioned, size)
    _, models = catalog.captions.authors(contents.tolist())
    full.look_up(catalog, contents)
    return full.score(contents, {"told": _among(contents, models)})[0]


def _alike(branch: Branch, catalog: CatalogSession, count: int) -> tuple[dict[int, float], float]:
    """Return the pictures of the texts by people nearest to the query, each with its best z-score, and the bound below.

    The z-score is that of the cosine against the anchor texts' cosines with the query.
    """
    anchors = branch.calibration.anchors() if branch.words is not None else None
    if anchors is None or branch.words is None:
        return {}, -np.inf
    mean, std = anchors.scale(branch.words)
    scores, texts = branch.storage.vectors.nearest(Kind.TEXT, branch.words, count)
    z = (scores[0][texts[0] >= 0] - mean[0]) / std[0]
    owners = catalog.captions.pictures_of(texts[0][texts[0] >= 0].tolist(), by_people=True)
    found: dict[int, float] = {}
    for text, height in zip(texts[0].tolist(), z.tolist(), strict=False):
        for picture in owners.get(text, ()):
            if branch.passing is None or picture in branch.passing:
                found.setdefault(picture, height)
    return found, min(float(z[-1]), ALIKE) if len(z) else -np.inf


@dataclass
class _FullText:
    """Which pictures have which terms of a query, by column."""

    terms: Sequence[str]
    counts: Mapping[TermPlace, int]
    totals: Mapping[str, int]  # how many pictures have a text in a column, or could have one
    per_picture: float = 1.0  # captions by people, of a picture that has one
    holders: dict[TermPlace, Numbers] = field(default_factory=dict)  # sorted

    @classmethod
    def read(
        cls, catalog: CatalogSession, wanted: Sequence[str], columns: Sequence[str], captioned: CaptionCounts, size: int
    ) -> _FullText:
        """Read which of some columns have the terms, in a library of `size` pictures."""
        counts = {place: n for place, n in catalog.full_text.counts(wanted).items() if place.column in columns}
        totals = dict.fromkeys(COLUMNS, size)
        totals |= {"captions": captioned.people, "told": captioned.models}
        found = cls(wanted, counts, totals, max(captioned.per_picture, 1.0))
        found._read(catalog, [place for place, count in counts.items() if count <= COMMON], None)
        return found

    @property
    def together(self) -> int:
        """At most how many pictures have every term in texts that people or files wrote."""
        columns = [column for column, rule in RULES.items() if rule.by_people]
        return min((sum(self.counts.get(TermPlace(c, term), 0) for c in columns) for term in self.terms), default=0)

    @property
    def per_z(self) -> float:
        """The nats for each standard deviation of the nearest of several captions."""
        return float(PER_Z * np.sqrt(self.per_picture))

    def _chance(self, column: str) -> float:
        """Return the chance that the right picture's texts in a column have a term: higher with several captions."""
        chance = RULES[column].chance
        return min(chance * float(np.sqrt(self.per_picture)), MOST_CERTAIN) if column == "captions" else chance

    def look_up(self, catalog: CatalogSession, contents: Numbers) -> None:
        """Read which of these pictures have the common terms, too."""
        self._read(catalog, [place for place in self.counts if place not in self.holders], contents.tolist())

    def _read(self, catalog: CatalogSession, places: Sequence[TermPlace], among: Sequence[int] | None) -> None:
        rows = catalog.full_text.holders(places, among)
        self.holders |= {place: np.array(sorted(some), np.int64) for place, some in rows.items()}

    def best(self, branch: Branch, count: int) -> list[int]:
        """Return the pictures that full text speaks for most, of those that pass; ties are broken by pixels."""
        if not self.holders:
            return []
        contents = np.unique(np.concatenate(list(self.holders.values())))
        if branch.passing is not None:
            contents = contents[np.isin(contents, np.fromiter(branch.passing, np.int64, len(branch.passing)))]
        if len(contents) <= count:
            return [int(each) for each in contents]
        nats = self.score(contents, {})[0]
        bar = np.partition(nats, -count)[-count]
        above, level = contents[nats > bar], contents[nats == bar]
        if branch.vector is None:
            return [*above.tolist(), *level[: count - len(above)].tolist()]
        _, ids = branch.storage.vectors.nearest(branch.kind, branch.vector, count - len(above), Where(level))
        return [*above.tolist(), *ids[0][ids[0] >= 0].tolist()]

    def score(self, contents: Numbers, described: Mapping[str, Bools]) -> tuple[Floats, Floats, Bools, list[str]]:
        """Return the nats, the share of terms that people or files wrote, whether it is all, and what says most.

        `described` says which of the pictures have a text in a column in which missing terms count.
        """
        size, most = len(contents), len(self.terms)
        has = {
            column: np.stack([self._has(TermPlace(column, term), contents) for term in self.terms])
            for column in {place.column for place in self.counts}
        }
        if not has:
            nats = sum((self._missing(column, some) for column, some in described.items()), np.zeros(size))
            return nats, np.zeros(size), np.zeros(size, bool), [""] * size
        share = np.any(list(has.values()), axis=0).mean(axis=0)
        of_people = [rows for column, rows in has.items() if RULES[column].by_people]
        written: Bools = np.any(of_people, axis=0) if of_people else np.zeros((most, size), bool)
        whole: Bools = np.logical_and.reduce(written, axis=0)
        gains = {column: self._gains(column, rows, share) for column, rows in has.items()}
        nats = sum(gains.values(), np.zeros(size))
        for column, some in described.items():
            nats += self._missing(column, some, has.get(column))
        names, values = list(gains), np.stack(list(gains.values()))
        first = values.argmax(axis=0)
        by = [RULES[names[row]].name if values[row, n] > 0 else "" for n, row in enumerate(first.tolist())]
        known: Floats = written.mean(axis=0) * (most > 0)
        return nats, known, whole, by

    def _has(self, place: TermPlace, contents: Numbers) -> Bools:
        return _among(contents, self.holders[place]) if place in self.holders else np.zeros(len(contents), bool)

    def _gains(self, column: str, has: Bools, share: Floats) -> Floats:
        """Return what the terms that texts of a column have say for each picture, (n,).

        A term counts log(p / q + 1 - p) nats, as in Hiemstra's language model (1998), where q is the share of pictures
        with it; in columns that do not describe the picture, less where the query has other terms, too.
        """
        rule, size, chance = RULES[column], self.totals[column] + 1, self._chance(column)
        held = np.array([self.counts.get(TermPlace(column, term), 0) for term in self.terms])
        gains: Floats = rule.weight * (has * np.log(chance * size / (held + 0.5) + 1 - chance)[:, None]).sum(axis=0)
        if rule.describes:
            return gains
        every, whole = has.all(axis=0), rule.whole if _one_word(self.terms) else SEVERAL
        having = min(held.min(), self.totals[column]) + 0.5
        rarity = np.clip(np.log(size / having / MANY) / np.log(FEW / MANY), 0.0, 1.0)
        found: Floats = gains * share**rule.partly + every * whole * rarity**2
        return found

    def _missing(self, column: str, described: Bools, has: Bools | None = None) -> Floats:
        """Return what the terms that the descriptions lack say against each picture, (n,)."""
        rule = RULES[column]
        lacking = len(self.terms) - (0 if has is None else has.sum(axis=0))
        against: Floats = described * lacking * rule.weight * np.log(1 - self._chance(column))
        return against


def _one_word(wanted: Sequence[str]) -> bool:
    return len(wanted) == 1 and not any(sign.isdigit() for sign in wanted[0])


def _among(contents: Numbers, some: Numbers | set[int]) -> Bools:
    return np.isin(contents, some if isinstance(some, np.ndarray) else np.array(sorted(some), np.int64))


def named_file(text: str) -> PurePath | None:
    """Return the picture file that a query is the name of; None if it is not one."""
    name = PurePath(text.strip())
    if not name.suffix:
        return None
    from ..sources.rules import EXTENSIONS  # loads what reads patterns, which most queries do not need

    return name if name.suffix.lower() in EXTENSIONS else None
