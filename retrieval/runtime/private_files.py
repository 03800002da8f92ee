"""Files and folders for the eyes of their owner alone: libraries, tokens, kept answers.

What a program that root runs (`sudo retrieval ...`) writes goes to the owner of the folder, who must read it later.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


def make_folder(path: Path) -> None:
    """Make a folder and those above it that are lacking, open to their owner alone; one that is there stays as it is.

    Raises:
        OSError: it cannot be made.
    """
    for place in (*reversed(path.parents), path):
        if not place.exists():
            place.mkdir(mode=0o700, exist_ok=True)
            leave_to_owner(place)
    if not path.is_dir():
        raise NotADirectoryError(20, "Not a directory", str(path))


def make_file(path: Path) -> None:
    """Make an empty file that its owner alone can read, unless there is one.

    Raises:
        OSError: it cannot be made.
    """
    os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
    leave_to_owner(path)


def write_text(path: Path, text: str) -> None:
    """Write a file that its owner alone can read, whole or not at all; one that is there keeps its mode.

    Raises:
        OSError: it cannot be written.
    """
    with replacing(path) as stream:
        stream.write(text.encode())


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a new file in place of another, as `write_text` does; it takes its place where the block ends well.

    Raises:
        OSError: it cannot be written.
    """
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")
    try:
        make_file(temporary)
        with temporary.open("wb") as stream:
            yield stream
        if path.exists():
            temporary.chmod(path.stat().st_mode & 0o777)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def leave_to_owner(path: Path) -> None:
    """If root runs this program, give a new file or folder to the owner of the folder that it is in."""
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        folder = path.parent.stat()
        os.chown(path, folder.st_uid, folder.st_gid)
