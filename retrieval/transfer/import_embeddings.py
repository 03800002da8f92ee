"""Imports embeddings that were made elsewhere: clip-retrieval's `img_emb` and `metadata`, or parquet files.

The first pictures of each file are also encoded here, to check that the model is the same. Captions in the metadata
are read later, like any caption file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import pictures
from ..encoders import Encoder
from ..errors import ModelError, PictureError, SourceError
from ..sources import absolute_path, tables
from ..sources.caption_files import PICTURE_COLUMNS, first_of
from ..storage.storage import Storage
from ..types.records import Kind, Problem, Progress, Reason, no_progress

BATCH = 256
CHECKED = 8  # pictures per file that are also encoded here
AGREES = 0.97  # least mean cosine of the two embeddings of a picture: precision and resizing may differ


@dataclass
class EmbeddingImporter:
    """Imports one folder into one library."""

    storage: Storage
    encoder: Encoder
    max_megapixels: float = 250.0
    progress: Callable[[Progress], None] = no_progress
    pictures: list[Path] = field(default_factory=list)  # the pictures that exist
    problems: list[Problem] = field(default_factory=list)

    def read(self, folder: Path, images: Path | None = None) -> list[Path]:
        """Store every embedding whose picture exists; return the metadata files, to be read for their captions.

        Call it while holding `write_lock()`. Picture names are relative to `images`, or else to the folder.

        Raises:
            SourceError: the folder holds no such files, or they do not match each other.
            ModelError: the embeddings are of another model.
        """
        files = list(_layout(folder))
        done = 0
        with self.storage.transaction() as catalog:
            space_id = catalog.spaces.add(self.encoder.space)
            embedded = catalog.contents.embedded(space_id)
        for metadata, rows in files:
            checked = False
            pairs = ((self._path(row, images or folder), vector) for row, vector in rows)
            while batch := list(islice(pairs, BATCH)):
                there = [(path, vector) for path, vector in batch if self._usable(path, vector, metadata)]
                checked = checked or self._compare(there[:CHECKED], metadata)
                self._store(there, space_id, embedded)
                done += len(batch)
                self.progress(Progress("import", done))
        return [metadata for metadata, _ in files]

    def _path(self, row: dict[str, Any], base: Path) -> Path:
        return absolute_path(base / str(first_of(row, PICTURE_COLUMNS) or ""))

    def _usable(self, path: Path, vector: npt.NDArray[np.float32], metadata: Path) -> bool:
        wide = self.encoder.space.dimensions
        if vector.shape != (wide,):
            raise ModelError(
                f"{metadata}: embeddings of {vector.size} numbers are not from {self.encoder.space.model}, which has "
                f"{wide}; say which model made them with --model"
            )
        if not path.is_file():
            self.problems.append(Problem(path, Reason.MISSING_PICTURE, "the metadata names it; there is no such file"))
        elif not np.isfinite(vector).all() or not vector.any():
            self.problems.append(Problem(path, Reason.BAD_ROW, "its embedding is all zero, or not finite"))
        else:
            return True
        return False

    def _compare(self, some: list[tuple[Path, npt.NDArray[np.float32]]], metadata: Path) -> bool:
        """Whether any of these pictures could be compared.

        Raises:
            ModelError: the embeddings are of another model.
        """
        cosines = []
        for path, vector in some:
            try:
                image = pictures.load(path, self.encoder.image_size, self.max_megapixels).image
            except PictureError:
                continue  # reported when it is stored
            own = self.encoder.images([self.encoder.prepare(image)])[0]
            cosines.append(float(own @ _unit(vector)))
        if cosines and np.mean(cosines) < AGREES:
            raise ModelError(
                f"{metadata}: the embeddings are not from {self.encoder.space.model}: on {len(cosines)} pictures "
                f"encoded here the mean cosine is {np.mean(cosines):.2f}; say which model made them with --model"
            )
        return bool(cosines)

    def _store(
        self, batch: list[tuple[Path, npt.NDArray[np.float32]]], space_id: int, embedded: dict[str, int]
    ) -> None:
        """Store the pictures that are new to the space, with thumbnails and fingerprints."""
        ready: list[tuple[str, bytes, int, npt.NDArray[np.float32]]] = []
        for path, vector in batch:
            try:
                data, digest = pictures.read_file(path)
                if digest not in embedded:
                    image = pictures.decode(data, path.name, pictures.THUMBNAIL_SIDE // 2, self.max_megapixels).image
                    ready.append((digest, *pictures.thumbnail(image), _unit(vector)))
                    embedded[digest] = -1
                self.pictures.append(path)
            except PictureError as exc:
                self.problems.append(Problem(path, exc.reason, str(exc)))
        with self.storage.transaction() as catalog:
            numbers = [catalog.contents.add(Kind.PICTURE, digest, thumbnail=small) for digest, small, _, _ in ready]
            stored = catalog.embeddings(space_id, self.encoder.space, Kind.PICTURE)
            if numbers:
                stored.put(numbers, np.stack([vector for *_, vector in ready]))
            bits = {number: each[2] for number, each in zip(numbers, ready, strict=True)}
            catalog.fingerprints.put(bits)


Rows = Iterator[tuple[dict[str, Any], npt.NDArray[np.float32]]]


def _layout(folder: Path) -> Iterator[tuple[Path, Rows]]:
    """Yield the metadata files of a folder, each with its rows and their embeddings.

    Raises:
        SourceError: the folder holds no such files, or their numbers differ.
    """
    embeddings = sorted((folder / "img_emb").glob("*.npy"))
    if embeddings:
        metadata = sorted((folder / "metadata").glob("*.parquet"))
        if len(metadata) != len(embeddings):
            raise SourceError(f"{folder}: {len(embeddings)} files in img_emb, {len(metadata)} in metadata")
        for table, file in zip(metadata, embeddings, strict=True):
            yield table, _beside(table, file)
        return
    found = sorted(folder.glob("*.parquet"))
    if not found:
        raise SourceError(f"{folder} has no img_emb/*.npy with metadata/*.parquet, no *.parquet and no *.tar")
    for table in found:
        yield table, _inside(table)


def _beside(table: Path, file: Path) -> Rows:
    try:
        vectors = np.load(file, mmap_mode="r")
    except (OSError, ValueError) as exc:
        raise SourceError(f"{file} is not a complete NumPy file") from exc
    count = tables.count(table)
    if vectors.ndim != 2 or count != len(vectors):
        raise SourceError(f"{file} has {len(vectors)} rows, {table} has {count}")
    for place, row in enumerate(tables.rows(table)):
        yield row, np.asarray(vectors[place], np.float32)


def _inside(table: Path) -> Rows:
    for row in tables.rows(table):
        vector = row.pop("embedding", None)
        if vector is None:
            raise SourceError(f"{table} has no column `embedding`")
        yield row, np.asarray(vector, np.float32)


def _unit(vector: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    length = np.float32(np.linalg.norm(vector))
    return vector if abs(length - 1) < 1e-5 else vector / length
