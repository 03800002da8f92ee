"""Values in memory by key, up to a number of bytes: what was not asked for the longest goes first.

Asked from several threads at once. Knows nothing of what it keeps.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Bounded(Generic[K, V]):
    """The last values, of at most `most` bytes together; `size` tells those of one."""

    def __init__(self, most: int, size: Callable[[V], int]) -> None:
        self._most, self._size = most, size
        self._kept: OrderedDict[K, V] = OrderedDict()  # the latest last
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, key: K) -> V | None:
        """The value, which is the latest then; None where it is not there."""
        with self._lock:
            if key not in self._kept:
                return None
            self._kept.move_to_end(key)
            return self._kept[key]

    def put(self, key: K, value: V) -> None:
        """Keep it, in place of one that was there; a value larger than all is not kept."""
        with self._lock:
            if key in self._kept:
                self._bytes -= self._size(self._kept.pop(key))
            self._kept[key] = value
            self._bytes += self._size(value)
            while self._bytes > self._most:
                self._bytes -= self._size(self._kept.popitem(last=False)[1])
