"""Writes the built-in encoder as it ships: one file of small weights, and two ONNX graphs that read it.

Convolutions and heads are float16; the text tower's matrices are int8 with a scale for each row. Both graphs refer to
their weights in `model.safetensors` by place, so that ONNX Runtime and torch read the same file. Knows ONNX and
safetensors; does not know training.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import save_file
from torch import Tensor, nn

from retrieval.encoders.builtin_encoder import WEIGHTS
from retrieval.encoders.builtin_towers import BuiltinTowers
from retrieval.encoders.builtin_weights import SCALE, quantised
from retrieval.encoders.fold_batchnorm import fold
from retrieval.encoders.onnx_towers import IMAGE, TEXT

OPSET = 17


class Pictures(nn.Module):
    """(n, side, side, 3) uint8 to unit rows, and the last feature map that they come from."""

    def __init__(self, towers: BuiltinTowers) -> None:
        super().__init__()
        self.visual = towers.visual

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        seen = self.visual.trunk.forward_features((pixels.permute(0, 3, 1, 2).float() - 127.5) / 127.5)
        cells = seen.permute(0, 2, 3, 1)  # (n, rows, columns, channels)
        return nn.functional.normalize(self.visual.head(cells.mean((1, 2))), dim=-1), cells


class Words(nn.Module):
    """(n, length) tokens to unit rows."""

    def __init__(self, towers: BuiltinTowers) -> None:
        super().__init__()
        self.text = towers.text

    def forward(self, tokens: Tensor) -> Tensor:
        return nn.functional.normalize(self.text(tokens), dim=-1)


def write(towers: BuiltinTowers, folder: Path, side: int) -> str:
    """Write `model.safetensors`, `image.onnx` and `text.onnx` into `folder`; return the weights' fingerprint."""
    folder.mkdir(parents=True, exist_ok=True)
    towers.visual = fold(towers.visual.eval())  # type: ignore[assignment]  # a copy of the same class
    stored: dict[str, Tensor] = {}
    for name, value in towers.state_dict().items():
        stored.update(quantised(name, value))
    save_file(dict(sorted(stored.items())), folder / WEIGHTS)
    (folder / WEIGHTS).chmod(0o644)
    towers.eval()
    pixels, tokens = torch.zeros(2, side, side, 3, dtype=torch.uint8), torch.ones(2, 5, dtype=torch.long)
    axes = {name: {0: "pictures"} for name in ("pixels", "embeddings", "cells")}
    graph(Pictures(towers), {"pixels": pixels}, axes, folder / IMAGE)
    axes = {"tokens": {0: "texts", 1: "length"}, "embeddings": {0: "texts"}}
    graph(Words(towers), {"tokens": tokens}, axes, folder / TEXT)
    return hashlib.blake2b((folder / WEIGHTS).read_bytes(), digest_size=8).hexdigest()


def graph(module: nn.Module, given: Mapping[str, Tensor], axes: Mapping[str, dict[int, str]], path: Path) -> None:
    """Write a module as a graph that refers to the folder's `model.safetensors` by place.

    `given` are examples of the inputs; `axes` names the free dimensions of each input, then of each output, in order.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the tracer, about shapes that are the same for all inputs
        torch.onnx.export(
            module.eval(), tuple(given.values()), str(path), input_names=[*given],
            output_names=[name for name in axes if name not in given], dynamic_axes=dict(axes), opset_version=OPSET,
            dynamo=False, do_constant_folding=False,
        )  # fmt: skip
    model = onnx.load(path)
    places = _places(path.parent / WEIGHTS)
    kept, extra = [], []
    for tensor in model.graph.initializer:
        if tensor.name not in places or places[tensor.name][0] == "FLOAT":
            kept.append(tensor if tensor.name not in places else _external(tensor.name, places))
            continue
        kept += [_external(tensor.name + end, places) for end in ("", SCALE) if tensor.name + end in places]
        extra += _restored(tensor.name, model.graph, places)
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    nodes = [*extra, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(_sorted(nodes, model.graph))
    onnx.save(model, path)


def _restored(
    name: str, graph: onnx.GraphProto, places: dict[str, tuple[str, list[int], int, int]]
) -> list[onnx.NodeProto]:
    """Return the nodes that make float32 of a stored tensor; its readers are turned to them.

    A table of words is looked up first, so that only the rows of a text are made float32.
    """
    readers = [node for node in graph.node if name in node.input]
    lookups = [node for node in readers if node.op_type == "Gather" and node.input[0] == name]
    if lookups and name + SCALE in places:
        nodes = []
        for node in lookups:
            found, rows = node.output[0], node.output[0] + ".stored"
            node.output[0] = rows
            scales = rows + SCALE
            nodes += [
                helper.make_node("Gather", [name + SCALE, node.input[1]], [scales]),
                *_scaled(rows, scales, found, axes=2),  # (texts, length, groups, columns of a group)
            ]
        return nodes
    whole = name + ".float"
    for node in readers:
        for place, each in enumerate(node.input):
            if each == name:
                node.input[place] = whole
    if name + SCALE in places:
        return _scaled(name, name + SCALE, whole, axes=1)
    return [helper.make_node("Cast", [name], [whole], to=TensorProto.FLOAT)]


def _scaled(stored: str, scales: str, found: str, axes: int) -> list[onnx.NodeProto]:
    """Return the nodes that multiply int8 groups by their scales and join the groups behind the first `axes`."""
    shape = numpy_helper.from_array(np.array([0] * axes + [-1]))
    return [
        helper.make_node("Cast", [stored], [stored + ".unscaled"], to=TensorProto.FLOAT),
        helper.make_node("Cast", [scales], [scales + ".float"], to=TensorProto.FLOAT),
        helper.make_node("Mul", [stored + ".unscaled", scales + ".float"], [found + ".groups"]),
        helper.make_node("Constant", [], [found + ".shape"], value=shape),
        helper.make_node("Reshape", [found + ".groups", found + ".shape"], [found]),
    ]


def _sorted(nodes: list[onnx.NodeProto], graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """Return nodes in an order in which each comes after what it reads, as ONNX asks."""
    known = {each.name for each in (*graph.initializer, *graph.input)} | {""}
    found = []
    while nodes:
        ready = [node for node in nodes if known.issuperset(node.input)]
        found += ready
        known.update(name for node in ready for name in node.output)
        nodes = [node for node in nodes if not known.issuperset(node.output)]
    return found


def _external(name: str, places: dict[str, tuple[str, list[int], int, int]]) -> onnx.TensorProto:
    kind, shape, start, length = places[name]
    tensor = TensorProto(name=name, data_type=TensorProto.DataType.Value(kind), dims=shape)
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", WEIGHTS), ("offset", start), ("length", length)):
        tensor.external_data.add(key=key, value=str(value))
    return tensor


def _places(path: Path) -> dict[str, tuple[str, list[int], int, int]]:
    """Return (ONNX type, shape, first byte, bytes) of each tensor of a safetensors file."""
    with path.open("rb") as stream:
        size = int.from_bytes(stream.read(8), "little")
        header = json.loads(stream.read(size))
    kinds = {"F16": "FLOAT16", "F32": "FLOAT", "I8": "INT8"}
    return {
        name: (kinds[entry["dtype"]], entry["shape"], 8 + size + entry["data_offsets"][0],
               entry["data_offsets"][1] - entry["data_offsets"][0])
        for name, entry in header.items() if name != "__metadata__"
    }  # fmt: skip
