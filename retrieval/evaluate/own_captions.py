"""Evaluation of a library on its own captions by people, with the stored embeddings: nothing is encoded again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import UsageError
from ..search.evidence import nats_of_models
from ..storage.storage import Storage
from ..types.records import Ids, Kind
from ..types.results import Gain
from .pairs import Pairs
from .recall import best_ranks
from .reranking import gain

MOST = 1000  # pictures in the sample, the same ones each time for the same library
LEAST = 20  # captions that a measurement needs
ASKED = 1000  # captions by people that captions by models are tried on


@dataclass(frozen=True)
class OwnPairs(Pairs):
    """Pairs of a library."""

    contents: Ids  # of the pictures, (pictures,)


def pairs_of(storage: Storage, most: int = MOST) -> OwnPairs:
    """Return up to `most` pictures of the library that have captions by people, with these captions.

    Raises:
        UsageError: fewer than `LEAST` such captions have embeddings.
    """
    with storage.read() as catalog:
        pairs = catalog.captions.pairs()
        files = catalog.items.holding({picture for picture, _ in pairs})
        words = catalog.contents.texts({text for _, text in pairs})
    paths: dict[int, Path] = {c: items[0].path for c, items in files.items() if items[0].second is None}
    shown, seen = storage.vectors.get(Kind.PICTURE, sorted(paths))
    if len(shown) > most:
        drawn = np.sort(np.random.default_rng(0).permutation(len(shown))[:most])
        shown, seen = shown[drawn], seen[drawn]
    row_of = {int(content): row for row, content in enumerate(shown)}
    told, spoken = storage.vectors.get(Kind.TEXT, sorted({text for picture, text in pairs if picture in row_of}))
    place_of = {int(content): row for row, content in enumerate(told)}
    chosen = [(p, t) for p, t in pairs if p in row_of and t in place_of]
    if len(chosen) < LEAST:
        raise UsageError(
            f"the library has {len(chosen)} captions by people and needs {LEAST} to be measured; add some with "
            "`retrieval index --captions FILE`, or name a caption file and --images"
        )
    return OwnPairs(
        contents=shown,
        pictures=[paths[int(content)] for content in shown],
        images=seen,
        captions=[words[text] for _, text in chosen],
        texts=spoken[[place_of[text] for _, text in chosen]],
        owner=np.array([row_of[picture] for picture, _ in chosen], np.int64),
        problems=(),
    )


def captions_by_models(storage: Storage, pairs: OwnPairs, unit: float) -> tuple[Gain, int] | None:
    """Return what captions by models add to mean reciprocal rank, and on how many of people's captions.

    Each of people's captions is a query, as if nobody had written any: the cosines alone, and with what the captions
    by models say, `unit` of a cosine for a nat. None if too few of the pictures have one.
    """
    cosines = pairs.texts @ pairs.images.T
    right, size = pairs.right, storage.vectors.count(Kind.PICTURE)
    with storage.read() as catalog:
        _, models = catalog.captions.authors(pairs.contents.tolist())
        asked = np.flatnonzero(np.isin(pairs.contents[pairs.owner], sorted(models)))[:ASKED]
        if len(asked) < LEAST:
            return None
        nats = [nats_of_models(catalog, pairs.captions[row], pairs.contents, size) for row in asked]
    before = best_ranks(cosines[asked], right[asked])
    after = best_ranks(cosines[asked] + np.float32(unit) * np.array(nats, np.float32), right[asked])
    return gain(1 / after - 1 / before), len(asked)


def keep(storage: Storage, model: str, gained: Gain, captions: int) -> None:
    """Store how much reranking with `model`, or `CAPTIONS_BY_MODELS`, adds to mean reciprocal rank in this library.

    Raises:
        LibraryLocked: another process is writing to the library.
        LibraryReadOnly: the library cannot be written.
    """
    number, _ = storage.active_space()
    with storage.small_write() as catalog:
        catalog.annotations.put_trial(number, model, gained, captions)
