"""Previews of pictures in sizes for screens, made on request and cached in memory.

Knows image formats and the Accept header.
"""

from __future__ import annotations

import io
import threading
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

from cachetools import LRUCache
from PIL import Image

from .. import pictures
from ..library.view import LibraryView
from ..pictures.thumbnails import THUMBNAIL_SIDE
from ..types.records import Item
from ..types.results import StoredThumbnail

KEPT = 128 << 20  # bytes of previews in the cache
QUALITY = {"webp": 82, "avif": 60, "jpeg": 85}


@dataclass
class Previews:
    """The previews of one library's pictures."""

    max_megapixels: float
    _kept: LRUCache[tuple[str, int, str], bytes] = field(default_factory=lambda: LRUCache(KEPT, len))
    _taken: Counter[str] = field(default_factory=Counter)  # by where they came from, since this was last asked
    _lock: threading.Lock = field(default_factory=threading.Lock)  # the cache is not made for several threads

    @property
    def size(self) -> int:
        """How many bytes of previews are kept in memory."""
        with self._lock:
            return int(self._kept.currsize)

    def taken(self) -> Counter[str]:
        """Return how many previews came from memory and how many were made, since the last call."""
        with self._lock:
            taken, self._taken = self._taken, Counter()
        return taken

    @staticmethod
    def form(accept: str, size: int) -> str:
        """Return the format for a client's Accept header; AVIF only for large sizes, where it is worth its time."""
        if "image/avif" in accept and size > THUMBNAIL_SIDE:
            return "avif"
        return "webp" if "image/webp" in accept or "*/*" in accept or "image/*" in accept else "jpeg"

    def get(self, library: LibraryView, thumbnail: StoredThumbnail, size: int, form: str) -> bytes:
        """Return an encoded preview; `size` is the longest side in pixels, `form` is webp, avif or jpeg.

        Raises:
            PictureError: the file is missing or unreadable, and no thumbnail of it is stored.
            Changed: the file has been changed since it was indexed.
        """
        stored = thumbnail.data if size <= THUMBNAIL_SIDE else None
        if stored is not None and form == "webp":
            return stored
        key = (thumbnail.digest, size, form)
        with self._lock:
            known = self._kept.get(key)
            self._taken["memory" if known is not None else "made"] += 1
        if known is not None:
            return known
        data = self._made(library, library.items.get(thumbnail.item), size, form, stored)
        with self._lock, suppress(ValueError):  # larger than the whole cache
            self._kept[key] = data
        return data

    def _made(self, library: LibraryView, item: Item, size: int, form: str, stored: bytes | None) -> bytes:
        if stored is not None:
            image = Image.open(io.BytesIO(stored)).convert("RGB")
        else:
            library.items.require(item)
            image = pictures.load(item.path, size // 2, self.max_megapixels, item.second).image
            image.thumbnail((size, size), Image.Resampling.LANCZOS, reducing_gap=2.0)
        out = io.BytesIO()
        options = {"speed": 8} if form == "avif" else {}
        image.save(out, form.upper(), quality=QUALITY[form], **options)
        return out.getvalue()
