"""Fingerprints of pictures that were indexed before there were any, from their thumbnails. Reads no picture files."""

from __future__ import annotations

from collections.abc import Callable

from .. import pictures
from ..storage.storage import Storage
from ..types.records import Progress, no_progress

AT_ONCE = 500


def complete(storage: Storage, progress: Callable[[Progress], None] = no_progress) -> None:
    """Compute the missing fingerprints; call it while holding `write_lock()`."""
    with storage.read() as catalog:
        lacking = catalog.fingerprints.lacking()
    for start in range(0, len(lacking), AT_ONCE):
        with storage.transaction() as catalog:
            thumbnails = catalog.contents.thumbnails(lacking[start : start + AT_ONCE])
            found = {content: pictures.fingerprint_of(data) for content, data in thumbnails.items()}
            catalog.fingerprints.put(found)
        progress(Progress("fingerprints", start + len(thumbnails), len(lacking)))
