"""Exports the image part of a loaded open_clip model to ONNX, and checks the export against the model.

Knows torch, ONNX and open_clip's preprocessing; `onnx_image.py` runs the export.
"""

from __future__ import annotations

import logging
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from PIL import Image
from torch import Tensor, nn

from ..errors import ModelError
from .onnx_image import INTERPOLATIONS, PIECE, Geometry, OnnxImageEncoder, store
from .onnx_towers import IMAGE, OnnxTowers
from .openclip import OpenClip

log = logging.getLogger(__name__)

SAME = 0.9999  # minimum cosine between the embeddings of the export and of the model
OPSET = 17
LARGE = 1024  # bytes of a tensor that is kept beside the graph
EXPORTER = "torch.onnx._internal.torchscript_exporter.utils"  # older versions of torch: `torch.onnx.utils`
LARGEST = 450_000_000  # parameters: a larger part would not fit into the 2 GB that an export may have
SHAPES = ((640, 427), (301, 512), (97, 97), (2000, 31))  # of the pictures that both are tried on


class _ImagePart(nn.Module):
    """(n, height, width, 3) uint8 to unit rows."""

    def __init__(self, model: OpenClip) -> None:
        super().__init__()
        self.model, self.normal = model.model, model.preprocess.normal

    def forward(self, pixels: Tensor) -> Tensor:
        rows = self.model.encode_image(self.normal(pixels, torch.float32))
        return nn.functional.normalize(rows.float(), dim=-1)


def export(model: OpenClip, sources: list[Path], folder: Path) -> OnnxImageEncoder | None:
    """Write the image part of a model into `folder`; return it, or None if it cannot be exported or differs.

    Why it could not is logged in one line; the model then stays in torch.
    """
    try:
        with tempfile.TemporaryDirectory(dir=_beside(folder)) as place:
            graph, geometry = Path(place) / "graph", None
            graph.mkdir()
            try:
                geometry = _geometry(model)
                _write(model, geometry, graph)
            except ModelError as exc:
                log.warning("pictures of %s are encoded by torch: %s", model.space.model, exc)
                geometry = None
                for file in graph.iterdir():
                    file.unlink()
            store(graph, geometry, sources, folder)
    except OSError as exc:
        log.warning("the image part of %s cannot be kept in %s: %s", model.space.model, folder, exc)
        return None
    return OnnxImageEncoder.load(folder)


def _beside(folder: Path) -> Path:
    """Return a folder on the same disk, for the unfinished export."""
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder.parent


def _geometry(model: OpenClip) -> Geometry:
    """Return the model's preprocessing in PIL.

    Raises:
        ModelError: it is of another kind, or does not give the same pixels.
    """
    said: Any = model.model.visual.preprocess_cfg
    height, width = said["size"] if isinstance(said["size"], (tuple, list)) else [int(said["size"])] * 2
    kind, mode = said.get("interpolation"), said.get("resize_mode")
    if kind not in INTERPOLATIONS or mode not in ("shortest", "squash") or (mode == "shortest" and height != width):
        raise ModelError(f"its preprocessing ({mode}, {kind}, {width} x {height}) has no counterpart")
    geometry = Geometry(height, width, kind, mode == "squash")
    for picture in _pictures():
        if not np.array_equal(geometry.cut(picture), model.prepare(picture)):
            raise ModelError("its preprocessing gives other pixels in PIL")
    return geometry


def _write(model: OpenClip, geometry: Geometry, graph: Path) -> None:
    """Write the graph, with weights in half precision if the output still agrees with the model's.

    Raises:
        ModelError: it cannot be exported, or disagrees in single precision, too.
    """
    traced = _traced(model, graph / IMAGE)
    for weights in (_halved(traced), traced):
        for file in graph.iterdir():
            file.unlink()
        # Weights beside the graph are mapped into memory, not read.
        onnx.save(weights, graph / IMAGE, save_as_external_data=True, location="image.weights", size_threshold=LARGE)
        cosine = _cosine(model, geometry, graph)
        if cosine >= SAME:
            return
    raise ModelError(f"its export disagrees with torch (cosine {cosine:.4f})")


def _traced(model: OpenClip, path: Path) -> onnx.ModelProto:
    size = sum(value.numel() for value in model.model.visual.parameters())
    if size > LARGEST:
        raise ModelError(f"its image part is too large to export ({size / 1e6:.0f} million parameters)")
    pixels = torch.from_numpy(np.stack([model.prepare(picture) for picture in _pictures()[:2]]))
    try:
        with _traceable(), torch.inference_mode():
            torch.onnx.export(
                _ImagePart(model).eval(), (pixels,), str(path), input_names=["pixels"], output_names=["embeddings"],
                dynamic_axes={"pixels": {0: "pictures"}, "embeddings": {0: "pictures"}}, opset_version=OPSET,
                dynamo=False,
            )  # fmt: skip
    except OSError:
        raise
    except Exception as exc:  # whatever the tracer does not know
        raise ModelError(f"it cannot be exported ({' '.join(str(exc).split())[:200]})") from exc
    return onnx.load(path)


def _halved(traced: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy whose large weights are in half precision, and are made single when they are read."""
    found = onnx.ModelProto()
    found.CopyFrom(traced)
    casts = []
    for tensor in found.graph.initializer:
        rows = numpy_helper.to_array(tensor)
        if rows.dtype == np.float32 and rows.nbytes >= LARGE:
            name = tensor.name
            tensor.CopyFrom(numpy_helper.from_array(rows.astype(np.float16), f"{name}.half"))
            casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *found.graph.node]
    del found.graph.node[:]
    found.graph.node.extend(nodes)
    return found


@contextmanager
def _traceable() -> Iterator[None]:
    """Set torch up so that attention is traced as plain operators, and nothing is printed."""
    exporter: Any = sys.modules.get(EXPORTER, torch.onnx.utils)
    fast, logged = torch.backends.mha.get_fastpath_enabled(), exporter.setup_onnx_logging
    torch.backends.mha.set_fastpath_enabled(value=False)  # ONNX has no operator for its fused attention
    exporter.setup_onnx_logging = nullcontext  # it prints a graph that fails to stdout, also where it is not verbose
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the tracer, about shapes that are the same for all inputs
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(value=fast)
        exporter.setup_onnx_logging = logged


def _cosine(model: OpenClip, geometry: Geometry, graph: Path) -> float:
    """Return the lowest cosine between the embeddings of a graph and of the model."""
    pixels = [geometry.cut(picture) for picture in _pictures()]
    own = OnnxTowers(graph, PIECE).images(np.stack(pixels))
    return float((own * model.images(pixels)).sum(axis=1).min())


def _pictures() -> list[Image.Image]:
    """Return smooth and rough pictures of several shapes, the same each time."""
    luck = np.random.default_rng(0)
    found = []
    for width, height in SHAPES:
        few = luck.integers(0, 256, (7, 7, 3)).astype(np.uint8)
        smooth = Image.fromarray(few).resize((width, height), Image.Resampling.BICUBIC)
        rough = luck.integers(-30, 30, (height, width, 3))
        found.append(Image.fromarray((np.asarray(smooth, np.int64) + rough).clip(0, 255).astype(np.uint8)))
    return found
