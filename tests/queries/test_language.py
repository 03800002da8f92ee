"""Words in another language are told from English ones, names and loan words."""

from __future__ import annotations

import pytest

from retrieval.queries.language import foreign_language


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("ein Hund am Strand", "German"),
        ("Hund", "German"),
        ("weiße Blumen", "German"),
        ("un chien sur la plage", "French"),
        ("un perro en la playa", "Spanish"),
        ("um cachorro na praia", "Portuguese"),
        ("un cane sulla spiaggia", "Italian"),
        ("een hond op het strand", "Dutch"),
        ("pies na plaży", "Polish"),
        ("en hund på stranden", "Swedish"),
        ("plajda bir köpek", "Turkish"),
        ("犬", "Chinese or Japanese"),
        ("浜辺の犬", "Japanese"),
        ("개", "Korean"),
        ("כלב", "Hebrew"),
        ("σκύλος", "Greek"),
    ],
)
def test_a_foreign_query_is_recognised(text: str, language: str) -> None:
    assert foreign_language(text) == language


@pytest.mark.parametrize(
    "text",
    [
        "a dog on the beach", "dog", "café", "los angeles", "san francisco at night", "el nino", "des moines", "18:45",
        "", "🐕", "kids in the snow", "berg in the sea", "piñata with children", "la la land", "two cats", "m & m",
        "die cast car", "a man in war", "i am", "photo of a barn", "no dogs", "crème brûlée", "IMG_1234", "x-ray",
    ],
)  # fmt: skip
def test_english_names_and_loan_words_give_no_answer(text: str) -> None:
    assert foreign_language(text) == ""
