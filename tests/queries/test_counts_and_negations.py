"""Counts and absences in a query become questions."""

from __future__ import annotations

import pytest

from retrieval.queries.counts_and_negations import split_query


@pytest.mark.parametrize(
    ("query", "text", "facts"),
    [
        ("a dog on the beach", "a dog on the beach", []),
        ("two dogs on a sofa", "two dogs on a sofa", ["shows two dogs"]),
        ("2 young boys playing soccer", "2 young boys playing soccer", ["shows two young boys"]),
        ("a couple of cats", "a couple of cats", ["shows two cats"]),
        ("only one man, and three women", "only one man, and three women", ["shows only one man", "shows three women"]),
        ("a beach with no people", "a beach", ["does not show people"]),
        ("a beach, no one on it", "a beach on it", ["does not show people"]),
        ("an empty street without any cars", "an empty street", ["does not show cars"]),
        ("a dog without a leash on grass", "a dog on grass", ["does not show a leash"]),
        ("three dogs but no orange ball", "three dogs", ["does not show an orange ball", "shows three dogs"]),
        ("No people", "No people", ["does not show people"]),
        ("a knot in wood", "a knot in wood", []),
        ("no", "no", []),
        ("", "", []),
    ],
)
def test_a_query_is_taken_apart(query: str, text: str, facts: list[str]) -> None:
    asked = split_query(query)
    assert asked.text == text
    assert [str(fact) for fact in asked.facts] == facts
