"""Text in columns (CSV and its relatives): the separator is found out, and a quote that is never closed costs one row.

Reads with Python's `csv`. Does not know what the columns mean, but which names they may have.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

from .rules import PROCESSED, ending

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
USUAL = {".csv": ",", ".tsv": "\t", ".txt": ","}
NUMBER = re.compile(r"(?<=\.\w{3})#\d+$|(?<=\.\w{4})#\d+$")  # of a caption, as in Flickr's `a.jpg#0`
EXCEL_OR_COMMENT = re.compile(r"^(?:sep=.|#)", re.IGNORECASE)  # lines above the header
LONGEST_FIELD = 50_000_000  # letters: more than any file that is meant
MOST_LINES = 200  # lines that one quoted field may have


@dataclass(frozen=True)
class BrokenRow:
    """A row that cannot be read as it stands."""

    number: int  # of its first line, from 1
    message: str


@dataclass(frozen=True)
class DelimitedText:
    """A text in columns with its separator and the names of its columns."""

    lines: Sequence[str]  # each with its end
    separator: str
    header: Sequence[str]
    first: int  # place of the first row among the lines
    picture: int | None  # place of the column with pictures
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, content: str, suffix: str, pictures: Sequence[str], texts: Sequence[str]) -> Self | None:
        """Return the text with what was found out; None if it has no column for texts.

        `pictures` and `texts` are the names that columns may have. Without a header, a first column of picture files is
        taken for that, and the next one for the texts.
        """
        csv.field_size_limit(LONGEST_FIELD)
        lines = content.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        lines = [line + "\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
        start = next((k for k, line in enumerate(lines) if line.strip() and not EXCEL_OR_COMMENT.match(line)), None)
        if start is None:
            return None
        usual = USUAL[suffix]
        best: tuple[tuple[bool, bool, bool], str, list[str]] | None = None
        for separator in SEPARATORS:
            header = [name.strip().lower() for name in _cells(lines[start], separator)]
            if not set(header) & set(texts):
                continue
            fits = (bool(set(header) & set(pictures)), separator == usual, len(header) > 1)
            if best is None or fits > best[0]:
                best = fits, separator, header
        if best is not None:
            _, separator, header = best
            place = next((header.index(name) for name in pictures if name in header), None)
            said = (f"its columns are separated by {SEPARATORS[separator]}",) if separator != usual else ()
            return cls(lines, separator, header, start + 1, place, said)
        for separator in sorted(SEPARATORS, key=lambda each: each != usual):
            cells = _cells(lines[start], separator)
            if len(cells) > 1 and _is_picture(cells[0]):
                header = [pictures[0], *([""] * (len(cells) - 2)), texts[1]]
                said = ("it has no header: the first column is taken for the picture, the last one for the caption",)
                return cls(lines, separator, header, start, 0, said)
        return None

    def rows(self) -> Iterator[tuple[int, dict[str, str]] | BrokenRow]:
        """Yield each row with the number of its first line, and a broken one also as such."""
        at = self.first
        while at < len(self.lines):
            number = at + 1
            if not self.lines[at].strip():
                at += 1
                continue
            cells, count = self._record(at)
            if count == 0:
                yield BrokenRow(number, "a quote is never closed; it was read to the end of its line")
                cells, count = self.lines[at].rstrip("\n").replace('"', "").split(self.separator), 1
            at += count
            row = dict(zip(self.header, cells, strict=False))
            if len(cells) > len(self.header):  # a separator in a text without quotes
                line, last = self.lines[at - count].rstrip("\n"), len(self.header) - 1
                bare = count == 1 and '"' not in line
                row[self.header[-1]] = (
                    line.split(self.separator, last)[-1] if bare else self.separator.join(cells[last:])
                )
            if self.picture is not None and self.header[self.picture] in row:
                name = self.header[self.picture]
                row[name] = NUMBER.sub("", row[name])
            yield number, {name: cell.strip() for name, cell in row.items()}

    def _record(self, at: int) -> tuple[list[str], int]:
        """Return the cells of the record that begins at a line, and its number of lines; 0 if a quote is not closed."""
        reader = csv.reader(self.lines[at : at + MOST_LINES], delimiter=self.separator, skipinitialspace=True)
        cells = next(reader, [])
        count = reader.line_num
        if count == 1 and self.lines[at].count('"') % 2 == 0:
            return cells, 1
        rest = self.lines[at + 1 : at + count]
        strict = csv.reader(self.lines[at : at + count], delimiter=self.separator, skipinitialspace=True, strict=True)
        try:
            next(strict, None)
        except csv.Error as exc:
            if "end of data" in str(exc):
                return [], 0
        if any(self._is_row(line) for line in rest):  # it swallows rows up to the next quote
            return [], 0
        return cells, max(count, 1)

    def _is_row(self, line: str) -> bool:
        """Whether a line looks like a row of its own: as many columns, and a picture where one belongs."""
        cells = _cells(line, self.separator)
        return self.picture is not None and len(cells) == len(self.header) and _is_picture(cells[self.picture])


def _cells(line: str, separator: str) -> list[str]:
    return next(csv.reader([line], delimiter=separator, skipinitialspace=True), [])


def _is_picture(cell: str) -> bool:
    return ending(NUMBER.sub("", cell)) in PROCESSED
