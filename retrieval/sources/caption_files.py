"""Reads caption files: CSV, TSV, JSON Lines, COCO JSON, parquet, and the `.txt` beside a picture.

Does not know whether the pictures are in the library.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from ..errors import SourceError
from ..types.records import Caption, Problem, Reason
from . import absolute_path, tables
from .folders import sidecars

PICTURE_COLUMNS = ("image", "file_name", "filename", "image_path", "path", "file", "picture", "filepath")
TEXT_COLUMNS = ("captions", "caption", "text", "description", "sentence", "title", "txt")
Numbered: TypeAlias = "tuple[int, Mapping[str, Any] | Problem]"  # a row with its number
Rows: TypeAlias = Iterator[Numbered]
FORMATS = (".csv", ".tsv", ".txt", ".jsonl", ".ndjson", ".json", ".parquet")


def read_captions(table: Path, images: Path | None = None) -> Iterator[Caption | Problem]:
    """Yield every caption of `table`; picture names are relative to `images`, or else to the folder of the table.

    A row that cannot be used is yielded as a problem with its number.

    Raises:
        SourceError: the file cannot be read, has an unknown format, or has no caption column.
    """
    folder = absolute_path(images or table.parent)
    if table.suffix.lower() == ".parquet":
        return _captions(enumerate(tables.rows(table, (*PICTURE_COLUMNS, *TEXT_COLUMNS)), start=1), table, folder)
    try:
        content = table.read_text(encoding="utf-8-sig")
    except OSError as exc:
        raise SourceError(f"cannot read the captions in {table}: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise SourceError(f"{table} is not UTF-8 text (byte {exc.start}); save it as UTF-8") from exc
    match table.suffix.lower():
        case ".jsonl" | ".ndjson":
            rows = _json_lines(content, table)
        case ".json":
            rows = _coco(content, table)
        case ".csv" | ".tsv" | ".txt":
            rows = _csv(content, table)
        case other:
            raise SourceError(f"{table}: captions come as {', '.join(FORMATS)}, not {other or 'a file without ending'}")
    return _captions(rows, table, folder)


def _captions(rows: Iterable[Numbered], table: Path, folder: Path) -> Iterator[Caption | Problem]:
    for number, row in rows:
        if isinstance(row, Problem):
            yield row
            continue
        texts = first_of(row, TEXT_COLUMNS)
        name = first_of(row, PICTURE_COLUMNS)
        texts = texts if isinstance(texts, list) else [texts]
        useful = [text.strip() for text in texts if isinstance(text, str) and text.strip()]
        if not useful:
            yield Problem(table, Reason.BAD_ROW, f"row {number} has no caption")
        for text in useful:
            yield Caption(text, absolute_path(folder / name) if isinstance(name, str) and name else None, str(table))


def sidecar_text(path: Path) -> str:
    """Return the text of the `.txt` beside a picture, or an empty string.

    Bytes that are not UTF-8 are replaced.
    """
    for place in sidecars(path):
        if place.suffix == ".txt" and place.is_file():
            return place.read_text(encoding="utf-8", errors="replace").strip()
    return ""


def first_of(row: Mapping[str, Any], columns: Iterable[str]) -> object:
    """Return the first value that a row has in one of these columns, or None; case does not matter."""
    lowered = {str(key).strip().lower(): value for key, value in row.items() if key is not None}
    return next((lowered[column] for column in columns if lowered.get(column)), None)


def _csv(content: str, table: Path) -> Rows:
    delimiter = "\t" if table.suffix.lower() == ".tsv" else ","
    reader = csv.DictReader(io.StringIO(content, newline=""), delimiter=delimiter)
    header = [name.strip().lower() for name in reader.fieldnames or ()]
    if not set(header) & set(TEXT_COLUMNS):
        raise SourceError(
            f"{table}: no caption column in the first line ({', '.join(header)[:80] or 'empty file'}); "
            f"name one of the columns {', '.join(TEXT_COLUMNS)}"
        )
    try:
        for row in reader:
            yield reader.line_num, row
    except csv.Error as exc:
        yield reader.line_num, Problem(table, Reason.BAD_ROW, f"row {reader.line_num} is not CSV: {exc}")


def _json_lines(content: str, table: Path) -> Rows:
    for number, line in enumerate(content.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as exc:
            yield number, Problem(table, Reason.BAD_ROW, f"row {number} is not JSON: {exc.msg}")
            continue
        if isinstance(row, dict):
            yield number, row
        else:
            yield number, Problem(table, Reason.BAD_ROW, f"row {number} is not a JSON object")


def _coco(content: str, table: Path) -> Rows:
    try:
        whole = json.loads(content)
        names = {image["id"]: image["file_name"] for image in whole["images"]}
        notes = [(note["image_id"], note["caption"]) for note in whole["annotations"]]
    except (json.JSONDecodeError, KeyError, TypeError) as exc:
        raise SourceError(f"{table} is not a COCO caption file (images, annotations with captions): {exc}") from exc
    for number, (image, caption) in enumerate(notes, start=1):
        if image in names:
            yield number, {"image": names[image], "caption": caption}
        else:
            yield number, Problem(table, Reason.BAD_ROW, f"annotation {number} names the unknown image {image}")
