"""A GPU: pictures a second of ViT-B/32 and ViT-L/14 in bfloat16 against its matrix rate; searching ten million on it.

    python benchmarks/gpu.py [--device cuda] [--data FOLDER] [--at FOLDER] [--write] [--quick]

Three ways for each model: the network alone with its input on the device, our encoder with prepared pictures in memory,
and indexing photos of 12 megapixels as a whole. FAISS takes part where it was built for GPUs (the package faiss-gpu).
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import torch
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import peers, photos, report, synthetic
from retrieval import Library, Settings
from retrieval.encoders.openclip import OpenClip

MODELS = {"ViT-B/32": peers.ARCHITECTURE, "ViT-L/14": "ViT-L-14"}
WIDTH, K, RUNS = 512, 10, 20


class Card:
    """A device and how fast it multiplies matrices."""

    def __init__(self, name: str, side: int) -> None:
        self.device = torch.device(name)
        square = torch.randn(side, side, device=self.device, dtype=torch.bfloat16)
        self.rate = 2 * side**3 / self.seconds(lambda: square @ square)  # floating-point operations a second

    def __str__(self) -> str:
        return torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else report.cpu()

    def seconds(self, work: Callable[[], object]) -> float:
        """The median of a call, until the device has done it."""

        def done() -> None:
            work()
            if self.device.type == "cuda":
                torch.cuda.synchronize(self.device)

        done()
        return report.median(done, RUNS)


def encoding(card: Card, name: str, architecture: str, batch: int, place: Path, folder: Path) -> Iterator[list[object]]:
    """Rows of a model: its way, pictures a second, and the part of the card's matrix rate."""
    spelling = f"local-dir:{peers.checkpoint(place, architecture)}"
    encoder = OpenClip.load(spelling, str(card.device), "bfloat16")
    tower, side = encoder.model.visual, encoder.image_size
    ready = torch.randn(batch, 3, side, side, device=card.device, dtype=torch.bfloat16)
    with torch.inference_mode():
        with FlopCounterMode(display=False) as counter:
            tower(ready[:1])
        seconds = card.seconds(lambda: tower(ready))
    work = counter.get_total_flops()
    bytes_ = np.random.default_rng(0).integers(0, 256, (batch, side, side, 3), np.uint8)
    prepared = card.seconds(lambda: encoder.images(list(bytes_)))
    for way, rate in (("network alone", batch / seconds), ("prepared pictures", batch / prepared)):
        yield [f"{name}, {way}", rate, work * rate / card.rate]
    rate = indexed(Settings(model=spelling, device=str(card.device), precision="bfloat16", batch_size=batch), folder)
    yield [f"{name}, indexing", rate, work * rate / card.rate]


def indexed(settings: Settings, folder: Path) -> float:
    """Photos a second of indexing, the model loaded before."""
    with tempfile.TemporaryDirectory() as fresh, Library.create(Path(fresh) / "library", settings) as library:
        encoder = library.services.encoder(str(settings.model))
        encoder.images([encoder.prepare(Image.new("RGB", (320, 240)))])  # loads the model
        seconds = report.seconds(lambda: library.index([folder]))
    return len(list(folder.iterdir())) / seconds


def searching(card: Card, count: int) -> Iterator[list[object]]:
    """Rows of an index: name, vectors, milliseconds of a query and of one of a hundred, recall."""
    looks = synthetic.queries(100, WIDTH, texts=True)
    held = torch.empty(count, WIDTH, device=card.device, dtype=torch.float16)
    index: Any = None
    if hasattr(faiss, "StandardGpuResources"):
        config = faiss.GpuIndexFlatConfig()
        config.useFloat16 = True
        index = faiss.GpuIndexFlatIP(faiss.StandardGpuResources(), WIDTH, config)
    truth = synthetic.Truth(looks, K)
    for start, rows in synthetic.pieces(count, WIDTH):
        held[start : start + len(rows)] = torch.from_numpy(rows).to(card.device)
        if index is not None:
            index.add(rows)
        truth.add(start, rows)
    right = truth.best()

    def brute(queries: Any) -> Any:
        rows = torch.from_numpy(queries).to(card.device, torch.float16)
        return (rows @ held.T).topk(K).indices.cpu().numpy()

    ways: dict[str, Callable[[Any], Any]] = {"torch, exact, half precision": brute}
    if index is not None:
        ways["FAISS GPU Flat, half precision"] = lambda queries: index.search(queries, K)[1]
    for name, search in ways.items():
        one = card.seconds(lambda: search(looks[:1]))  # noqa: B023  # called at once
        many = card.seconds(lambda: search(looks))  # noqa: B023
        yield [name, count, 1000 * one, 1000 * many / len(looks), synthetic.recall(search(looks), right)]


def main() -> None:
    parser = report.parser(__doc__)
    parser.add_argument("--device", default="cuda", help="a device of torch")
    parser.add_argument("--data", type=Path, default=photos.DATA, help="the data sets for training and tests")
    found = parser.parse_args()
    if found.quick:
        found.device = "cpu"
    elif found.device.startswith("cuda") and not torch.cuda.is_available():
        sys.exit("no CUDA device here, so nothing was measured; run this on a machine that has one, or give --device")
    card = Card(found.device, 256 if found.quick else 8192)
    models = {"ViT-B/32": MODELS["ViT-B/32"]} if found.quick else MODELS
    batch, count, vectors = (4, 4, 2000) if found.quick else (256, 2000, 10_000_000)
    folder = photos.large(found.at, count, found.data)
    rows: list[list[object]] = [[f"bfloat16 matrices, {card.rate / 1e12:.3g} TFLOP/s", None, 1.0]]
    for name, architecture in models.items():
        rows += encoding(card, name, architecture, batch, found.at, folder)
    text = report.table(("work", "pictures a second", "of the matrix rate"), rows)
    text += "\n\n" + report.table(
        ("index", "vectors", "ms a query", "ms each of a hundred", "recall@10"), list(searching(card, vectors))
    )
    report.publish("gpu", f"{text}\n\nOn {card}.", write=found.write)


if __name__ == "__main__":
    main()
