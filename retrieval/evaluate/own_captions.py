"""Evaluation of a library on its own captions by people, with the stored embeddings: nothing is encoded again."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import UsageError
from ..storage.storage import Storage
from ..types.records import Kind
from ..types.results import Reranking
from .pairs import Pairs

MOST = 1000  # pictures in the sample, the same ones each time for the same library
LEAST = 20  # captions that a measurement needs


def pairs_of(storage: Storage, most: int = MOST) -> Pairs:
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
    return Pairs(
        pictures=[paths[int(content)] for content in shown],
        images=seen,
        captions=[words[text] for _, text in chosen],
        texts=spoken[[place_of[text] for _, text in chosen]],
        owner=np.array([row_of[picture] for picture, _ in chosen], np.int64),
        problems=(),
    )


def keep(storage: Storage, model: str, gained: Reranking) -> None:
    """Store how much reranking with `model` gains in this library.

    Raises:
        LibraryLocked: another process is writing to the library.
        LibraryReadOnly: the library cannot be written.
    """
    number, _ = storage.active_space()
    with storage.small_write() as catalog:
        catalog.annotations.put_rerank_trial(number, model, gained.gains["MRR"], gained.captions)
