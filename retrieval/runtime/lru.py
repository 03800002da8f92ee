"""A thread-safe LRU cache, limited by the total size of its values in bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class LRUCache(Generic[K, V]):
    """A least-recently-used cache of at most `most` bytes; `size` returns the bytes of one value."""

    def __init__(self, most: int, size: Callable[[V], int]) -> None:
        self._most, self._size = most, size
        self._kept: OrderedDict[K, V] = OrderedDict()  # the most recently used last
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, key: K) -> V | None:
        """Return the value and mark it as most recently used; None if the key is not cached."""
        with self._lock:
            if key not in self._kept:
                return None
            self._kept.move_to_end(key)
            return self._kept[key]

    def put(self, key: K, value: V) -> None:
        """Cache a value, replacing one of the same key; the least recently used are evicted to make room.

        A value larger than `most` evicts everything, itself included.
        """
        with self._lock:
            if key in self._kept:
                self._bytes -= self._size(self._kept.pop(key))
            self._kept[key] = value
            self._bytes += self._size(value)
            while self._bytes > self._most:
                self._bytes -= self._size(self._kept.popitem(last=False)[1])
