"""Reads caption files: CSV, TSV, JSON Lines, COCO JSON and parquet.

Encodings and separators are found out. Does not know whether the pictures are in the library.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import unquote, urlsplit

from ..errors import SourceError
from ..runtime import charset
from ..runtime.regular_files import NotRegular, open_regular
from ..types.records import Caption, Problem, Reason
from . import absolute_path, tables
from .delimited import BrokenRow, DelimitedText

PICTURE_COLUMNS = (
    *("image", "file_name", "filename", "image_path", "path", "file", "picture", "filepath", "image_name"),
    *("sourcefile", "photo"),
)
TEXT_COLUMNS = ("captions", "caption", "text", "description", "sentence", "title", "txt", "comment")
MODEL_COLUMN, MODELS_COLUMN = "caption_model", "caption_models"  # which model wrote it, or each; empty: a person
LONGEST = 20_000  # letters of a caption
Numbered: TypeAlias = "tuple[int, Mapping[str, Any] | Problem]"  # a row with its number
Rows: TypeAlias = Iterator[Numbered]
FORMATS = (".csv", ".tsv", ".txt", ".jsonl", ".ndjson", ".json", ".parquet")
MARKS = (  # byte order marks; UTF-32's begin with those of UTF-16
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True)
class CaptionFile:
    """The rows of an opened caption file, and what was found out about it, for people."""

    rows: Iterator[Caption | Problem]
    notes: tuple[str, ...] = ()


def read_captions(table: Path, images: Path | None = None) -> Iterator[Caption | Problem]:
    """Yield every caption of `table`, and each row that cannot be used as a problem; see `open_captions`."""
    return open_captions(table, images).rows


def open_captions(table: Path, images: Path | None = None) -> CaptionFile:
    """Open a caption file; its picture names are relative to `images`, or else to the folder of the table.

    A row that cannot be used is a problem with its number among the rows.

    Raises:
        SourceError: the file cannot be read, has an unknown format, or has no caption column.
    """
    folder = absolute_path(images or table.parent)
    if table.suffix.lower() == ".parquet":
        rows = enumerate(tables.rows(table, (*PICTURE_COLUMNS, *TEXT_COLUMNS, MODELS_COLUMN, MODEL_COLUMN)), start=1)
        return CaptionFile(_captions(rows, table, folder))
    content, notes = _text(table)
    match table.suffix.lower():
        case ".jsonl" | ".ndjson":
            return CaptionFile(_captions(_json_lines(content, table), table, folder), notes)
        case ".json":
            return CaptionFile(_captions(_coco(content, table), table, folder), notes)
        case ".csv" | ".tsv" | ".txt":
            delimited = DelimitedText.of(content, table.suffix.lower(), PICTURE_COLUMNS, TEXT_COLUMNS)
            if delimited is None:
                first = " ".join(content.split("\n", 1)[0].split())[:80] or "empty file"
                raise SourceError(
                    f"{table}: no caption column in the first line ({first}); "
                    f"name one of the columns {', '.join(TEXT_COLUMNS)}"
                )
            said = notes + tuple(f"{table.name}: {note}" for note in delimited.notes)
            return CaptionFile(_captions(_delimited(delimited, table), table, folder), said)
        case other:
            raise SourceError(f"{table}: captions come as {', '.join(FORMATS)}, not {other or 'a file without ending'}")


def _text(table: Path) -> tuple[str, tuple[str, ...]]:
    """Return the text of a file, and a note if it is not UTF-8."""
    try:
        with open_regular(table) as file:
            data = file.read()
    except NotRegular as exc:
        raise SourceError(f"{table} is not a regular file; save the captions in one") from exc
    except OSError as exc:
        raise SourceError(f"cannot read the captions in {table}: {exc.strerror}") from exc
    encoding = next((name for mark, name in MARKS if data.startswith(mark)), "utf-8")
    if encoding == "utf-8" and b"\0" in data[:2] and len(data) % 2 == 0:  # UTF-16 without its mark
        encoding = "utf-16-le" if data[1:2] == b"\0" else "utf-16-be"
    try:
        return data.decode(encoding), ()
    except UnicodeDecodeError:
        found = charset.detected(data)
        return data.decode(found, "replace"), (f"{table.name} is not UTF-8; it was read as {found}",)


def _captions(rows: Iterable[Numbered], table: Path, folder: Path) -> Iterator[Caption | Problem]:
    for number, row in rows:
        if isinstance(row, Problem):
            yield row
            continue
        texts = first_of(row, TEXT_COLUMNS)
        name, model = first_of(row, PICTURE_COLUMNS), first_of(row, (MODELS_COLUMN, MODEL_COLUMN))
        picture = _picture(folder, whole(name)) if isinstance(name, str) and name else None
        used = 0
        several = texts if isinstance(texts, list) else [texts]
        for text, by in zip_longest(several, model if isinstance(model, list) else [model] * len(several)):
            if not isinstance(text, str) or not text.strip():
                continue
            used += 1
            if len(text) > LONGEST:
                message = f"the caption of row {number} has {len(text):,} letters, more than {LONGEST:,}"
                yield Problem(table, Reason.BAD_ROW, message)
                continue
            if text != whole(text):
                message = f"row {number} has half of a character (a surrogate), which was replaced"
                yield Problem(table, Reason.BAD_ROW, message)
            yield Caption(whole(text).strip(), picture, str(table), by if isinstance(by, str) else "")
        if not used:
            yield Problem(table, Reason.BAD_ROW, f"row {number} has no caption")


def _picture(folder: Path, name: str) -> Path:
    """Return the picture that a row names: a path, one with the separators of Windows, or a `file:` address."""
    if name.startswith("file://"):
        name = unquote(urlsplit(name).path)
    place = absolute_path(folder / name)
    other = absolute_path(folder / name.replace("\\", "/"))
    return other if other != place and not place.exists() else place


def whole(text: str) -> str:
    """Return a text with halves of surrogate pairs, which no file can hold, replaced by question marks."""
    return text.encode("utf-8", "replace").decode("utf-8")


def first_of(row: Mapping[str, Any], columns: Iterable[str]) -> object:
    """Return the first value that a row has in one of these columns, or None; case does not matter."""
    lowered = {str(key).strip().lower(): value for key, value in row.items() if key is not None}
    return next((lowered[column] for column in columns if lowered.get(column)), None)


def _delimited(text: DelimitedText, table: Path) -> Rows:
    for row in text.rows():
        if isinstance(row, BrokenRow):
            yield row.number, Problem(table, Reason.BAD_ROW, f"row {row.number}: {row.message}")
        else:
            yield row


def _json_lines(content: str, table: Path) -> Rows:
    lines = content.replace("\r\n", "\n").replace("\r", "\n").split("\n")  # a text may hold other line separators
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as exc:
            message = getattr(exc, "msg", "") or str(exc)
            yield number, Problem(table, Reason.BAD_ROW, f"row {number} is not JSON: {message}")
            continue
        if isinstance(row, dict):
            yield number, row
        else:
            yield number, Problem(table, Reason.BAD_ROW, f"row {number} is not a JSON object")


def _coco(content: str, table: Path) -> Rows:
    try:
        document = json.loads(content)
        if isinstance(document, list) and all(isinstance(row, dict) for row in document):
            yield from enumerate(document, start=1)  # a list of rows, as exiftool writes it
            return
        images, annotations = list(document["images"]), list(document["annotations"])
    except (ValueError, KeyError, TypeError, RecursionError) as exc:
        raise SourceError(f"{table} is not a COCO caption file (images, annotations with captions): {exc}") from exc
    names = {
        str(image["id"]): image["file_name"]
        for image in images
        if isinstance(image, dict) and "id" in image and isinstance(image.get("file_name"), str)
    }
    for number, entry in enumerate(annotations, start=1):
        image = entry.get("image_id") if isinstance(entry, dict) else None
        if not isinstance(entry, dict) or not isinstance(entry.get("caption"), str):
            yield number, Problem(table, Reason.BAD_ROW, f"annotation {number} has no caption")
        elif str(image) in names:
            yield number, {"image": names[str(image)], "caption": entry["caption"]}
        else:
            yield number, Problem(table, Reason.BAD_ROW, f"annotation {number} names the unknown image {image}")
