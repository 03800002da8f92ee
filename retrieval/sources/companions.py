"""Which files of a folder belong to which picture: sidecars, the RAW file beside a JPEG, the film of a live photo.

Goes by names alone, in any case and Unicode form. Does not open files.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ..types.path_pattern import fold
from ..types.records import RAW_SUFFIXES, VIDEO_SUFFIXES
from .rules import PROCESSED, ending

LIVE_PICTURES = frozenset(".jpg .jpeg .heic .heif .hif".split())  # what the still of a live photo is
LIVE_FILMS = frozenset(".mov .mp4".split())
PARTS = RAW_SUFFIXES | LIVE_FILMS
SIDECARS = (".xmp", ".txt")

# Google Takeout cuts the names of its JSON files to 51 characters, and puts the number of a copy behind the ending.
TAKEOUT = "supplemental-metadata"
TAKEOUT_LONGEST = 46  # characters before `.json`
NUMBERED = re.compile(r"^(.*)(\(\d+\))$", re.DOTALL)
EDITED = re.compile(
    r"-(?:edited?|effects|bearbeitet|modifi[eé]|editad[oa]|modificato|(?:ge)?bewerkt|gewijzigd|redigerad|muokattu"
    r"|edytowane|編集済み)$",
    re.IGNORECASE,
)


@dataclass
class Companions:
    """The names of one folder, by which pictures find what belongs to them."""

    names: Iterable[str]
    _by_key: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    _takeout: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    _cut: list[tuple[str, str, str]] = field(default_factory=list)  # Takeout's cut names: rest, number, and the file

    def __post_init__(self) -> None:
        for name in self.names:
            if name[-5:].rpartition(".")[2].lower() not in ("xmp", "txt", "json"):  # most names, for speed
                continue
            end = ending(name)
            if end in SIDECARS:
                self._by_key[_key(name)].append(name)
            elif end == ".json":
                for key in _takeout_keys(name):
                    self._takeout[key].append(name)
                if len(name) >= TAKEOUT_LONGEST:
                    rest, number = _numbered(name[: -len(".json")])
                    self._cut.append((_key(rest), number, name))

    def sidecars(self, name: str) -> tuple[str, ...]:
        """Return the names of a picture's sidecars: XMP first, then text, then Takeout's JSON; the full name first.

        `a.jpg.xmp` and `a.xmp`, `a.jpg.txt` and `a.txt`, `a.jpg.json` and its variants.
        """
        if not self._by_key and not self._takeout:
            return ()
        stem = os.path.splitext(name)[0]  # noqa: PTH122  # strings, for speed
        found: list[str] = []
        for end in SIDECARS:
            for base in (name, stem):
                same = self._by_key.get(_key(base + end), ())
                found += sorted(same, key=lambda each: os.path.splitext(each)[0] != base)  # noqa: PTH122
        return tuple(dict.fromkeys((*found, *self._of_takeout(name))))

    def _of_takeout(self, name: str) -> list[str]:
        if not self._takeout:
            return []
        for key in _picture_keys(name):
            if key in self._takeout:
                return self._takeout[key]
        stem, end = os.path.splitext(name)  # noqa: PTH122
        bare, number = _numbered(stem)
        key = _key(bare + end)
        long = [each for each in self._cut if len(each[0]) >= TAKEOUT_LONGEST - 4]
        return [file for cut, of_copy, file in long if of_copy == number and key.startswith(cut)]


@dataclass
class IndexedPictures:
    """The files of one folder that are indexed: by them, RAW files and films find the picture they are part of."""

    taken: Iterable[str]
    _by_stem: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        ends = [(name, ending(name)) for name in self.taken]
        if not any(end in PARTS for _, end in ends):  # then nobody asks
            return
        for name, end in ends:
            if end in PROCESSED:
                self._by_stem[_key(os.path.splitext(name)[0])].append(name)  # noqa: PTH122

    def part_of(self, name: str) -> str:
        """Return the picture that a RAW file or film may be part of; empty if there is none."""
        if not self._by_stem:
            return ""
        end = ending(name)
        if end not in PARTS:
            return ""
        same = self._by_stem.get(_key(os.path.splitext(name)[0]), [])  # noqa: PTH122
        return next((each for each in same if end in RAW_SUFFIXES or ending(each) in LIVE_PICTURES), "")


def _key(name: str) -> str:
    return fold(name).casefold()


def _numbered(base: str) -> tuple[str, str]:
    """Return a name without the number of a copy at its end, and that number: `a.jpg`, `(1)`."""
    match = NUMBERED.match(base)
    return (match[1], match[2]) if match else (base, "")


def _takeout_keys(name: str) -> Iterable[str]:
    """Return the names of the picture that a JSON file of Google Takeout may belong to, as keys."""
    yield _key(name[: -len(".json")])  # `photo (1).jpg.json`
    base, number = _numbered(name[: -len(".json")])
    head, dot, tail = base.rpartition(".")
    whole_head, _, whole_tail = name[: -len(".json")].rpartition(".")
    if TAKEOUT.startswith(whole_tail.lower()) and whole_head:
        yield _key(whole_head)
    if dot and (TAKEOUT.startswith(tail.lower()) or tail.lower() == "metadata") and head:
        yield _key(head) + number
    yield _key(base) + number


def _picture_keys(name: str) -> Iterable[str]:
    """Return the keys under which the JSON of a picture may be filed, the likeliest first."""
    yield _key(name)
    stem, end = os.path.splitext(fold(name))  # noqa: PTH122
    yield _key(stem)
    bare, number = _numbered(stem)
    for base in dict.fromkeys((bare, EDITED.sub("", bare))):
        yield _key(base + end) + number
        yield _key(base) + number
        if end.lower() in VIDEO_SUFFIXES:
            for other in (".heic", ".jpg", ".jpeg"):
                yield _key(base + other) + number


def beside(path: Path) -> list[Path]:
    """Return the files that belong to a picture on disk: its sidecars, its RAW file, the film of a live photo.

    Raises:
        OSError: the folder cannot be listed.
    """
    names = os.listdir(path.parent)  # noqa: PTH208  # names are all that is needed
    parts = sorted(name for name in names if ending(name) in PARTS and name != path.name)
    pictures = IndexedPictures([path.name, *parts])
    parts = [name for name in parts if pictures.part_of(name)]
    found = (*Companions(names).sidecars(path.name), *parts)
    return [path.parent / name for name in found if (path.parent / name).is_file()]


def stands_for(path: Path) -> Path | None:
    """Return the picture on disk that is indexed in place of a RAW file or the film of a live photo, or None."""
    name = IndexedPictures(os.listdir(path.parent)).part_of(path.name)  # noqa: PTH208
    return path.parent / name if name else None
