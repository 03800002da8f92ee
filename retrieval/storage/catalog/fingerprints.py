"""Perceptual fingerprints of pictures, and when each was taken: what near-duplicates are found by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
from sqlalchemy import exists, func, select

from ...types.records import Kind
from .mapping import NO_SECOND
from .repository import Repository, chunks
from .schema import contents, fingerprints
from .schema import present_items as items

Bits = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class ShotTime:
    """When and with which camera a picture was taken."""

    content: int
    at: datetime | None  # by the camera's clock, without a time zone
    camera: str


class Fingerprints(Repository):
    """The fingerprints of pictures."""

    def put(self, found: Mapping[int, int]) -> None:
        """Store the 64-bit fingerprint of each picture; existing ones stay."""
        rows = [{"content_id": content, "bits": _signed(bits)} for content, bits in found.items()]
        self._upsert(fingerprints, rows)

    def of(self, pictures: Sequence[int]) -> dict[int, int]:
        """Return the known fingerprints of photos, by content id; video frames are left out."""
        by_content: dict[int, int] = {}
        for some in chunks(pictures):
            photo = exists().where(items.c.content_id == fingerprints.c.content_id, items.c.second == NO_SECOND)
            chosen = select(fingerprints).where(fingerprints.c.content_id.in_(some), photo)
            rows = self._connection.execute(chosen)
            by_content |= {row.content_id: row.bits & 0xFFFFFFFFFFFFFFFF for row in rows}
        return by_content

    def lacking(self) -> list[int]:
        """Return the ids of the pictures that have a thumbnail but no fingerprint."""
        has = exists().where(fingerprints.c.content_id == contents.c.id)
        lacking = select(contents.c.id).where(contents.c.kind == Kind.PICTURE, ~has)  # from an index: reads no rows
        found: list[int] = []
        for some in chunks(sorted(self._connection.execute(lacking).scalars())):
            shown = select(contents.c.id).where(contents.c.id.in_(some), contents.c.thumbnail.is_not(None))
            found += sorted(self._connection.execute(shown).scalars())
        return found

    def shot_times(self, pictures: Iterable[int]) -> dict[int, ShotTime]:
        """Return when and with which camera each photo was taken; video frames are left out."""
        by_content: dict[int, ShotTime] = {}
        clock = func.substr(items.c.taken_at, 1, 19)
        for some in chunks(pictures):
            chosen = select(items.c.content_id, clock, items.c.camera)
            chosen = chosen.where(items.c.content_id.in_(some), items.c.second == NO_SECOND)
            for content, at, camera in self._connection.execute(chosen):
                by_content[content] = ShotTime(content, datetime.fromisoformat(at) if at else None, camera)
        return by_content


def _signed(bits: int) -> int:
    """Return 64 bits as the signed integer that a database stores."""
    return bits - (1 << 64) if bits >= 1 << 63 else bits
