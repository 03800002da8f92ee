"""The indexing jobs of servers, so that they are known after a restart."""

from __future__ import annotations

import json
from dataclasses import replace

from sqlalchemy import delete, select, update

from ...types.job import Job
from ...types.serialize import from_jsonable, to_jsonable
from .repository import Repository
from .schema import jobs

KEPT = 20  # jobs that are remembered


class JobTable(Repository):
    """Jobs by number."""

    def add(self, job: Job) -> Job:
        """Store a new job, forget the oldest, and return it with its number."""
        job = replace(job, id=self._insert(jobs, {"job": "{}"}))
        self.put(job)
        old = select(jobs.c.id).order_by(jobs.c.id.desc()).offset(KEPT)
        self._connection.execute(delete(jobs).where(jobs.c.id.in_(list(self._connection.execute(old).scalars()))))
        return job

    def put(self, job: Job) -> None:
        """Store the present state of a job."""
        row = json.dumps(to_jsonable(job))
        self._connection.execute(update(jobs).where(jobs.c.id == job.id).values(job=row))

    def all(self) -> list[Job]:
        """Return the jobs that are remembered, newest first."""
        rows = self._connection.execute(select(jobs.c.job).order_by(jobs.c.id.desc())).scalars()
        return [from_jsonable(json.loads(row), Job) for row in rows]
