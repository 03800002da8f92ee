"""Files that could not be used, with their reasons; and the folders that were indexed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from sqlalchemy import delete, func, select

from ...types.records import Problem, ScannedFile
from .repository import Repository, chunks
from .schema import live_photo_films, problems, roots


class Problems(Repository):
    """Files that could not be used."""

    def put(self, problem: Problem, file: ScannedFile | None = None) -> None:
        """Record why a file could not be used, and its size and modification time at that attempt."""
        row = {
            "path": problem.path,
            "reason": str(problem.reason),
            "message": problem.message,
            "size": file.size if file else 0,
            "mtime_ns": file.mtime_ns if file else 0,
            "ctime_ns": file.ctime_ns if file else 0,
        }
        self._upsert(problems, [row], ["path"])

    def count(self) -> int:
        """Return the number of files that could not be used."""
        return self._count(select(func.count()).select_from(problems))

    def clear(self, paths: Iterable[Path]) -> None:
        """Delete problems that are solved or whose files are gone."""
        for some in chunks(paths):
            self._connection.execute(delete(problems).where(problems.c.path.in_(some)))

    def all(self) -> dict[Path, tuple[Problem, int, int, int]]:
        """Return every problem by path, with the size (bytes) and times (mtime and ctime, ns) of the file then."""
        rows = self._connection.execute(select(problems).order_by(problems.c.path))
        return {
            row.path: (Problem(row.path, row.reason, row.message), row.size, row.mtime_ns, row.ctime_ns) for row in rows
        }

    def below(self, folder: Path) -> list[Path]:
        """Return the paths with problems that are `folder` or lie in it."""
        rows = self._connection.execute(select(problems.c.path)).scalars()
        return [path for path in rows if path.is_relative_to(folder)]


class LivePhotoFilms(Repository):
    """Films that are the moving part of a photo beside them, and are not indexed by themselves."""

    def put(self, file: ScannedFile) -> None:
        """Record a film, with its size and times."""
        row = {"path": file.path, "size": file.size, "mtime_ns": file.mtime_ns, "ctime_ns": file.ctime_ns}
        self._upsert(live_photo_films, [row], ["path"])

    def all(self) -> dict[str, tuple[int, int, int]]:
        """Return the films by path, each with its size (bytes) and times (mtime and ctime, ns)."""
        rows = self._connection.execute(select(live_photo_films))
        return {str(row.path): (row.size, row.mtime_ns, row.ctime_ns) for row in rows}

    def drop(self, paths: Iterable[Path]) -> None:
        """Forget films."""
        for some in chunks(paths):
            self._connection.execute(delete(live_photo_films).where(live_photo_films.c.path.in_(some)))


class Roots(Repository):
    """The folders that were indexed."""

    def put(self, folder: Path, counts: Mapping[str, int]) -> None:
        """Record that a folder was indexed, and how many files with an ending that is not indexed lie in it."""
        row = {"path": folder, "passed_over": json.dumps(counts)}
        self._upsert(roots, [row], ["path"])

    def passed_over(self) -> dict[str, int]:
        """Return how many files with each ending that is not indexed there are, the most frequent first."""
        known = {row.path: json.loads(row.passed_over) for row in self._connection.execute(select(roots))}
        counts: Counter[str] = Counter()
        for folder, some in known.items():
            if not any(folder != other and folder.is_relative_to(other) for other in known):
                counts.update(some)
        return dict(counts.most_common())

    def all(self) -> list[Path]:
        """Return the folders that were indexed, in order."""
        return list(self._connection.execute(select(roots.c.path).order_by(roots.c.path)).scalars())

    def drop(self, folders: Sequence[Path]) -> None:
        """Remove folders from the indexed roots."""
        self._connection.execute(delete(roots).where(roots.c.path.in_(folders)))
