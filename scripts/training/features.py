"""Caches: what a frozen network says about views of every picture, computed once.

Knows files and a network; not captions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageEnhance, ImageOps
from rich.progress import Progress
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

PIECE = 8  # pictures that go through a network together: what is in flight stays in a CPU's cache
SIZE = 224  # pixels a side, unless asked for otherwise


@dataclass(frozen=True)
class Views(Dataset[Tensor]):
    """Picture i as (count, 3, size, size) uint8: as it is, then crops (or all of it), every second one mirrored."""

    pictures: Sequence[Path]
    count: int
    size: int = SIZE
    crops: bool = True
    seed: int = 0

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> Tensor:
        picture = Image.open(self.pictures[index]).convert("RGB")
        views = np.stack([np.asarray(view) for view in self._views(picture, np.random.default_rng((self.seed, index)))])
        return torch.from_numpy(views).permute(0, 3, 1, 2)

    def _views(self, picture: Image.Image, luck: np.random.Generator) -> Iterator[Image.Image]:
        square, bicubic = (self.size, self.size), Image.Resampling.BICUBIC
        yield picture.resize(square, bicubic)
        for number in range(1, self.count):
            side = np.sqrt(luck.uniform(0.55, 1.0)) if self.crops else 1.0
            width, height = picture.width * side, picture.height * side
            left, top = luck.uniform(0, picture.width - width), luck.uniform(0, picture.height - height)
            view = picture.resize(square, bicubic, box=(left, top, left + width, top + height))
            if number > 1:
                for change in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
                    view = change(view).enhance(luck.uniform(0.6, 1.4))
            yield ImageOps.mirror(view) if number % 2 else view


def cache(
    views: Views, network: nn.Module, shape: tuple[int, ...], path: Path, progress: Progress, middle: float = 127.5
) -> np.ndarray:
    """(pictures, views, *shape) float16, memory-mapped; goes on where a killed run stopped.

    `network` reads (n, 3, size, size) of (x - middle) / middle and gives (n, *shape).
    """
    whole = (len(views), views.count, *shape)
    done = path.with_suffix(".done")
    start = int(done.read_text()) if path.exists() and done.exists() else 0
    rows = np.lib.format.open_memmap(path, "r+" if start else "w+", np.float16, None if start else whole)
    task = progress.add_task(f"features of {path.stem}", total=len(views), completed=start)
    device = next(network.parameters()).device
    if start < len(views):
        todo = torch.utils.data.Subset(views, range(start, len(views)))
        for batch in DataLoader(todo, batch_size=64 // views.count, num_workers=1, prefetch_factor=4):
            flat = batch.flatten(0, 1).to(device, memory_format=torch.channels_last)
            with torch.inference_mode():
                found = torch.cat([network((some.float() - middle) / middle) for some in torch.split(flat, PIECE)])
            rows[start : start + len(batch)] = found.view(len(batch), views.count, *shape).half().cpu().numpy()
            start += len(batch)
            progress.advance(task, len(batch))
            if start % 1024 == 0 or start == len(views):
                rows.flush()
                done.write_text(str(start))
    return rows


def fingerprint(network: nn.Module) -> str:
    """Eight digits that tell networks apart, so that a cache is never taken for another network's."""
    digest = hashlib.blake2b(digest_size=4)
    for value in network.state_dict().values():
        digest.update(value.cpu().numpy().tobytes())
    return digest.hexdigest()
