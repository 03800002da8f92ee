"""What is kept in memory is bounded: the latest stay, by their bytes."""

from __future__ import annotations

from retrieval.runtime.lru import LRUCache


def test_what_was_not_asked_for_the_longest_goes_first() -> None:
    kept: LRUCache[str, bytes] = LRUCache(10, len)
    kept.put("a", b"1234")
    kept.put("b", b"1234")
    assert kept.get("a") == b"1234"
    kept.put("c", b"1234")
    assert (kept.get("a"), kept.get("b"), kept.get("c")) == (b"1234", None, b"1234")


def test_a_value_in_place_of_another_counts_once() -> None:
    kept: LRUCache[str, bytes] = LRUCache(10, len)
    for _ in range(5):
        kept.put("a", b"12345")
    kept.put("b", b"12345")
    assert kept.get("a") == kept.get("b") == b"12345"


def test_what_is_larger_than_all_is_not_kept() -> None:
    kept: LRUCache[str, bytes] = LRUCache(10, len)
    kept.put("a", bytes(11))
    assert kept.get("a") is None
    kept.put("b", b"1234")
    assert kept.get("b") == b"1234"
