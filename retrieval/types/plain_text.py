"""Text as it may be stored and shown: without characters that command a terminal or reorder a line."""

from __future__ import annotations

import re

# Control characters but tab and newline, and those that override the direction of the text around them (a name that
# reads "photo_gpj.exe" backwards). Marks that order a word of its own, as Hebrew and Arabic need, stay.
COMMANDS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]+")


def plain(text: str) -> str:
    """Return text without control characters, direction overrides and lone surrogates, on the ends stripped."""
    return COMMANDS.sub(" ", text.encode("utf-8", "replace").decode("utf-8")).strip("\ufeff \t\r\n")
