"""Adds texts to the catalog, from pictures, their sidecars and caption files, and embeds new ones.

Does not know how a text is encoded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from ..encoders import Encoder
from ..sources.caption_files import open_captions
from ..storage.catalog import CatalogSession
from ..storage.catalog.items import FROM_FILE
from ..storage.storage import Storage
from ..types.plain_text import plain
from ..types.records import Caption, Facts, Kind, Problem, Progress, Reason

BATCH = 256  # texts per call of the model


def add(catalog: CatalogSession, words: Sequence[str]) -> list[int]:
    """Return the content ids of texts, adding new ones; see `plain` for what is taken out of them."""
    return [
        catalog.contents.add(Kind.TEXT, hashlib.blake2b(text.encode(), digest_size=16).hexdigest(), text)
        for text in map(plain, words)
    ]


def link(catalog: CatalogSession, content: int, facts: Facts, sidecar: str, path: Path) -> None:
    """Link the texts of a picture file and its `.txt` to the picture, replacing earlier ones."""
    catalog.captions.unlink(FROM_FILE, path)
    catalog.captions.link(content, add(catalog, facts.texts), "metadata", path)
    if sidecar:
        catalog.captions.link(content, add(catalog, [sidecar]), "sidecar", path)


def embed(storage: Storage, encoder: Encoder, progress: Callable[[Progress], None]) -> int:
    """Embed every text that has no embedding in the encoder's space yet; return how many there were."""
    encoded = 0
    with storage.transaction() as catalog:
        space_id = catalog.spaces.add(encoder.space)
        todo = catalog.contents.lacking(space_id, Kind.TEXT)
    for start in range(0, len(todo), BATCH):
        some = todo[start : start + BATCH]
        with storage.read() as catalog:
            words = catalog.contents.texts(some)
        vectors = encoder.texts(list(words.values()))  # outside of a transaction, which others would wait for
        with storage.transaction() as catalog:
            kept = catalog.contents.texts(list(words)).keys()  # some may have been removed meanwhile
            there = [place for place, content in enumerate(words) if content in kept]
            stored = catalog.embeddings(space_id, encoder.space, Kind.TEXT)
            stored.put([content for content in words if content in kept], vectors[there])
        encoded += len(words)
        progress(Progress("texts", encoded, len(todo)))
    return encoded


@dataclass(frozen=True)
class LinkedCaptions:
    """What became of a caption file: how many captions were linked, what could not be used, and remarks."""

    linked: int
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]


def read_file(catalog: CatalogSession, table: Path, images: Path | None) -> LinkedCaptions:
    """Link the captions of a caption file, replacing its earlier ones.

    Raises:
        SourceError: the file cannot be read.
    """
    opened = open_captions(table, images)
    found = list(opened.rows)
    problems = [row for row in found if isinstance(row, Problem)]
    captions = [row for row in found if isinstance(row, Caption)]
    pictures = catalog.items.contents_at({row.picture for row in captions if row.picture is not None})
    others = {row.picture for row in captions if row.picture is not None} - pictures.keys()
    pictures |= catalog.items.contents_at_folded(others)
    catalog.captions.unlink(("file",), table)
    linked = 0
    for picture, group in groupby(captions, key=lambda row: row.picture):
        rows = list(group)
        if picture is not None and picture not in pictures:
            problems.append(
                Problem(picture, Reason.MISSING_PICTURE, f"{table.name} names it; the library has no such file")
            )
            continue
        content = None if picture is None else pictures[picture]
        people = [row.text for row in rows if not row.model or content is None]
        catalog.captions.link(content, add(catalog, people), "file", table)
        for row in rows:
            if row.model and content is not None:
                catalog.captions.put_generated(content, add(catalog, [row.text])[0], row.model, "")
        linked += len(rows)
    catalog.contents.settle()
    return LinkedCaptions(linked, tuple(problems), opened.notes)
