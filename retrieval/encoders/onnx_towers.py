"""A model's two ONNX graphs, run by ONNX Runtime on the CPU: pixels and tokens to unit rows, without torch.

Knows ONNX Runtime; does not know pictures, texts or tokenizers.
"""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ModelError, ModelUnavailable
from ..types.records import Pixels, Vectors
from .batching import by_length

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

IMAGE, TEXT = "image.onnx", "text.onnx"
FEW = 3  # inputs, one at a time, that a process must ask for to be worth an optimised session
MANY = FEW + 1
CORES = os.cpu_count() or 1


@dataclass
class OnnxTowers:
    """The graphs `image.onnx` and `text.onnx` of a folder, each loaded when it is first needed."""

    folder: Path
    piece: int  # pictures in a call: as many as a core's cache holds
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(CORES, "encode"))

    def __post_init__(self) -> None:
        # Each core runs pieces of its own: threads that share a piece wait for each other longer than they work.
        self._images = OnnxGraph(self.folder / IMAGE, threads=1)
        self._texts = OnnxGraph(self.folder / TEXT, threads=1)

    def images(self, pixels: Pixels) -> Vectors:
        """Return the unit rows of n pictures, (n, height, width, 3) uint8: (n, dimensions) float32."""
        return self._run("embeddings", pixels)

    def cells(self, pixels: Pixels) -> Vectors:
        """Return the last feature map of n pictures: (n, rows, columns, channels) float32."""
        return self._run("cells", pixels)

    def _run(self, output: str, pixels: Pixels) -> Vectors:
        session = self._images.session(len(pixels))
        pieces = [pixels[start : start + self.piece] for start in range(0, len(pixels), self.piece)]
        run = lambda some: session.run([output], {"pixels": some})[0]  # noqa: E731  # it is used once
        return np.concatenate(list(self._pool.map(run, pieces)))

    def texts(self, tokens: list[list[int]], padding: int) -> Vectors:
        """Return the unit rows of n texts, as lists of tokens: (n, dimensions) float32."""
        session = self._texts.session(len(tokens))
        pieces = list(by_length(tokens))

        def run(some: list[int]) -> Vectors:
            width = len(tokens[some[-1]])
            padded = np.array([[*tokens[place], *[padding] * (width - len(tokens[place]))] for place in some])
            found: Vectors = session.run(["embeddings"], {"tokens": padded})[0]
            return found

        found = [run(pieces[0])] if len(pieces) == 1 else list(self._pool.map(run, pieces))
        return np.concatenate(found)[np.argsort(np.concatenate(pieces))]


@dataclass
class OnnxGraph:
    """One graph and its session.

    A process that asks for a few rows, one at a time, as a search from the command line does, is answered by a session
    that was not optimised: it loads in a quarter of the time and takes half the memory.
    """

    path: Path
    threads: int = 0
    _session: InferenceSession | None = None
    _asked: int = 0
    _optimised: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def session(self, count: int) -> InferenceSession:
        """Return the session for so many inputs of one call."""
        with self._lock:
            self._asked += count if count == 1 else MANY
            wanted = self._asked > FEW
            if self._session is None or (wanted and not self._optimised):
                self._session = load(self.path, optimised=wanted, threads=self.threads)
                self._optimised = wanted
            return self._session


def load(path: Path, *, optimised: bool = True, threads: int = 0) -> InferenceSession:
    """Return a session of a graph on the CPU, with so many threads for a call (0: one for each core).

    One that is not `optimised` runs slower, but maps its weights into memory instead of reordering them.

    Raises:
        ModelError: the graph or its weights are damaged.
        ModelUnavailable: ONNX Runtime is not installed.
    """
    try:
        import onnxruntime
    except ImportError as exc:
        raise ModelUnavailable("this model runs on ONNX Runtime; install it with: pip install onnxruntime") from exc
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what goes wrong is raised
    options.intra_op_num_threads = threads
    if not optimised:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.add_session_config_entry("session.disable_prepacking", "1")
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as exc:  # ONNX Runtime's own classes of errors share no other base
        raise ModelError(f"cannot load {path}: {' '.join(str(exc).split())[:300]}") from exc
