"""The read path on one screen: a query becomes a vector, the library's nearest contents become hits.

Knows the order of things; does not know how vectors are compared or who shows the answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .. import pictures
from ..encoders import Encoder
from ..errors import UsageError
from ..holdings import Holdings
from ..records import Answer, ByBytes, ByFile, ByItem, ByText, ByVector, Hit, Ids, Item, Kind, Query, Space, Vectors
from ..sources.folders import matches

LONGEST = 2000  # characters of a query that are read; every model reads far less


@dataclass(frozen=True)
class Searcher:
    """Answers queries from one library."""

    holdings: Holdings
    encoder: Callable[[Space], Encoder]  # gives the model of a space, loaded when first needed
    max_megapixels: float = 250.0

    def search(self, query: Query, k: int = 10, kind: Kind = Kind.PICTURE, within: tuple[str, ...] = ()) -> Answer:
        """The k best pictures (or texts) for a query; `within` keeps pictures whose path fits one of these globs.

        Raises:
            UsageError: an empty query, `k` below one, an item that is not there.
            PictureError: the query's picture cannot be used.
            LibraryNotFound: nothing has been indexed yet.
        """
        started = time.perf_counter()
        if k < 1:
            raise UsageError(f"k must be at least 1, got {k}")
        _, space = self.holdings.serving()
        vector, notes, itself = self._vector(query, space)
        allowed = self._allowed(within) if within else None
        total = self.holdings.count(kind) if allowed is None else len(allowed)
        wanted = k + (itself is not None)
        while True:  # once, but where several of the nearest are frames of one video
            scores, ids = self.holdings.nearest(kind, vector, min(wanted, max(total, 1)), allowed)
            found = [(float(s), int(i)) for s, i in zip(scores[0], ids[0], strict=True) if i >= 0 and i != itself]
            hits = self._pictures(found)[:k] if kind is Kind.PICTURE else self._texts(found)[:k]
            if len(hits) >= k or wanted >= total:
                break
            wanted *= 4
        if not total:
            notes = (*notes, _nothing(kind, bool(within)))
        return Answer(_words(query), hits, total, space.model, time.perf_counter() - started, notes)

    def _vector(self, query: Query, space: Space) -> tuple[Vectors, tuple[str, ...], int | None]:
        """The query's embedding (1, dimensions), what to say about it, and the content that it is itself."""
        match query:
            case ByText(text):
                if not text.strip():
                    raise UsageError('the query is empty; write what the picture shows, such as "a dog on the beach"')
                long = len(text) > LONGEST
                notes = (f"only the first {LONGEST} of {len(text)} characters were read",) if long else ()
                return self.encoder(space).texts([text[:LONGEST]]), notes, None
            case ByFile(path):
                return self._picture(pictures.read(path)[0], path.name, space), (), None
            case ByBytes(data):
                return self._picture(data, "", space), (), None
            case ByItem(number):
                return self._item(number)
            case ByVector(vector):
                return _checked(vector, space), (), None

    def _picture(self, data: bytes, name: str, space: Space) -> Vectors:
        encoder = self.encoder(space)
        picture = pictures.decode(data, name, encoder.least, self.max_megapixels)
        return encoder.images([encoder.prepare(picture.image)])

    def _item(self, number: int) -> tuple[Vectors, tuple[str, ...], int]:
        with self.holdings.reading() as catalog:
            item = next(catalog.items([number]), None)
        if item is None:
            raise UsageError(f"the library has no item {number}; the numbers stand in the answers of `search --json`")
        ids, vectors = self.holdings.vectors_of(Kind.PICTURE, [item.content])
        if not len(ids):
            raise UsageError(f"item {number} is not indexed with the present model yet; run `retrieval index`")
        return vectors, (), item.content

    def _allowed(self, globs: tuple[str, ...]) -> Ids:
        with self.holdings.reading() as catalog:
            chosen = {item.content for item in catalog.items() if matches(item.path, globs)}
        return np.array(sorted(chosen), np.int64)

    def _pictures(self, found: list[tuple[float, int]]) -> tuple[Hit, ...]:
        numbers = [content for _, content in found]
        with self.holdings.reading() as catalog:
            files, captions = catalog.items_holding(numbers), catalog.captions_of(numbers)
        hits: list[Hit] = []
        videos: set[Path] = set()  # each is one hit: its best frame
        for score, content in found:
            here: list[Item] = files.get(content, [])
            if here and here[0].path not in videos:  # none here: it was removed a moment ago
                text = next(iter(captions.get(content, [])), "")
                copies = tuple(item.path for item in here[1:])
                item, rank = here[0], len(hits) + 1
                hit = Hit(rank, score, Kind.PICTURE, content, item.path, copies, text, item.id, second=item.second)
                hits.append(hit)
                if item.second is not None:
                    videos.add(item.path)
        return tuple(hits)

    def _texts(self, found: list[tuple[float, int]]) -> tuple[Hit, ...]:
        numbers = [content for _, content in found]
        with self.holdings.reading() as catalog:
            words, owners = catalog.texts(numbers), catalog.pictures_of(numbers)
            files = catalog.items_holding({picture for each in owners.values() for picture in each})
        hits: list[Hit] = []
        for score, content in found:
            if content in words:
                here = [item.path for picture in owners.get(content, []) for item in files.get(picture, [])]
                path: Path | None = here[0] if here else None
                hit = Hit(len(hits) + 1, score, Kind.TEXT, content, path, tuple(here[1:]), words[content])
                hits.append(hit)
        return tuple(hits)


def _checked(vector: Vectors, space: Space) -> Vectors:
    row = np.asarray(vector, np.float32).reshape(1, -1)
    length = float(np.linalg.norm(row))
    if row.shape[1] != space.dimensions or not np.isfinite(length) or length == 0:
        raise UsageError(
            f"a query vector must have {space.dimensions} finite numbers, not all zero; got {row.shape[1]}"
        )
    return row / np.float32(length)


def _words(query: Query) -> str:
    match query:
        case ByText(text):
            return text
        case ByFile(path):
            return str(path)
        case ByItem(number):
            return f"item {number}"
        case ByBytes(data):
            return f"a picture of {len(data)} bytes"
        case _:
            return "a vector"


def _nothing(kind: Kind, filtered: bool) -> str:
    if filtered:
        return "no picture of the library fits --within"
    if kind is Kind.TEXT:
        return "the library has no texts; add some with `retrieval index --captions FILE`"
    return "the library has no pictures; add some with `retrieval index FOLDER`"
