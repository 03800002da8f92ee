"""Which device, and which precision: asked for, or chosen by measuring on the first batch.

Knows torch's devices; does not know models.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import Tensor

from ..errors import ModelError

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
FAITHFUL = 0.999  # least cosine to float32 that a lower precision must keep
WORTH_IT = 1.15  # how many times faster it must be


def choose_device(wanted: str) -> torch.device:
    """The device named by `wanted`, or for `auto` the first of CUDA, MPS and CPU that is there.

    Raises:
        ModelError: the device is not there or not a device.
    """
    if wanted == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(wanted)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as exc:
        raise ModelError(f"no device {wanted!r} here; use --device cpu, or auto to have one chosen") from exc
    return device


def choose_precision(wanted: str, device: torch.device) -> torch.dtype | None:
    """The precision named by `wanted`; None for `auto` where only a measurement can tell.

    Raises:
        ModelError: no such precision, or the device has no use for it.
    """
    if wanted != "auto":
        if wanted not in PRECISIONS:
            raise ModelError(f"no precision {wanted!r}; use auto, {', '.join(PRECISIONS)}")
        if wanted == "float16" and device.type == "cpu":
            raise ModelError("float16 is for GPUs; on a CPU use --precision bfloat16 or float32")
        return PRECISIONS[wanted]
    if device.type == "cpu":
        return None if torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported() else torch.float32
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    return torch.float32


def measure(full: Callable[[], Tensor], fast: Callable[[], Tensor]) -> bool:
    """Whether `fast` is worth it: clearly faster than `full`, and every row faithful to it. Each gives unit rows."""
    exact, slow_seconds = clock(full)
    rough, fast_seconds = clock(fast)
    cosine = (exact.float() * rough.float()).sum(dim=1).min().item()
    return cosine >= FAITHFUL and slow_seconds >= WORTH_IT * fast_seconds


def clock(run: Callable[[], Tensor]) -> tuple[Tensor, float]:
    """What a call gives, and its seconds."""
    started = time.perf_counter()
    rows = run()
    return rows, time.perf_counter() - started
