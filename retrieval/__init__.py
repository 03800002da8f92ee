"""Search a photo collection by text or by example, and find captions for a picture.

    from retrieval import Library

    with Library.create("indexes/holidays") as library:
        library.index(["~/Pictures/holidays"])
        answer = library.search("a dog on the beach", k=5)

Everything else of the public surface is in `__all__`; nothing heavy is imported before it is used.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .config import Settings
    from .errors import (
        LibraryDamaged,
        LibraryError,
        LibraryLocked,
        LibraryNotFound,
        LibraryReadOnly,
        LibraryVersionError,
        ModelChanged,
        ModelError,
        ModelRefused,
        ModelUnavailable,
        PictureError,
        RetrievalError,
        SourceError,
        StorageFull,
        UsageError,
    )
    from .library.backends import check
    from .library.evaluation import evaluate_library, evaluate_library_rerank, evaluate_model, evaluate_rerank
    from .library.library import Library
    from .types.records import Answer, Budget, Hit, Item, Problem, Status
    from .types.request import SearchRequest
    from .types.results import Report

__version__ = "0.1.0"

logging.getLogger(__name__).addHandler(
    logging.NullHandler()
)  # quiet, unless the program that imports it configures logging

_HOMES = {
    ".library.backends": ("check",),
    ".config": ("Settings",),
    ".errors": (
        "LibraryDamaged",
        "LibraryError",
        "LibraryLocked",
        "LibraryNotFound",
        "LibraryReadOnly",
        "LibraryVersionError",
        "ModelChanged",
        "ModelError",
        "ModelRefused",
        "ModelUnavailable",
        "PictureError",
        "RetrievalError",
        "SourceError",
        "StorageFull",
        "UsageError",
    ),
    ".library.library": ("Library",),
    ".library.evaluation": ("evaluate_library", "evaluate_library_rerank", "evaluate_model", "evaluate_rerank"),
    ".types.records": ("Answer", "Budget", "Hit", "Item", "Problem", "Status"),
    ".types.request": ("SearchRequest",),
    ".types.results": ("Report",),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Answer",
    "Budget",
    "Hit",
    "Item",
    "Library",
    "LibraryDamaged",
    "LibraryError",
    "LibraryLocked",
    "LibraryNotFound",
    "LibraryReadOnly",
    "LibraryVersionError",
    "ModelChanged",
    "ModelError",
    "ModelRefused",
    "ModelUnavailable",
    "PictureError",
    "Problem",
    "Report",
    "RetrievalError",
    "SearchRequest",
    "Settings",
    "SourceError",
    "Status",
    "StorageFull",
    "UsageError",
    "check",
    "evaluate_library",
    "evaluate_library_rerank",
    "evaluate_model",
    "evaluate_rerank",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        from importlib import import_module

        return getattr(import_module(_HOME[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
