"""What the finished encoder's image tower sees in every picture, as the captioner reads it, computed once.

Knows the package's encoder and files; does not know captions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image
from rich.progress import Progress

from retrieval.encoders.builtin_encoder import BuiltinEncoder
from retrieval.types.records import Pixels

SIDE = 6  # cells of the captioner's grid, each way
TOKENS = SIDE * SIDE + 1  # with the mean of all cells
BATCH = 64

Change = Callable[[Image.Image, int], Image.Image]  # an RGB picture and its number -> another


def pooling(rows: int, side: int = SIDE) -> np.ndarray:
    """Return the matrix that pools `rows` x `rows` cells to `side` x `side` and their mean: (tokens, cells) float32."""
    part = np.zeros((side, rows), np.float32)
    for place in range(side):
        start, end = place * rows // side, -(-(place + 1) * rows // side)
        part[place, start:end] = 1 / (end - start)
    cells = rows * rows
    return np.concatenate([np.kron(part, part), np.full((1, cells), 1 / cells, np.float32)])


def cache(
    encoder: BuiltinEncoder, pictures: Sequence[Path], path: Path, progress: Progress, change: Change | None = None
) -> np.ndarray:
    """Return the tokens of n pictures, (n, 37, 1280) float16, memory-mapped; goes on where a killed run stopped."""
    done = path.with_suffix(".done")
    start = int(done.read_text()) if path.exists() and done.exists() else 0
    task = progress.add_task(path.stem, total=len(pictures), completed=start)

    def prepared(number: int) -> Pixels:
        with Image.open(pictures[number]) as picture:
            upright = picture.convert("RGB")
        return encoder.prepare(change(upright, number) if change else upright)

    with ThreadPoolExecutor(2) as pool:
        ahead = pool.map(prepared, range(start, min(start + BATCH, len(pictures))))
        rows: np.memmap | None = None
        while start < len(pictures):
            end = min(start + BATCH, len(pictures))
            batch = np.stack(list(ahead))
            ahead = pool.map(prepared, range(end, min(end + BATCH, len(pictures))))
            cells = encoder.towers.cells(batch)
            matrix = pooling(cells.shape[1])
            tokens = np.einsum("tc,ncf->ntf", matrix, cells.reshape(len(cells), -1, cells.shape[-1]), optimize=True)
            if rows is None:
                whole = (len(pictures), *tokens.shape[1:])
                rows = np.lib.format.open_memmap(path, "r+" if start else "w+", np.float16, None if start else whole)
            rows[start:end] = tokens
            start = end
            progress.advance(task, len(batch))
            if start % 1024 == 0 or start == len(pictures):
                rows.flush()
                done.write_text(str(start))
    return np.lib.format.open_memmap(path, "r")
