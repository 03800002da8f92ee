"""Bytes of unknown encoding to text: UTF-8 if it is that, else Windows' Latin-1 or what a detector finds."""

from __future__ import annotations

import codecs
import re

WORDS = re.compile(rb"[A-Za-z\x80-\xff]*[\x80-\xff][A-Za-z\x80-\xff]*")  # with a letter beyond ASCII
LATIN_SHARE = 0.5  # of such letters in these words, up to which they are accents of a Latin script
EXAMINED = 100_000  # bytes


def decode_text(data: bytes, encoding: str = "") -> str:
    """Return bytes as text: in `encoding` if it is given and fits, else in the encoding that is found out."""
    for name in filter(None, (encoding, "utf-8")):
        try:
            return data.decode(name)
        except (UnicodeDecodeError, LookupError):
            continue
    cut = codecs.getincrementaldecoder("utf-8")()
    try:
        text = cut.decode(data)
    except UnicodeDecodeError:
        return data.decode(detected(data), "replace")
    # UTF-8 that a field's length has cut in the middle of a character; what else could end so has no whole ones
    return text if not text.isascii() else data.decode(detected(data), "replace")


def detected(data: bytes) -> str:
    """Return the encoding of bytes that are not UTF-8.

    Detectors tell scripts apart, but not the encodings of Western languages in a few words: there it is cp1252.
    """
    some = data[:EXAMINED]
    words = b"".join(WORDS.findall(some))
    beyond = sum(byte >= 0x80 for byte in words)
    if beyond > LATIN_SHARE * len(words):
        import chardet

        found = chardet.detect(some)["encoding"]
        if found:
            return str(found)
    try:
        some.decode("cp1252")
    except UnicodeDecodeError:
        return "latin-1"
    return "cp1252"
