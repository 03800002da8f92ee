"""IPTC-IIM: the texts, keywords, place and date that older programs write into JPEG, TIFF and PSD files."""

from __future__ import annotations

from collections.abc import Mapping

from ...runtime.charset import decode_text
from ...types.plain_text import plain
from .found import Found
from .text_decoding import clean
from .timestamps import Rank, read_moment

UTF8 = b"\x1b%G"  # the declaration of a coded character set, record 1:90
TITLE, KEYWORDS, DATE, TIME, CITY, REGION, COUNTRY, HEADLINE, CAPTION = 5, 25, 55, 60, 90, 95, 101, 105, 120


def read_iptc(fields: Mapping[tuple[int, int], object]) -> Found:
    """Return what the fields of an IPTC block say; text is UTF-8 if the block declares it, else it is found out."""
    found = Found()
    declared = "utf-8" if UTF8 in _parts(fields.get((1, 90))) else ""

    def texts(number: int) -> list[str]:
        return [plain(decode_text(part, declared)) for part in _parts(fields.get((2, number)))]

    day, time = clean(" ".join(texts(DATE))), clean(" ".join(texts(TIME)))
    moment = read_moment(f"{day}T{time}", Rank.IPTC) if time else None
    found.add(
        {
            "title": " ".join(texts(TITLE)) or " ".join(texts(HEADLINE)),
            "description": " ".join(texts(CAPTION)),
            "keywords": texts(KEYWORDS),
            "place": (" ".join(texts(CITY)), " ".join(texts(REGION)), " ".join(texts(COUNTRY))),
        },
        [moment or (None if time else read_moment(day, Rank.IPTC))],
    )
    return found


def parse_iptc(data: bytes) -> dict[tuple[int, int], list[bytes]]:
    """Return the fields of an IPTC block by record and number; what follows a broken field is left out."""
    fields: dict[tuple[int, int], list[bytes]] = {}
    at = 0
    while at + 5 <= len(data) and data[at] == 0x1C:
        record, number, size = data[at + 1], data[at + 2], int.from_bytes(data[at + 3 : at + 5], "big")
        at += 5
        if size & 0x8000:  # the length has its own length
            width = size & 0x7FFF
            size = int.from_bytes(data[at : at + width], "big") if width <= 4 else len(data)
            at += width
        if at + size > len(data):
            break
        fields.setdefault((record, number), []).append(data[at : at + size])
        at += size
    return fields


def _parts(value: object) -> list[bytes]:
    parts = value if isinstance(value, list) else [value]
    return [bytes(part) for part in parts if isinstance(part, bytes)]
