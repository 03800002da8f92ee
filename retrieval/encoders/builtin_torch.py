"""The built-in model in torch: for a GPU, and for precisions that ONNX Runtime does not compute on a CPU."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ..runtime import devices
from . import builtin_weights
from .builtin_encoder import BuiltinEncoder
from .builtin_towers import PADDING, BuiltinTowers
from .fold_batchnorm import fold
from .openclip import OpenClip, Preprocessing, UninitialisedWeights


def load(encoder: BuiltinEncoder, device: str, precision: str) -> OpenClip:
    """Return the model on a device, with the embedding space and the preprocessing of `encoder`.

    Raises:
        ModelError: there is no such device or precision.
    """
    place = devices.choose_device(device)
    kind = devices.choose_precision(precision, place)
    with UninitialisedWeights():
        towers = BuiltinTowers()
    towers.visual = fold(towers.visual.eval())  # type: ignore[assignment]  # a copy of the same class
    towers.load_state_dict(builtin_weights.read(encoder.folder))
    towers = towers.to(place, kind or torch.float32).eval().requires_grad_(False)
    half = torch.tensor((0.5, 0.5, 0.5))
    return OpenClip(
        encoder.space, towers, Preprocessing(encoder.prepare, half, half), _tokens(encoder), place, kind,
        encoder.image_size, encoder.folder,
    )  # fmt: skip


def _tokens(encoder: BuiltinEncoder) -> Callable[[list[str]], Tensor]:
    def tokens(texts: list[str]) -> Tensor:
        rows = [torch.tensor(each.ids) for each in encoder.tokenizer.encode_batch(texts)]
        return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=PADDING)

    return tokens
