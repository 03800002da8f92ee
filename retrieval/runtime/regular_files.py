"""Opening files that may be pipes, sockets or devices instead: these would block for ever, or never end."""

from __future__ import annotations

import os
import stat
from io import BufferedReader
from pathlib import Path


class NotRegular(Exception):
    """What is at a path is no regular file."""


def open_regular(path: str | Path, *, follow: bool = True) -> BufferedReader:
    """Open a regular file for reading bytes; unless `follow`, a symbolic link is none.

    Raises:
        NotRegular: it is a folder, a pipe, a socket or a device.
        OSError: it cannot be opened.
    """
    # without O_NONBLOCK, opening a pipe would wait for its writer
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    file = open(os.open(path, flags), "rb")  # noqa: PTH123, SIM115  # the caller's
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise NotRegular
    return file
