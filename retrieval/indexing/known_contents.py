"""Which pictures the model has seen already, by their hashes: of a few files each is asked for, of many all are known.

Knows the catalog; does not know files. Asked from several threads at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..storage.storage import Holdings

FEW = 200  # files up to which the catalog is asked for each: a new photo costs the same in every library


@dataclass
class Seen:
    """The pictures that have an embedding in one space."""

    holdings: Holdings
    space_id: int
    whole: bool
    known: dict[str, int] = field(default_factory=dict)

    @classmethod
    def by(cls, holdings: Holdings, space_id: int, files: int) -> Seen:
        """For a run over so many files."""
        if files <= FEW:
            return cls(holdings, space_id, whole=False)
        with holdings.reading() as catalog:
            return cls(holdings, space_id, whole=True, known=catalog.embedded(space_id))

    def get(self, digest: str) -> int | None:
        """The number of a picture; None of one that the model must see."""
        found = self.known.get(digest)
        if found is not None or self.whole:
            return found
        with self.holdings.reading() as catalog:
            return catalog.embedded(self.space_id, [digest]).get(digest)

    def frames(self, video: str) -> dict[str, int]:
        """The frames of a video that it has seen: hashes and numbers."""
        with self.holdings.reading() as catalog:
            return catalog.frames(self.space_id, video)

    def add(self, numbers: dict[str, int]) -> None:
        """These were stored: a copy that comes later in the run is not decoded again."""
        self.known |= numbers
