"""Vision cache in memory: questions about pictures that a model has seen recently skip its vision tower.

Most of a question's time on a CPU is spent in the vision tower. Knows how models in transformers pass pixels to it;
does not know the families.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, TypeAlias

import torch
from cachetools import LRUCache
from torch import Tensor
from transformers.modeling_outputs import BaseModelOutputWithPooling

Arguments: TypeAlias = dict[str, Any]
Features: TypeAlias = dict[str, Any]  # tensors, lists of them, or lists of such lists

AT_MOST = 256 << 20  # bytes: two to three thousand pictures of a small model, a hundred of a large one
READ = ("pooler_output", "deepstack_features")  # all outputs of the vision tower that the language model reads


def keep(model: Any) -> None:
    """Add the vision cache to a loaded model, for pictures and videos, unless it has no vision tower."""
    if getattr(model.config, "vision_config", None) is None:
        return
    for name in ("get_image_features", "get_video_features"):
        look = getattr(model.base_model, name, None)
        if look is not None:
            setattr(model.base_model, name, VisionCache(look))


class VisionCache:
    """Wraps `get_image_features` or `get_video_features`: each picture of a batch is computed alone, and only once."""

    def __init__(self, look: Callable[..., Any]) -> None:
        functools.update_wrapper(self, look)  # transformers reads its signature
        self._look = look
        self._kept: LRUCache[bytes, Features] = LRUCache(AT_MOST, lambda kept: _bytes(kept.values()))  # by input digest
        self._lock = threading.Lock()  # the cache is not made for several threads

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return what the model's own method returns; with `return_dict`, without what only training reads."""
        bound = inspect.signature(self._look).bind(*args, **kwargs)
        given = {**bound.arguments, **bound.arguments.get("kwargs", {})}
        given.pop("kwargs", None)
        if not given.get("return_dict"):
            return self._look(**given)
        found = [self._seen(alone) for alone in _apart(given)]
        whole = BaseModelOutputWithPooling()
        for name in found[0]:
            setattr(whole, name, _concatenated([each[name] for each in found]))
        return whole

    def _seen(self, given: Arguments) -> Features:
        key = _digest(given)
        with self._lock:
            features = self._kept.get(key)
        if features is None:
            whole = self._look(**given)
            features = {name: value for name in READ if (value := getattr(whole, name, None)) is not None}
            with self._lock, suppress(ValueError):  # larger than the whole cache
                self._kept[key] = features
        return features


def _apart(given: Arguments) -> list[Arguments]:
    """Return the arguments for each picture; if the batch cannot be split, all arguments together."""
    tensors = {name: value for name, value in given.items() if isinstance(value, Tensor)}
    grid = next((value for name, value in tensors.items() if name.endswith("_grid_thw")), None)
    if grid is None:
        count = min(map(len, tensors.values()))
        sizes = {name: [1] * count for name in tensors}
    else:
        count = len(grid)  # patches of all pictures in one row; the grid gives the number for each
        patches = grid.prod(-1).tolist()
        sizes = {name: patches if name.startswith("pixel_values") else [1] * count for name in tensors}
    if any(sum(sizes[name]) != len(value) for name, value in tensors.items()):
        return [given]
    parts = {name: torch.split(value, sizes[name]) for name, value in tensors.items()}
    return [{**given, **{name: part[at] for name, part in parts.items()}} for at in range(count)]


def _concatenated(values: list[Any]) -> Any:
    """Concatenate tensors along the first dimension, lists by their members, and lists of lists layer by layer."""
    if isinstance(values[0], Tensor):
        return torch.cat(values)
    if not isinstance(values[0][0], Tensor):
        return [_concatenated(list(layer)) for layer in zip(*values, strict=True)]
    return [member for value in values for member in value]


def _digest(given: Arguments) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for name, value in given.items():
        if isinstance(value, Tensor):
            digest.update(f"{name} {tuple(value.shape)} {value.dtype}".encode())
            digest.update(value.contiguous().view(torch.uint8).cpu().numpy().data)
        else:
            digest.update(f"{name} {value}".encode())
    return digest.digest()


def _bytes(values: Iterable[Any]) -> int:
    return sum(value.nbytes if isinstance(value, Tensor) else _bytes(value) for value in values)
