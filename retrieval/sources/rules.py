"""Which files and folders below a root are indexed: endings, hidden and system files, and the user's patterns."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from ..types import path_pattern
from ..types.records import RAW_SUFFIXES, VIDEO_SUFFIXES

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

PROCESSED = frozenset(
    ".jpg .jpeg .jpe .jfif .jif .jfi .jpg_large .mpo .insp .png .apng .webp .gif .tif .tiff .bmp .dib .avif .heic "
    ".heif .hif .jxl .jp2 .j2k .j2c .jpc .jpx .jpf .ppm .pgm .pbm .pnm .psd .tga .qoi".split()
)
EXTENSIONS = PROCESSED | RAW_SUFFIXES | VIDEO_SUFFIXES
SKIPPED_FOLDERS = frozenset({"@eaDir", "#recycle", "$RECYCLE.BIN", "node_modules", "__MACOSX"})


@dataclass(frozen=True)
class Rules:
    """Which files of a folder are indexed. Patterns are those of `.gitignore` (see `types.path_pattern`)."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    hidden: bool = False

    @property
    def patterns(self) -> set[tuple[str, str]]:
        """Every pattern, with the name of its option."""
        return {("include", each) for each in self.include} | {("exclude", each) for each in self.exclude}

    def at(self, root: str) -> RootRules:
        """Return the rules as they read below a root, which absolute patterns may name.

        Raises:
            UsageError: a pattern is none; the message says why.
        """
        return RootRules(self, root)


@dataclass
class RootRules:
    """The rules below one root, and which patterns have fitted nothing there so far."""

    rules: Rules
    root: str
    unused: set[tuple[str, str]] = field(default_factory=set)  # option and pattern, as they were given

    def __post_init__(self) -> None:
        self.unused = self.rules.patterns
        _ = self._include, self._exclude  # a pattern that is none is an error at once

    def takes(self, name: str, below: str) -> bool:
        """Whether a file is indexed; `below` is its path relative to the root."""
        if self.skips(name) or ending(name) not in EXTENSIONS:
            return False
        if self._include is None and self._exclude is None:
            return True
        place = path_pattern.fold(below)
        self._note("include", place)
        self._note("exclude", place)
        if self._include is not None and not self._include.match_file(place):
            return False
        return self._exclude is None or not self._exclude.match_file(place)

    def enters(self, name: str, below: str) -> bool:
        """Whether a folder is searched; `below` is its path relative to the root."""
        if name in SKIPPED_FOLDERS or name == ".git" or self.skips(name):
            return False
        if self._exclude is None:
            return True
        place = path_pattern.fold(below) + "/"
        self._note("exclude", place)
        return not self._exclude.match_file(place)

    def skips(self, name: str) -> bool:
        """Whether a file or folder is left out for being hidden (macOS's `._name`, too)."""
        return not self.rules.hidden and name.startswith(".")

    @cached_property
    def _include(self) -> GitIgnoreSpec | None:
        return self._specification(self.rules.include)

    @cached_property
    def _exclude(self) -> GitIgnoreSpec | None:
        return self._specification(self.rules.exclude)

    def _specification(self, patterns: Sequence[str]) -> GitIgnoreSpec | None:
        if not patterns:
            return None
        return path_pattern.specification([path_pattern.below(each, self.root) for each in patterns])

    @cached_property
    def _each(self) -> dict[tuple[str, str], GitIgnoreSpec]:
        return {
            (option, each): path_pattern.specification([path_pattern.below(each.removeprefix("!"), self.root)])
            for option, each in self.unused
        }

    def _note(self, option: str, place: str) -> None:
        """Take the patterns that fit a path off the list of unused ones."""
        if self.unused:
            fitting = {key for key in self.unused if key[0] == option and self._each[key].match_file(place)}
            self.unused -= fitting


def ending(name: str) -> str:
    """Return the suffix of a file name in lower case, as people see it: spaces behind it do not count."""
    return os.path.splitext(name.rstrip())[1].lower()  # noqa: PTH122  # strings, for speed
