"""The list of English words that suggestions of spelling come from."""

from __future__ import annotations

import pytest

from retrieval.encoders import english_words as module
from retrieval.encoders.english_words import english_words


def test_common_words_are_there_and_misspelt_ones_are_not() -> None:
    words = english_words()
    assert {"dog", "beach", "bicycle", "giraffe", "birthday"} <= set(words)
    assert not {"bycicle", "birtday", "qwzx"} & set(words)
    assert words["dog"] < words["giraffe"], "the more frequent comes first"


def test_without_open_clip_the_built_in_model_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda _name: None)
    words = english_words.__wrapped__()
    assert {"dog", "beach", "bicycle", "birthday"} <= set(words)
    assert not {"bycicle", "birtday", "##ing", "[cls]"} & set(words)
    assert words["dog"] < words["bicycle"]
