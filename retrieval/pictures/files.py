"""Reading the bytes of files that may be gone, locked, endless or no files at all. Does not know pictures."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path

from ..errors import PictureError
from ..runtime.daemon_pool import alive
from ..runtime.regular_files import NotRegular, open_regular
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


def hash_of(file: BufferedReader) -> str:
    """Return the content hash of an open file, which is at its beginning before and after."""
    digest = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    file.seek(0)
    return digest


def _blocks(path: Path, largest: int | None) -> Iterator[bytes]:
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            if largest is not None and size > largest:
                raise PictureError(Reason.TOO_LARGE, f"{size:,} bytes are more than are read")
            while block := file.read(BLOCK):
                yield block
                alive()
            if not file.tell():
                raise PictureError(Reason.EMPTY, "the file is empty")
    except NotRegular as exc:
        raise PictureError(Reason.UNSUPPORTED, "it is not a regular file") from exc
    except FileNotFoundError as exc:
        raise PictureError(Reason.VANISHED, "the file is no longer there") from exc
    except OSError as exc:
        raise PictureError(Reason.UNREADABLE, f"cannot read the file: {exc.strerror}") from exc
