"""Patterns of file names by the rules of git's `.gitignore`, as `--include`, `--exclude` and `path:` take them.

Beyond git: `{a,b}` stands for either, endings match in any case, brackets may also be meant as they are, and Unicode
forms are folded (NFC). Does not know the disk.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

import bracex
from pathspec import GitIgnoreSpec

from ..errors import UsageError

MOST_STARS = 6  # runs of `*` in a pattern: each more may multiply the time that one name takes
MOST_ALTERNATIVES = 100  # patterns that braces may stand for
ENDING = re.compile(r"\.[A-Za-z0-9]+/?$")


def fold(path: str) -> str:
    """Return a path as it is compared: composed characters (NFC), separated by `/`."""
    return path if path.isascii() else unicodedata.normalize("NFC", path)


@lru_cache(256)
def anywhere(pattern: str) -> re.Pattern[str]:
    """Return a regular expression for whole paths: a relative pattern may begin in any folder.

    Raises:
        UsageError: it is no pattern; the message says why.
    """
    rooted = pattern.startswith("/")
    found = specification([pattern if rooted or "/" not in pattern.rstrip("/") else f"**/{_relative(pattern)}"])
    each = [str(line.regex.pattern).lstrip("^") for line in found.patterns if line.include and line.regex is not None]
    whole = "|".join(re.sub(r"\(\?P<\w+>", "(?:", one) for one in each)  # one expression is faster than several
    return re.compile(f"/(?:{whole})" if whole else r"(?!)")


def fits(path: str, pattern: str) -> bool:
    """Whether an absolute path is, or lies in, what a pattern names (see `anywhere`)."""
    return anywhere(pattern).match(fold(path)) is not None


def below(pattern: str, root: str) -> str:
    """Return a pattern as it reads below a root: absolute paths into it and a leading `./` are cut off."""
    sign, text = ("!", pattern[1:]) if pattern.startswith("!") else ("", pattern)
    start = root.rstrip("/") + "/"
    if text.startswith(start):
        return f"{sign}/{text.removeprefix(start)}"
    return f"{sign}/{_relative(text)}" if text.startswith("./") else sign + text


def _relative(pattern: str) -> str:
    return pattern.removeprefix("./")


def specification(patterns: list[str] | tuple[str, ...]) -> GitIgnoreSpec:
    """Return the specification of patterns in their order: a later `!pattern` takes back what an earlier one matched.

    Raises:
        UsageError: one of them is no pattern; the message says why.
    """
    lines = [line for pattern in patterns for line in _lines(fold(pattern))]
    try:
        return GitIgnoreSpec.from_lines(lines)
    except ValueError as exc:
        raise UsageError(f"{' '.join(patterns)!r} is not a pattern: {exc}") from exc


def _lines(pattern: str) -> list[str]:
    """Return the lines of a `.gitignore` that stand for one pattern."""
    if len(re.findall(r"\*+", pattern)) > MOST_STARS:
        raise UsageError(f"{pattern!r} has more than {MOST_STARS} stars; write a shorter pattern")
    try:
        each = list(bracex.expand(pattern, keep_escapes=True, limit=MOST_ALTERNATIVES))
    except bracex.ExpansionLimitException as exc:
        raise UsageError(f"{pattern!r} stands for more than {MOST_ALTERNATIVES} patterns") from exc
    each = [one.replace("[[]", "\\[").replace("[]]", "\\]") for one in each]  # signs in brackets stand for themselves
    lines = [_line(one) for one in each]
    if "[" in pattern:  # `[2020] Trip` is also the name of a folder
        lines += [_line(re.sub(r"(?<!\\)[\[\]]", r"\\\g<0>", one)) for one in each]
    return lines


def _line(pattern: str) -> str:
    """Return one line: its ending matches in any case, and what only git's files treat as special is escaped."""
    if pattern.startswith("#"):
        pattern = "\\" + pattern
    if pattern.endswith(" ") and not pattern.endswith("\\ "):
        pattern = pattern[:-1] + "\\ "
    ending = ENDING.search(pattern)
    if ending is None:
        return pattern
    folded = re.sub(r"[A-Za-z]", lambda letter: f"[{letter[0].lower()}{letter[0].upper()}]", ending[0])
    return pattern[: ending.start()] + folded
