"""The files of the last answer, kept in the user's cache so that `retrieval open 2` knows what 2 is."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

from ..config import cache_folder
from ..errors import UsageError
from ..runtime import private_files
from ..types.records import Answer

FILE = "last-answer.json"
LEGEND = "legend-shown"


def keep(answer: Answer) -> None:
    """Keep the files of an answer by their ranks; that the cache cannot be written is no error."""
    files = {hit.rank: os.fsencode(hit.path).hex() for hit in answer.hits if hit.path is not None}
    path = cache_folder() / FILE
    with contextlib.suppress(OSError):
        private_files.make_folder(path.parent)
        private_files.write_text(path, json.dumps({"query": answer.query, "files": files}))


def files(ranks: tuple[int, ...]) -> list[Path]:
    """Return the files of these ranks of the last answer.

    Raises:
        UsageError: there is no last answer, or it has no such rank.
    """
    try:
        kept = json.loads((cache_folder() / FILE).read_text(encoding="utf-8"))
        known = {int(rank): Path(os.fsdecode(bytes.fromhex(name))) for rank, name in kept["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise UsageError("there is no last answer; search for something first: retrieval search WORDS") from None
    lacking = [rank for rank in ranks if rank not in known]
    if lacking:
        there = f"hits {min(known)} to {max(known)}" if known else "no hits"
        raise UsageError(f"the last answer ({str(kept.get('query'))[:60]!r}) has no hit {lacking[0]}; it has {there}")
    return [known[rank] for rank in ranks]


def first_time() -> bool:
    """Whether the legend of answers has not been shown to this user yet; from now on it has."""
    path = cache_folder() / LEGEND
    if path.exists():
        return False
    with contextlib.suppress(OSError):
        private_files.make_folder(path.parent)
        private_files.make_file(path)
    return True
