"""Captions that people write by hand: set and removed, one at a time, each found by search at once.

Small writes, which wait for no task that goes over the library.
"""

from __future__ import annotations

from pathlib import Path

from ..encoders import Encoder
from ..errors import Changed, NotFound, NotIndexed, UsageError
from ..storage.catalog import CatalogSession
from ..storage.storage import Storage
from ..types.plain_text import plain
from ..types.records import Kind
from . import text_contents


def write(storage: Storage, encoder: Encoder, path: Path, text: str, known: str | None = None) -> None:
    """Store a caption of a picture file, replacing earlier ones by hand and by models.

    Raises:
        UsageError: the text is empty.
        NotIndexed: the library has no such picture.
        Changed: its caption by hand is no longer `known` ("": none); with None, whatever it is.
        LibraryLocked: no turn to write has come for half a minute.
    """
    text = " ".join(plain(text).split())
    if not text:
        raise UsageError("the caption is empty")
    vector = encoder.texts([text])
    with storage.small_write() as catalog:
        content = _content_of(catalog, path)
        _require(known, catalog.captions.edited(content))
        number = text_contents.add(catalog, [text])[0]
        catalog.captions.put_edited(content, number)
        space = catalog.spaces.id_of(encoder.space)
        if space is not None:
            catalog.embeddings(space, encoder.space, Kind.TEXT).put([number], vector)
        catalog.contents.settle()
    storage.vectors.save()


def remove(storage: Storage, path: Path, known: str | None = None) -> str:
    """Remove the caption by hand of a picture file, and return it.

    Raises:
        NotIndexed: the library has no such picture.
        NotFound: nobody has written a caption of it.
        Changed: it is no longer `known`; with None, whatever it is.
        LibraryLocked: no turn to write has come for half a minute.
    """
    with storage.small_write() as catalog:
        content = _content_of(catalog, path)
        present = catalog.captions.edited(content)
        if not present:
            raise NotFound(f"nobody has written a caption of {path.name}; texts of files are changed in the files")
        _require(known, present)
        catalog.captions.remove_edited(content)
        catalog.contents.settle()
    storage.vectors.save()
    return present


def _content_of(catalog: CatalogSession, path: Path) -> int:
    content = catalog.items.contents_at([path]).get(path)
    if content is None:
        raise NotIndexed(f"the library has no picture {path.name} there; index it first: retrieval index FOLDER")
    return content


def _require(known: str | None, present: str) -> None:
    if known is not None and known != present:
        now = f'it is now "{present}"' if present else "it has been removed"
        raise Changed(f"someone else has changed this caption; {now}")
