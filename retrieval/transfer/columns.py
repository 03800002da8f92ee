"""The columns of an exported table: their types and where each value comes from.

`image_path` and `caption` are named as in clip-retrieval. Does not know file formats.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..types.records import Item

FACTS: dict[str, tuple[str, Callable[[Item], Any]]] = {  # name -> type and value
    "second": ("double", lambda item: item.second),
    "width": ("int64", lambda item: item.facts.width),
    "height": ("int64", lambda item: item.facts.height),
    "taken_at": ("string", lambda item: item.facts.taken_at.isoformat() if item.facts.taken_at else None),
    "camera": ("string", lambda item: item.facts.camera),
    "lens": ("string", lambda item: item.facts.lens),
    "latitude": ("double", lambda item: item.facts.latitude),
    "longitude": ("double", lambda item: item.facts.longitude),
    "city": ("string", lambda item: item.place[0]),
    "region": ("string", lambda item: item.place[1]),
    "country": ("string", lambda item: item.place[2]),
    "title": ("string", lambda item: item.facts.title),
    "description": ("string", lambda item: item.facts.description),
    "keywords": ("strings", lambda item: list(item.facts.keywords)),
    "rating": ("int64", lambda item: item.facts.rating),
}
TYPES = {"image_path": "string", "caption": "string", **{name: kind for name, (kind, _) in FACTS.items()}}
TYPES |= {"captions": "strings", "caption_models": "strings"}


def row(item: Item, captions: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Return the row of one item; `caption` is the first of its captions.

    `captions` are (text, model that wrote it) pairs; the model is empty for captions by people.
    """
    facts = {name: value(item) for name, (_, value) in FACTS.items()}
    first = captions[0][0] if captions else ""
    path = str(item.path).encode("utf-8", "backslashreplace").decode()  # escape bytes that are not UTF-8
    texts, models = [text for text, _ in captions], [model for _, model in captions]
    return {"image_path": path, "caption": first, **facts, "captions": texts, "caption_models": models}
