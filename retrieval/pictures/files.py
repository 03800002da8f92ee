"""Reading the bytes of files that may be gone, locked, endless or no files at all. Does not know pictures."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from ..errors import PictureError
from ..runtime.daemon_pool import alive
from ..types.records import Reason

BLOCK = 8 << 20  # bytes read at a time


def read_file(path: Path, largest: int | None = None) -> tuple[bytes, str]:
    """Return a file's bytes and their content hash (BLAKE2b, 128 bits, hexadecimal).

    Raises:
        PictureError: the file has vanished, cannot be read, is no regular file, is empty, or has more than `largest`
            bytes; `reason` says which.
    """
    blocks = list(_blocks(path, largest))
    data = blocks[0] if len(blocks) == 1 else b"".join(blocks)
    return data, hashlib.blake2b(data, digest_size=16).hexdigest()


def hash_file(path: Path) -> str:
    """Return the content hash of a file, as `read_file` does, without keeping its bytes.

    Raises:
        PictureError: as for `read_file`.
    """
    hashed = hashlib.blake2b(digest_size=16)
    for block in _blocks(path, None):
        hashed.update(block)
    return hashed.hexdigest()


def _blocks(path: Path, largest: int | None) -> Iterator[bytes]:
    try:
        # without O_NONBLOCK, opening a pipe would wait for its writer
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:  # noqa: PTH123
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise PictureError(Reason.UNSUPPORTED, "it is not a regular file")
            if largest is not None and status.st_size > largest:
                raise PictureError(Reason.TOO_LARGE, f"{status.st_size:,} bytes are more than are read")
            while block := file.read(BLOCK):
                yield block
                alive()
            if not file.tell():
                raise PictureError(Reason.EMPTY, "the file is empty")
    except FileNotFoundError as exc:
        raise PictureError(Reason.VANISHED, "the file is no longer there") from exc
    except OSError as exc:
        raise PictureError(Reason.UNREADABLE, f"cannot read the file: {exc.strerror}") from exc
