"""Checks and repairs a library: manifest, catalog, vectors and vector files.

Does not know models, queries or sources.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from ..errors import LibraryDamaged, LibraryNotFound
from ..types.records import Finding, Kind
from .catalog import Database
from .catalog.dialects.sqlite_salvage import salvage
from .manifest import CATALOG, FORMAT, MANIFEST
from .manifest import write as write_manifest
from .storage import OpenStore, Storage

UNIT = 1e-3  # largest difference of a stored vector's length from 1


def check(path: Path, open_store: OpenStore, *, repair: bool = False) -> list[Finding]:
    """Return everything that is wrong with the library at `path`; with `repair`, fix what can be fixed.

    Raises:
        LibraryNotFound: there is no library at `path`.
        LibraryDamaged: with `repair`, nothing of the catalog can be read.
        LibraryLocked: with `repair`, another process is writing.
    """
    if not (path / MANIFEST).exists() and not (path / CATALOG).exists():
        raise LibraryNotFound(f"there is no library at {path}")
    findings = _manifest(path, repair)
    if findings and not findings[-1].mended:
        return findings
    found = _catalog(path, repair)
    findings += found
    if any(not finding.mended for finding in found):
        return findings
    storage = Storage.open(path, open_store, read_only=not repair)
    try:
        if repair:
            with storage.write_lock("retrieval check --repair"), storage.locks.turn():
                return findings + _contents(storage, repair=True)
        return findings + _contents(storage, repair=False)
    finally:
        storage.close()


def _manifest(path: Path, repair: bool) -> list[Finding]:
    try:
        if json.loads((path / MANIFEST).read_text(encoding="utf-8"))["format"] <= FORMAT:
            return []
    except (OSError, ValueError, KeyError, TypeError):
        if repair:
            write_manifest(path)
        return [Finding(f"{MANIFEST} is missing or damaged", mended=repair)]
    return []  # a newer format is refused by `Storage.open`


def _catalog(path: Path, repair: bool) -> list[Finding]:
    """Run SQLite's own checks; with `repair`, salvage a damaged file and keep the old one as `.damaged`."""
    file = path / CATALOG
    try:
        database = Database.open(file, read_only=True)
        wrong = database.integrity()
        database.close()
    except LibraryDamaged as exc:
        wrong = [str(exc)]
    if not wrong:
        return []
    findings = [Finding(f"{CATALOG}: {line}", mended=repair) for line in wrong]
    if repair:
        fresh = path / (CATALOG + ".new")
        fresh.unlink(missing_ok=True)
        copied = salvage(file, fresh)
        for end in ("-wal", "-shm"):
            (path / (CATALOG + end)).unlink(missing_ok=True)
        os.replace(file, path / (CATALOG + ".damaged"))  # noqa: PTH105  # written like the line below
        os.replace(fresh, file)  # noqa: PTH105
        rows = ", ".join(f"{count} {table}" for table, count in copied.items() if count)
        findings.append(Finding(f"saved {rows}; the old file is kept as {CATALOG}.damaged", mended=True))
    return findings


def _contents(storage: Storage, repair: bool) -> list[Finding]:
    findings: list[Finding] = []
    with storage.read() as catalog:
        spaces, serving = catalog.spaces.all(), catalog.spaces.active()
    for space_id, space in spaces:
        for kind in Kind:
            collection = storage.store.collection(space_id, space, kind)
            with storage.transaction() if repair else storage.read() as catalog:
                stored = catalog.embeddings(space_id, space, kind)
                bad = stored.malformed(UNIT)
                if bad:
                    findings.append(Finding(f"{len(bad)} {kind} vectors are damaged", mended=repair))
                    if repair:
                        stored.forget(bad)
                wrong = collection.disagreement(stored)
                if wrong or (bad and repair):
                    if wrong:
                        findings.append(Finding(wrong, mended=repair))
                    if repair:
                        collection.rebuild(stored)
    if repair:
        storage.vectors.save()
    if serving is not None:
        with storage.read() as catalog:
            lacking = {kind: len(catalog.contents.lacking(serving[0], kind)) for kind in Kind}
        findings += [
            Finding(f"{count} {kind}s are not embedded yet; run `retrieval index` on their folders")
            for kind, count in lacking.items()
            if count
        ]
    for stray in storage.path.rglob("*.new"):
        findings.append(Finding(f"a file was left half written: {stray.name}", mended=repair))
        if repair:
            stray.unlink(missing_ok=True)
    return findings
