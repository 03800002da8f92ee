"""Exports pictures as tables, embeddings and archives, in the layout of clip-retrieval and img2dataset.

- npy: `img_emb/img_emb_0.npy`, `metadata/metadata_0.parquet` and, if all have one, first captions as `text_emb`
- parquet: `metadata_0.parquet` with a column `embedding`
- csv: `captions.csv`, a row for each caption
- webdataset: see `archives.py`
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from ..errors import SourceError, UsageError
from ..sources import tables
from ..sources.caption_files import MODEL_COLUMN
from ..storage.storage import Storage
from ..types.records import Format, Item, Kind, Problem, Progress, no_progress
from . import archives, columns

Written: TypeAlias = tuple[list[Path], list[Problem]]

PART = 100_000  # rows per file
BATCH = 5_000  # rows at a time
MODEL = "model.json"  # beside the embeddings: the model that made them


@dataclass(frozen=True)
class ExportReport:
    """The result of an export: the files that were written, and the problems."""

    folder: Path
    pictures: int
    files: tuple[Path, ...]
    problems: tuple[Problem, ...] = ()


@dataclass
class Exporter:
    """Writes pictures of one library into a new folder."""

    storage: Storage
    folder: Path
    max_megapixels: float = 250.0
    progress: Callable[[Progress], None] = no_progress

    def write(self, items: Sequence[Item], form: Format) -> ExportReport:
        """Write these items, in this order.

        Raises:
            UsageError: the folder holds other files or is a file, or pyarrow is needed and not installed.
            SourceError: the folder cannot be written to.
        """
        writers: dict[Format, Callable[[Sequence[Item]], Written]] = {
            "npy": self._npy,
            "parquet": self._parquet,
            "csv": self._csv,
            "webdataset": lambda some: archives.write(self.folder, self._rows(some), self.max_megapixels),
        }
        if form in ("npy", "parquet"):
            tables.arrow()
        try:
            if self.folder.exists() and (not self.folder.is_dir() or any(self.folder.iterdir())):
                raise UsageError(f"{self.folder} is a file, or a folder that is not empty; give a new folder")
            self.folder.mkdir(parents=True, exist_ok=True)
            files, problems = writers[form](items)
        except OSError as exc:
            raise SourceError(f"cannot write to {self.folder}: {exc.strerror or exc}") from exc
        return ExportReport(self.folder, len(items) - len(problems), tuple(files), tuple(problems))

    def _rows(self, items: Sequence[Item]) -> Iterator[tuple[Item, dict[str, Any]]]:
        """Yield items, each with its row of the table."""
        for start in range(0, len(items), BATCH):
            some = items[start : start + BATCH]
            with self.storage.read() as catalog:
                captions = catalog.captions.with_models({item.content for item in some})
            for place, item in enumerate(some, start=start + 1):
                yield item, columns.row(item, captions.get(item.content, []))
                if place % 100 == 0 or place == len(items):
                    self.progress(Progress("export", place, len(items)))

    def _csv(self, items: Sequence[Item]) -> Written:
        path = self.folder / "captions.csv"
        with path.open("w", newline="", encoding="utf-8") as stream:
            names = [name for name in columns.TYPES if name not in ("captions", "caption_models")]
            out = csv.DictWriter(stream, [*names, MODEL_COLUMN], extrasaction="ignore")
            out.writeheader()
            for _, row in self._rows(items):
                for text, model in (
                    zip(row["captions"], row["caption_models"], strict=True) if row["captions"] else [("", "")]
                ):
                    told = {"keywords": "; ".join(row["keywords"]), "caption": text, MODEL_COLUMN: model}
                    out.writerow({**row, **told})
        return [path], []

    def _parquet(self, items: Sequence[Item]) -> Written:
        found, lacking = self._embedded(items)
        files = [self._model()]
        for number, start in enumerate(range(0, len(found), PART)):
            files.append(self.folder / f"metadata_{number}.parquet")
            self._metadata(files[-1], found[start : start + PART], embeddings=True)
        return files, lacking

    def _npy(self, items: Sequence[Item]) -> Written:
        found, lacking = self._embedded(items)
        texts = self._first_texts(found)
        files = [self._model()]
        for number, start in enumerate(range(0, len(found), PART)):
            some = found[start : start + PART]
            files.append(self._embeddings("img_emb", number, Kind.PICTURE, [item.content for item in some]))
            if texts:
                files.append(self._embeddings("text_emb", number, Kind.TEXT, [texts[item.content] for item in some]))
            files.append(self.folder / "metadata" / f"metadata_{number}.parquet")
            files[-1].parent.mkdir(exist_ok=True)
            self._metadata(files[-1], some, embeddings=False)
        return files, lacking

    def _first_texts(self, items: Sequence[Item]) -> dict[int, int]:
        """Return the id of the first caption of each picture; nothing if one has no embedded caption."""
        contents = list(dict.fromkeys(item.content for item in items))
        with self.storage.read() as catalog:
            pairs = catalog.captions.pairs_of(contents)
            words = catalog.contents.texts(text for _, text in pairs)
            said = catalog.captions.of(contents)
        numbers = {(picture, words[text]): text for picture, text in pairs}
        first = {picture: numbers[picture, texts[0]] for picture, texts in said.items()}
        known = set(self.storage.vectors.get(Kind.TEXT, list(first.values()))[0].tolist())
        whole = all(content in first and first[content] in known for content in contents)
        return first if whole else {}

    def _embeddings(self, name: str, number: int, kind: Kind, contents: Sequence[int]) -> Path:
        path = self.folder / name / f"{name}_{number}.npy"
        path.parent.mkdir(exist_ok=True)
        dimensions = self.storage.active_space()[1].dimensions
        rows = np.lib.format.open_memmap(path, "w+", np.float32, (len(contents), dimensions))
        for start in range(0, len(contents), BATCH):
            rows[start : start + BATCH] = self.storage.vectors.rows(kind, contents[start : start + BATCH])
        rows.flush()
        return path

    def _embedded(self, items: Sequence[Item]) -> tuple[list[Item], list[Problem]]:
        """Return the items that have an embedding, and a problem for each of the others."""
        embedded: set[int] = set()
        for start in range(0, len(items), BATCH):
            ids, _ = self.storage.vectors.get(Kind.PICTURE, [item.content for item in items[start : start + BATCH]])
            embedded |= set(ids.tolist())
        why = "the current model has not encoded it yet; run `retrieval index`"
        lacking = [Problem(item.path, "unencoded", why) for item in items if item.content not in embedded]
        return [item for item in items if item.content in embedded], lacking

    def _model(self) -> Path:
        path = self.folder / MODEL
        path.write_text(json.dumps(asdict(self.storage.active_space()[1]), indent=1) + "\n", encoding="utf-8")
        return path

    def _metadata(self, path: Path, items: Sequence[Item], *, embeddings: bool) -> None:
        arrow = tables.arrow()
        kinds = {"strings": arrow.list_(arrow.string()), "string": arrow.string()}
        kinds |= {"double": arrow.float64(), "int64": arrow.int64()}
        fields = [(name, kinds[kind]) for name, kind in columns.TYPES.items()]
        if embeddings:
            fields.append(("embedding", arrow.list_(arrow.float32())))
        schema = arrow.schema(fields)
        with arrow.parquet.ParquetWriter(path, schema) as writer:
            for start in range(0, len(items), BATCH):
                some = items[start : start + BATCH]
                rows = [row for _, row in self._rows(some)]
                if embeddings:
                    vectors = self.storage.vectors.rows(Kind.PICTURE, [item.content for item in some])
                    rows = [{**row, "embedding": vector} for row, vector in zip(rows, vectors, strict=True)]
                writer.write_table(arrow.Table.from_pylist(rows, schema=schema))
