"""Numbered tar archives as written by webdataset and img2dataset: `000000000.jpg`, `.txt` and `.json`.

Does not know libraries.
"""

from __future__ import annotations

import csv
import io
import json
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import zip_longest
from pathlib import Path
from typing import Any

from .. import pictures
from ..errors import PictureError, SourceError
from ..sources.caption_files import MODEL_COLUMN, MODELS_COLUMN
from ..sources.rules import EXTENSIONS
from ..types.records import Item, Problem, Reason
from .copy_link import free

CAPTIONS = "captions.csv"  # beside pictures unpacked from an archive
SHARD = 10_000  # pictures per archive
QUALITY = 95  # JPEG quality of pictures that are encoded again
LARGEST = 1 << 30  # most bytes of a file that is unpacked


def write(
    folder: Path, rows: Iterable[tuple[Item, Mapping[str, Any]]], max_megapixels: float
) -> tuple[list[Path], list[Problem]]:
    """Write pictures as upright JPEGs, each with its first caption and its metadata, into archives in a folder.

    Returns the archives and the problems.
    """
    files: list[Path] = []
    problems: list[Problem] = []
    number = 0
    with ExitStack() as stack:
        for item, row in rows:
            try:
                data = _jpeg(item, max_megapixels)
            except PictureError as exc:
                problems.append(Problem(item.path, exc.reason, str(exc)))
                continue
            if number % SHARD == 0:
                stack.close()
                files.append(folder / f"{number // SHARD:05}.tar")
                archive = stack.enter_context(tarfile.open(files[-1], "w"))
            parts = {"jpg": data, "txt": row["caption"].encode(), "json": json.dumps(row).encode()}
            for ending, content in parts.items():
                entry = tarfile.TarInfo(f"{number:09}.{ending}")
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
            number += 1
    return files, problems


def _jpeg(item: Item, max_megapixels: float) -> bytes:
    """Return the bytes of the file if it is an upright JPEG, else its picture encoded as one."""
    if item.facts.format == "JPEG" and item.facts.orientation == 1 and item.second is None:
        return pictures.read_file(item.path)[0]
    image = pictures.load(item.path, max_megapixels=max_megapixels, second=item.second).image
    out = io.BytesIO()
    image.save(out, "JPEG", quality=QUALITY)
    return out.getvalue()


def unpack(archives: Sequence[Path], folder: Path) -> Iterator[Path | Problem]:
    """Unpack pictures and their texts, each archive into a folder of its own; yield pictures and problems.

    Texts go into a `captions.csv` there. Only the last part of a path in an archive is used: nothing is written
    anywhere else.

    Raises:
        SourceError: the folder cannot be written to.
    """
    for archive in archives:
        place = folder / archive.stem
        pictures_of: dict[str, Path] = {}
        texts: dict[str, list[tuple[str, str]]] = {}
        try:
            place.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise SourceError(f"cannot write to {place}: {exc.strerror}") from exc
        try:
            with tarfile.open(archive) as entries:
                for entry in entries:
                    name = Path(entry.name).name
                    key, ending = Path(name).stem, Path(name).suffix.lower()
                    if not entry.isfile() or name.startswith(".") or ending not in (EXTENSIONS | {".txt", ".json"}):
                        continue
                    if entry.size > LARGEST:
                        yield Problem(archive / entry.name, Reason.TOO_LARGE, f"{entry.size} bytes in an archive")
                        continue
                    content = entries.extractfile(entry)
                    assert content is not None  # it is a file
                    if ending in EXTENSIONS:
                        pictures_of[key] = _put(content.read(), place / name)
                        yield pictures_of[key]
                    else:
                        texts[key] = _texts(content.read(), ending, texts.get(key, []))
        except (tarfile.TarError, EOFError, OSError) as exc:
            yield Problem(archive, Reason.TRUNCATED, f"the archive cannot be read: {exc}")
        rows = [(path.name, *said) for key, path in pictures_of.items() for said in texts.get(key, [])]
        if rows:
            _write_captions(place / CAPTIONS, rows)


def _texts(data: bytes, ending: str, captions: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the text of a `.txt`, or the `captions` (or `caption`) of a `.json`; or `captions`, unless it has fewer.

    Each has the model that wrote it, which is empty for captions by people.
    """
    text = data.decode("utf-8", "replace")
    try:
        row = json.loads(text) if ending == ".json" else {"caption": text}
    except ValueError:
        return captions
    found = row.get("captions") or [row.get("caption")] if isinstance(row, dict) else []
    models = row.get(MODELS_COLUMN) if isinstance(row, dict) else None
    pairs = zip_longest(found, models if isinstance(models, list) else [], fillvalue="")
    said = [
        (" ".join(text.split()), str(model or "")) for text, model in pairs if isinstance(text, str) and text.strip()
    ]
    return said if len(said) > len(captions) or (len(said) == len(captions) and ending == ".json") else captions


def _write_captions(path: Path, rows: Sequence[tuple[str, str, str]]) -> None:
    try:
        with path.open("w", newline="", encoding="utf-8", errors="surrogateescape") as stream:
            csv.writer(stream).writerows([("image", "caption", MODEL_COLUMN), *rows])
    except OSError as exc:
        raise SourceError(f"cannot write {path}: {exc.strerror}") from exc


def _put(data: bytes, path: Path) -> Path:
    """Write a file unless an earlier run wrote the same one; return its path.

    Raises:
        SourceError: it cannot be written.
    """
    try:
        if path.exists() and path.read_bytes() == data:
            return path
        path = free(path)
        path.write_bytes(data)
    except OSError as exc:
        raise SourceError(f"cannot write {path}: {exc.strerror}") from exc
    return path
