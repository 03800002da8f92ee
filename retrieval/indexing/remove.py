"""Removes pictures, folders, caption files or the embeddings of an inactive model from a library.

Files on disk are never touched.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ..errors import NotIndexed, UsageError
from ..storage.storage import Storage


def remove_paths(storage: Storage, paths: Iterable[Path]) -> int:
    """Remove everything at or below these paths; return how many files were removed.

    Raises:
        NotIndexed: the library has nothing at one of the paths; nothing is removed then.
    """
    with storage.write_lock("retrieval remove"):
        with storage.transaction() as catalog:
            removed = 0
            for path in paths:
                below, troubled = catalog.items.below(path), catalog.problems.below(path)
                roots = [root for root in catalog.roots.all() if root.is_relative_to(path)]
                words = catalog.captions.unlink(("file",), path)
                if not (below or troubled or roots or words):
                    raise NotIndexed(f"the library has nothing at {path}; nothing was removed")
                held = set(catalog.items.contents_at(below).values())
                removed += catalog.items.remove(below)
                catalog.contents.drop_own_words(content for content in held if not catalog.items.files_with(content))
                catalog.problems.clear(troubled)
                catalog.roots.drop(roots)
            catalog.contents.settle()
        storage.vectors.save()
    return removed


def remove_model(storage: Storage, name: str) -> int:
    """Delete the embeddings of a model; return how many there were.

    Raises:
        UsageError: the library has no embeddings of this model outside the active space.
    """
    with storage.write_lock("retrieval remove"):
        with storage.read() as catalog:
            serving, spaces = catalog.spaces.active(), catalog.spaces.all()
        old = [number for number, space in spaces if space.model == name and (number, space) != serving]
        if not old:
            known = ", ".join(space.model for number, space in spaces if (number, space) != serving) or "none"
            raise UsageError(f"the library has no unused embeddings of {name!r}; models not in use: {known}")
        return sum(storage.drop_space(number) for number in old)
