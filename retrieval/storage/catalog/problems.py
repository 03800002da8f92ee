"""Files that could not be used, with their reasons; and the folders that were indexed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from sqlalchemy import delete, func, select

from ...types.records import Problem, ScannedFile
from .repository import Repository, chunks
from .schema import problems, roots


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
        }
        self._upsert(problems, [row], ["path"])

    def count(self) -> int:
        """Return the number of files that could not be used."""
        return self._count(select(func.count()).select_from(problems))

    def clear(self, paths: Iterable[Path]) -> None:
        """Delete problems that are solved or whose files are gone."""
        for some in chunks(paths):
            self._connection.execute(delete(problems).where(problems.c.path.in_(some)))

    def all(self) -> dict[Path, tuple[Problem, int, int]]:
        """Return every problem by path, with the size (bytes) and modification time (ns) of the file then."""
        rows = self._connection.execute(select(problems).order_by(problems.c.path))
        return {row.path: (Problem(row.path, row.reason, row.message), row.size, row.mtime_ns) for row in rows}

    def below(self, folder: Path) -> list[Path]:
        """Return the paths with problems that are `folder` or lie in it."""
        rows = self._connection.execute(select(problems.c.path)).scalars()
        return [path for path in rows if path.is_relative_to(folder)]


class Roots(Repository):
    """The folders that were indexed."""

    def add(self, folders: Iterable[Path]) -> None:
        """Record folders as indexed roots."""
        self._upsert(roots, [{"path": folder} for folder in folders])

    def all(self) -> list[Path]:
        """Return the folders that were indexed, in order."""
        return list(self._connection.execute(select(roots.c.path).order_by(roots.c.path)).scalars())

    def drop(self, folders: Sequence[Path]) -> None:
        """Remove folders from the indexed roots."""
        self._connection.execute(delete(roots).where(roots.c.path.in_(folders)))
