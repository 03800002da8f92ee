"""Moves a folder of the library to another path: of its files, roots, problems and caption files.

For drives with a new mount point and folders with a new name. Files on disk are never touched.
"""

from __future__ import annotations

from pathlib import Path

from ..errors import NotIndexed, SourceError, UsageError
from ..storage.storage import Storage


def relocate(storage: Storage, old: Path, new: Path) -> int:
    """Record that what was at `old` lies at `new` now; return how many files that moves.

    A file that is indexed at its new path already is known twice then, and its old entry goes; what was written about
    it belongs to its content, and stays.

    Raises:
        NotIndexed: the library has nothing at `old`.
        UsageError: one path lies in the other.
        SourceError: there is nothing at `new`.
    """
    if not new.exists():
        raise SourceError(f"{new} does not exist; give the path that {old} has now")
    if new == old or new.is_relative_to(old) or old.is_relative_to(new):
        raise UsageError(f"{old} and {new} lie in each other; name two different folders")
    with storage.write_lock("retrieval relocate"):
        with storage.transaction() as catalog:
            known = any(root.is_relative_to(old) for root in catalog.roots.all())
            moved = catalog.paths.move(old, new)
            if not moved and not known:
                raise NotIndexed(f"the library has nothing at {old}; `retrieval status` lists its folders")
            catalog.contents.settle()
        storage.vectors.save()
    return moved
