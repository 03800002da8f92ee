"""Encodings that are not said are found out."""

from __future__ import annotations

import pytest

from retrieval.runtime.charset import decode_text


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Größe Zürich", "utf-8"),
        ("Größe Zürich", "latin-1"),
        ("España, niño y corazón", "latin-1"),
        ("un été à la plage, café", "cp1252"),
        ("Собака на пляже", "cp1251"),
        ("Собака на пляже", "koi8_r"),
        ("犬が浜辺で遊んでいます。", "shift_jis"),
        ("一只狗在沙滩上奔跑", "gb18030"),
        ("개가 해변에서 놀고 있다", "cp949"),
        ("Ένας σκύλος στην παραλία", "cp1253"),
    ],
)
def test_a_text_in_the_encodings_of_its_language_is_read(text: str, encoding: str) -> None:
    assert decode_text(text.encode(encoding)) == text


def test_an_encoding_that_is_said_is_used_where_it_fits() -> None:
    assert decode_text("写真".encode("iso2022_jp"), "iso2022_jp") == "写真"
    assert decode_text("Größe".encode(), "ascii") == "Größe"
    assert decode_text("Größe".encode(), "no-such-encoding") == "Größe"
