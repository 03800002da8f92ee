"""Gives memory that nobody uses back to the system, which the C library would else keep for later."""

from __future__ import annotations

import ctypes
import gc
from functools import cache


def give_back() -> None:
    """Free what Python no longer uses, and return free pages to the system where the C library is glibc."""
    gc.collect()
    trim = _trim()
    if trim is not None:
        trim(0)


@cache
def _trim() -> ctypes._NamedFuncPointer | None:
    try:
        return ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):  # another C library
        return None
