"""Chooses the device and precision of a model: as asked for, or by measuring on the first batch.

Knows torch's devices; does not know models.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import Tensor

from ..errors import ModelError

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
FAITHFUL = 0.999  # lowest cosine with the float32 row that a lower precision may have
WORTH_IT = 1.15  # least speedup for which a lower precision is used


def choose_device(wanted: str) -> torch.device:
    """Return the device named by `wanted`; for `auto`, the first of CUDA, MPS and CPU that is available.

    Raises:
        ModelError: there is no such device, or it is not available.
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
    """Return the precision named by `wanted`; None if `auto` must be decided by measuring.

    Raises:
        ModelError: the precision is unknown, or the device does not support it.
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
    """Whether `fast` is clearly faster than `full`, with every row close to that of `full`.

    Each returns unit rows, `(n, dimensions)`.
    """
    exact, slow_seconds = clock(full)
    rough, fast_seconds = clock(fast)
    cosine = (exact.float() * rough.float()).sum(dim=1).min().item()
    return cosine >= FAITHFUL and slow_seconds >= WORTH_IT * fast_seconds


def clock(run: Callable[[], Tensor]) -> tuple[Tensor, float]:
    """Return the result of a call and its duration in seconds."""
    started = time.perf_counter()
    rows = run()
    return rows, time.perf_counter() - started
