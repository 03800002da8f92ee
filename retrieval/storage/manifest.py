"""The manifest of a library, `library.json`: its format and where its parts are; and the errors of a disk.

Does not know what the parts hold.
"""

from __future__ import annotations

import errno
import json
import shutil
from pathlib import Path

from ..config import MANIFEST as MANIFEST
from ..errors import LibraryDamaged, LibraryError, LibraryNotFound, LibraryReadOnly, LibraryVersionError, StorageFull
from ..runtime import private_files

FORMAT = 1
CATALOG, VECTORS = "catalog.sqlite", "vectors"
TASK_LOCK, TURN_LOCK, HOLDER = "writer.lock", "turn.lock", "writer.json"
OWN = {CATALOG, VECTORS, TASK_LOCK, TURN_LOCK, HOLDER}  # what a library that was not finished may have left


def require(path: Path) -> None:
    """Check that there is a library at `path` that this version can open.

    Raises:
        LibraryNotFound: there is none.
        LibraryVersionError: it was written by another version of the package.
        LibraryDamaged: the manifest is damaged, or the catalog is missing.
        LibraryError: the manifest cannot be read.
    """
    try:
        manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
        form = int(manifest["format"])
    except (FileNotFoundError, NotADirectoryError) as exc:
        raise LibraryNotFound(
            f"there is no library at {path}; make one with `retrieval index FOLDER --index {path}`"
        ) from exc
    except OSError as exc:
        raise LibraryError(f"cannot open the library at {path}: {exc.strerror}") from exc
    except (ValueError, KeyError, TypeError) as exc:
        raise LibraryDamaged(f"{path / MANIFEST} is damaged; `retrieval check --repair` writes it anew") from exc
    if form != FORMAT:
        raise LibraryVersionError(
            f"the library at {path} has format {form}, this program reads {FORMAT}; "
            "use the version of `retrieval` that made it, or index again in another place"
        )
    if not (path / CATALOG).is_file():
        raise LibraryDamaged(f"{path / CATALOG} is missing; delete {path} and index again")


def prepare(path: Path) -> None:
    """Make the folder of a new library, which its owner alone can enter.

    Raises:
        LibraryError: the folder holds other files, is a file, or cannot be written to.
        StorageFull: the disk is full.
    """
    try:
        private_files.make_folder(path)
        if any(entry.name not in OWN for entry in path.iterdir() if _foreign(entry)):
            raise LibraryError(f"{path} holds other files; give an empty or new folder with --index")
        private_files.make_folder(path / VECTORS)
    except (FileExistsError, NotADirectoryError) as exc:
        raise LibraryError(f"{path} is a file; give a folder with --index") from exc
    except PermissionError as exc:
        raise LibraryReadOnly(f"cannot write to {path}; give another place with --index") from exc
    except OSError as exc:
        raise disk_error(exc, path) from exc


def write(path: Path) -> None:
    """Write the manifest atomically.

    Raises:
        LibraryError: it cannot be written.
        StorageFull: the disk is full.
    """
    note = {"format": FORMAT, "what": "a library of `retrieval`", "truth": CATALOG, "cache": VECTORS}
    try:
        private_files.write_text(path / MANIFEST, json.dumps(note, indent=1) + "\n")
    except OSError as exc:
        raise disk_error(exc, path) from exc


def size(path: Path) -> int:
    """Return how many bytes the files of a library take."""
    return sum(map(_size, path.rglob("*")))


def _size(file: Path) -> int:
    try:
        return file.stat().st_size if file.is_file() else 0
    except OSError:  # deleted since it was listed
        return 0


def _foreign(entry: Path) -> bool:
    return not entry.name.startswith((".", CATALOG, MANIFEST))


def disk_error(exc: OSError, path: Path) -> LibraryError | StorageFull:
    """Return the error of this package that says what went wrong while writing below `path`."""
    if exc.errno in (errno.ENOSPC, errno.EDQUOT):
        free = shutil.disk_usage(path).free >> 10 if path.exists() else 0
        return StorageFull(f"no room on the disk that holds {path} ({free} KiB left); free some and run it again")
    if exc.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
        return LibraryReadOnly(f"cannot write to {path}: {exc.strerror}")
    return LibraryError(f"{path}: {exc.strerror or exc}")
