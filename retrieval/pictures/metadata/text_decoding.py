"""Fields of metadata to text: those that a standard leaves open, and those that programs fill against the standard."""

from __future__ import annotations

import codecs

from ...runtime.charset import decode_text
from ...types.plain_text import plain

EXIF_PREFIXES = {b"ASCII\0\0\0": "", b"UNICODE\0": "utf-16", b"JIS\0\0\0\0\0": "iso2022_jp", b"\0" * 8: ""}


def clean(value: object) -> str:
    """Return a value of a metadata field as text: decoded, without control characters, on the ends stripped.

    Pillow reads EXIF's text as Latin-1; such text is decoded again.
    """
    if value is None:
        return ""
    if isinstance(value, tuple | list) and value and all(isinstance(each, int) and 0 <= each < 256 for each in value):
        value = bytes(value)
    if isinstance(value, str):
        try:
            value = value.encode("latin-1")
        except UnicodeEncodeError:
            return plain(str(value))
    return plain(decode_text(value.strip(b"\0")) if isinstance(value, bytes) else str(value))


def utf16(value: object) -> str:
    """Return the text of Windows' XP fields: UTF-16, little-endian."""
    data = bytes(value) if isinstance(value, bytes | tuple | list) else b""
    return plain(data.decode("utf-16-le", "replace").split("\0")[0])


def user_comment(value: object, *, big_endian: bool) -> str:
    """Return the text of EXIF's UserComment, whose first 8 bytes name its encoding."""
    if isinstance(value, str):
        return clean(value)
    if not isinstance(value, bytes):
        return ""
    encoding, data = EXIF_PREFIXES.get(value[:8]), value[8:]
    if encoding is None:
        encoding, data = "", value  # written without the prefix
    if encoding == "utf-16" and b"\0" not in data and _is_utf8(data):
        encoding = "utf-8"  # against the standard
    if encoding == "utf-16":
        if not data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            encoding = _utf16_order(data, big_endian=big_endian)
        return plain(data.decode(encoding, "replace").split("\0")[0])
    return plain(decode_text(data.split(b"\0")[0] if not encoding else data, encoding))


def _is_utf8(data: bytes) -> bool:
    try:
        return len(data.decode()) > 0
    except UnicodeDecodeError:
        return False


def _utf16_order(data: bytes, *, big_endian: bool) -> str:
    """Return the byte order of UTF-16: where letters are ASCII, their zeros tell; else that of the file."""
    high, low = data[0::2].count(0), data[1::2].count(0)
    big = high > low if high != low else big_endian
    return "utf-16-be" if big else "utf-16-le"
