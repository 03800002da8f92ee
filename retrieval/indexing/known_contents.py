"""Which pictures are already encoded, by hash: looked up one by one for a few files, loaded at once for many.

Called by several threads at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..storage.storage import Storage

FEW = 200  # up to this many files, each is looked up: one new photo costs the same in every library


@dataclass
class KnownContents:
    """The pictures that have an embedding in one space; `whole`: `ids` has all of them."""

    storage: Storage
    space_id: int
    whole: bool
    ids: dict[str, int] = field(default_factory=dict)

    @classmethod
    def by(cls, storage: Storage, space_id: int, files: int) -> KnownContents:
        """Return the known contents for a run over this many files."""
        if files <= FEW:
            return cls(storage, space_id, whole=False)
        with storage.read() as catalog:
            return cls(storage, space_id, whole=True, ids=catalog.contents.embedded(space_id))

    def get(self, digest: str) -> int | None:
        """Return the content id of a picture; None if it must be encoded."""
        found = self.ids.get(digest)
        if found is not None or self.whole:
            return found
        with self.storage.read() as catalog:
            return catalog.contents.embedded(self.space_id, [digest]).get(digest)

    def frames(self, video: str) -> dict[str, int]:
        """Return hash and content id of the encoded frames of a video."""
        with self.storage.read() as catalog:
            return catalog.contents.frames(self.space_id, video)

    def add(self, numbers: dict[str, int]) -> None:
        """Add stored pictures, so that a copy later in the run is not decoded again."""
        self.ids |= numbers
