"""Evaluation of a model on a caption file: each caption retrieves its picture, each picture its captions.

Needs files and an encoder, but no library.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..encoders import Encoder
from ..errors import SourceError
from ..indexing.decode_ahead import DecodedFile, Decoder, read_ahead
from ..sources.caption_files import read_captions
from ..types.records import Caption, Problem, Progress, Reason, ScannedFile, Vectors, no_progress
from ..types.results import Evaluation
from .recall import best_ranks, metrics

BLOCK = 1000  # queries compared at a time


@dataclass(frozen=True)
class Pairs:
    """Captions and their pictures, with the embeddings of both."""

    pictures: list[Path]
    images: Vectors  # (pictures, dimensions)
    captions: list[str]
    texts: Vectors  # (captions, dimensions)
    owner: npt.NDArray[np.int64]  # (captions,) the row of each caption's picture
    problems: tuple[Problem, ...]

    @property
    def right(self) -> npt.NDArray[np.bool_]:
        """Whether each picture belongs to each caption, (captions, pictures)."""
        found: npt.NDArray[np.bool_] = self.owner[:, None] == np.arange(len(self.pictures))[None]
        return found


def encode(
    encoder: Encoder,
    table: Path,
    images: Path,
    *,
    batch_size: int = 32,
    threads: int = 4,
    progress: Callable[[Progress], None] = no_progress,
) -> Pairs:
    """Encode all readable pictures of the caption file `table`, which lie in `images`, and their captions.

    Raises:
        SourceError: the file cannot be read, or none of its pictures can.
    """
    texts: dict[Path, list[str]] = {}
    problems: list[Problem] = []
    for row in read_captions(table, images):
        if isinstance(row, Caption) and row.picture is not None:
            texts.setdefault(row.picture, []).append(row.text)
        else:
            problems.append(
                row if isinstance(row, Problem) else Problem(table, Reason.BAD_ROW, "a caption without a picture")
            )
    pictures, rows, bad = _pictures(encoder, list(texts), batch_size, threads, progress)
    if not pictures:
        raise SourceError(f"none of the {len(texts)} pictures that {table} names can be read in {images}")
    spoken = [text for path in pictures for text in texts[path]]
    owner = np.repeat(np.arange(len(pictures)), [len(texts[path]) for path in pictures])
    return Pairs(pictures, rows, spoken, _texts(encoder, spoken, progress), owner, (*problems, *bad))


def evaluate(model: str, pairs: Pairs) -> Evaluation:
    """Return recall@k and MRR in both directions, in percent."""
    return Evaluation(
        text_to_image=metrics(_ranks(pairs.texts, pairs.images, pairs.right)),
        image_to_text=metrics(_ranks(pairs.images, pairs.texts, pairs.right.T)),
        images=len(pairs.pictures),
        captions=len(pairs.captions),
        model=model,
        problems=pairs.problems,
    )


def _pictures(
    encoder: Encoder, paths: Sequence[Path], batch_size: int, threads: int, progress: Callable[[Progress], None]
) -> tuple[list[Path], Vectors, list[Problem]]:
    reader = Decoder(encoder.prepare, encoder.image_size, 250.0)
    good: list[Path] = []
    rows: list[Vectors] = []
    problems: list[Problem] = []
    batch: list[DecodedFile] = []

    def flush() -> None:
        if batch:
            rows.append(encoder.images([ready.shots[0].pixels for ready in batch if ready.shots[0].pixels is not None]))
            good.extend(ready.file.path for ready in batch)
            batch.clear()

    files = (ScannedFile(path, 0, 0) for path in paths)
    for number, (_, ready) in enumerate(read_ahead(files, reader, threads, 2 * batch_size + threads), start=1):
        if isinstance(ready, Problem):
            problems.append(ready)
        elif isinstance(ready, DecodedFile):
            batch.append(ready)
        if len(batch) == batch_size:
            flush()
        progress(Progress("pictures", number, len(paths)))
    flush()
    return good, np.concatenate(rows) if rows else np.empty((0, encoder.space.dimensions), np.float32), problems


def _texts(encoder: Encoder, texts: Sequence[str], progress: Callable[[Progress], None]) -> Vectors:
    rows = []
    for start in range(0, len(texts), 256):
        rows.append(encoder.texts(texts[start : start + 256]))
        progress(Progress("texts", min(start + 256, len(texts)), len(texts)))
    return np.concatenate(rows)


def _ranks(queries: Vectors, gallery: Vectors, right: np.ndarray) -> np.ndarray:
    blocks = range(0, len(queries), BLOCK)
    return np.concatenate([best_ranks(queries[k : k + BLOCK] @ gallery.T, right[k : k + BLOCK]) for k in blocks])
