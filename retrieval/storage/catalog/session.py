"""A session: one transaction over a catalog, with a repository for each kind of thing as an attribute.

Made by `Database.read` and `Database.transaction`. Nothing outside this package sees its connection or names a table.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from ...types.records import Kind, Space
from .annotations import Annotations
from .captions import Captions
from .contents import Contents
from .embeddings import Embeddings
from .filters_sql import Filters
from .fingerprints import Fingerprints
from .full_text import FullText
from .items import Items
from .job_table import JobTable
from .names import NameTable
from .paths import Paths
from .problems import LivePhotoFilms, Problems, Roots
from .spaces import Spaces
from .timeline import Timeline

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from .dialects import Dialect


class CatalogSession:
    """One transaction over a catalog."""

    def __init__(self, connection: Connection, dialect: Dialect) -> None:
        self._parts = connection, dialect

    @cached_property
    def spaces(self) -> Spaces:
        """Embedding spaces, and which of them is active."""
        return Spaces(*self._parts)

    @cached_property
    def contents(self) -> Contents:
        """Pictures and texts by hash."""
        return Contents(*self._parts)

    @cached_property
    def items(self) -> Items:
        """Files, and frames of video files, by path."""
        return Items(*self._parts)

    @cached_property
    def captions(self) -> Captions:
        """Which texts belong to which pictures."""
        return Captions(*self._parts)

    @cached_property
    def annotations(self) -> Annotations:
        """Verdicts, vision features, OCR lines, rerank trials, written sidecars."""
        return Annotations(*self._parts)

    @cached_property
    def full_text(self) -> FullText:
        """Full-text search in the texts of pictures."""
        return FullText(*self._parts, self.items, self.captions, self.annotations)

    @cached_property
    def filters(self) -> Filters:
        """Which items pass a filter."""
        return Filters(*self._parts)

    @cached_property
    def fingerprints(self) -> Fingerprints:
        """Perceptual fingerprints of pictures."""
        return Fingerprints(*self._parts)

    @cached_property
    def names(self) -> NameTable:
        """Saved searches, and concepts with their examples."""
        return NameTable(*self._parts)

    @cached_property
    def timeline(self) -> Timeline:
        """Items by time and place, for browsing."""
        return Timeline(*self._parts)

    @cached_property
    def problems(self) -> Problems:
        """Files that could not be used."""
        return Problems(*self._parts)

    @cached_property
    def live_photo_films(self) -> LivePhotoFilms:
        """Films that belong to photos beside them."""
        return LivePhotoFilms(*self._parts)

    @cached_property
    def jobs(self) -> JobTable:
        """The indexing jobs of servers."""
        return JobTable(*self._parts)

    @cached_property
    def paths(self) -> Paths:
        """The paths of all tables, for moving a folder."""
        return Paths(*self._parts)

    @cached_property
    def roots(self) -> Roots:
        """The folders that were indexed."""
        return Roots(*self._parts)

    def embeddings(self, space_id: int, space: Space, kind: Kind) -> Embeddings:
        """Return the stored embeddings of one space and kind."""
        return Embeddings(*self._parts, space_id, kind, space.dimensions)

    def counts(self) -> dict[str, int]:
        """Return the number of items, captions, problems, and contents of each kind."""
        return {
            "captions": self.captions.count(),
            "problems": self.problems.count(),
            "items": self.items.count(),
            **{kind: self.contents.count(kind) for kind in Kind},
        }
