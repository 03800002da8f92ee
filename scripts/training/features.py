"""The cache: what the frozen lower half of the backbone says about every picture, computed once.

Two views a picture: as it is, and mirrored with a random crop. Knows files and the backbone; not captions.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from rich.progress import Progress
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from .backbone import Backbone, without_norms

SIZE, SHAPE, VIEWS = 224, (96, 14, 14), 2


class _Views(Dataset[Tensor]):
    """Picture i as (views, 3, 224, 224) uint8."""

    def __init__(self, pictures: Sequence[Path], views: int, seed: int) -> None:
        self.pictures, self.views, self.seed = pictures, views, seed

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> Tensor:
        picture = Image.open(self.pictures[index]).convert("RGB")
        views = [picture.resize((SIZE, SIZE), Image.Resampling.BICUBIC)]
        if self.views > 1:
            luck = np.random.default_rng((self.seed, index))
            side = np.sqrt(luck.uniform(0.55, 1.0))
            width, height = picture.width * side, picture.height * side
            left, top = luck.uniform(0, picture.width - width), luck.uniform(0, picture.height - height)
            box = (left, top, left + width, top + height)
            cropped = picture.resize((SIZE, SIZE), Image.Resampling.BICUBIC, box=box)
            views.append(ImageOps.mirror(cropped))
        return torch.from_numpy(np.stack([np.asarray(view) for view in views])).permute(0, 3, 1, 2)


def cache(
    pictures: Sequence[Path], backbone: Backbone, path: Path, progress: Progress, *, views: int = VIEWS, seed: int = 0
) -> np.ndarray:
    """Activations (pictures, views, 96, 14, 14) float16, memory-mapped; goes on where a killed run stopped."""
    shape = (len(pictures), views, *SHAPE)
    done = path.with_suffix(".done")
    start = int(done.read_text()) if path.exists() and done.exists() else 0
    rows = np.lib.format.open_memmap(path, "r+" if start else "w+", np.float16, None if start else shape)
    task = progress.add_task(f"features of {path.stem}", total=len(pictures), completed=start)
    if start < len(pictures):
        todo = torch.utils.data.Subset(_Views(pictures, views, seed), range(start, len(pictures)))
        lower = without_norms(backbone.lower).to(memory_format=torch.channels_last)
        for batch in DataLoader(todo, batch_size=32, num_workers=1, prefetch_factor=4):
            flat = batch.flatten(0, 1).to(memory_format=torch.channels_last)
            with torch.inference_mode():
                found = lower((flat.float() - 128) / 128)
            rows[start : start + len(batch)] = found.view(-1, views, *SHAPE).half().numpy()
            start += len(batch)
            progress.advance(task, len(batch))
            if start % 1024 == 0 or start == len(pictures):
                rows.flush()
                done.write_text(str(start))
    return rows


@torch.inference_mode()
def pooled(rows: np.ndarray, upper: torch.nn.Module) -> Tensor:
    """The mean of the upper half's activations, (pictures, views, 1280), in one pass over the cache."""
    flat = rows.reshape(-1, *SHAPE)
    parts = [
        upper(torch.from_numpy(flat[k : k + 256].astype(np.float32)).to(memory_format=torch.channels_last)).mean((2, 3))
        for k in range(0, len(flat), 256)
    ]
    return torch.cat(parts).view(rows.shape[0], rows.shape[1], -1)
