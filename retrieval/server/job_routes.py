"""Routes for indexing jobs; only folders below the roots that were named at the start of the server can be indexed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, Field

from ..types.job import Job, State
from ..types.serialize import to_jsonable
from .answers import JobEvents, JobList, RootFolders
from .dependencies import ERRORS, JSONResponse, Number, Serving
from .jobs import BEAT
from .route_facts import facts
from .tokens import Scope

EVENTS: dict[int | str, dict[str, Any]] = {200: {"model": JobEvents, "description": "Server-sent events"}}

router = APIRouter(prefix="/v1", tags=["jobs"], responses=ERRORS)


class JobBody(BaseModel):
    """The folder to index."""

    root: str = Field(max_length=200, description="One of the names that GET /v1/roots gives")
    folder: str = Field(default="", max_length=2000, description="A folder below it, relative")
    retry: bool = Field(default=False, description="Files that failed before, too")


@router.get("/roots", response_model=RootFolders, summary="What may be indexed")
@facts(scope=Scope.ADMIN)
def list_roots(service: Serving) -> Response:
    """Return the folders that were named when the server was started."""
    return JSONResponse(RootFolders(service.roots))


@router.get("/jobs", response_model=JobList, summary="Indexing jobs, the newest first")
@facts(scope=Scope.ADMIN)
def list_jobs(service: Serving) -> Response:
    """Return the latest jobs with their state and progress."""
    return JSONResponse(JobList(service.jobs.all()))


@router.post("/jobs", response_model=Job, status_code=202, summary="Index a folder")
@facts(scope=Scope.ADMIN)
def start_job(service: Serving, wanted: JobBody) -> Response:
    """Start a job; only one job runs at a time."""
    return JSONResponse(service.jobs.start(wanted.root, wanted.folder, retry=wanted.retry), 202)


@router.get("/jobs/{job}", response_model=Job, summary="One job")
@facts(scope=Scope.ADMIN)
def get_job(service: Serving, job: Number) -> Response:
    """Return its state and progress and, once it has ended, its report and problems."""
    return JSONResponse(service.jobs.get(job))


def named(service: Serving, job: Number) -> Job:
    """Return the job of this number, so that an unknown number is an error before the stream begins."""
    return service.jobs.get(job)


@router.get(
    "/jobs/{job}/events",
    response_class=EventSourceResponse,
    responses=EVENTS,
    summary="The progress of a job, as events",
)
@facts(scope=Scope.ADMIN, free=True)
async def follow_job(service: Serving, now: Annotated[Job, Depends(named)]) -> AsyncIterator[ServerSentEvent]:
    """Send an event `job` at each change and `end` after the last one, without blocking a thread."""
    yield ServerSentEvent(event="job", data=to_jsonable(now))
    while now.state is State.RUNNING:
        await asyncio.sleep(BEAT)
        then, now = now, await asyncio.to_thread(service.jobs.get, now.id)
        if now is not then:
            yield ServerSentEvent(event="job", data=to_jsonable(now))
    yield ServerSentEvent(event="end", data=None)


@router.post("/jobs/{job}/resume", response_model=Job, status_code=202, summary="Take up a job that did not end")
@facts(scope=Scope.ADMIN)
def resume_job(service: Serving, job: Number) -> Response:
    """Start a job again that was stopped, failed or was cut off; what it has done is not done again."""
    return JSONResponse(service.jobs.resume(job), 202)


@router.delete("/jobs/{job}", response_model=Job, summary="Stop a job")
@facts(scope=Scope.ADMIN)
def stop_job(service: Serving, job: Number) -> Response:
    """Ask the job to stop; what it has done is kept, and the next run continues from there."""
    return JSONResponse(service.jobs.stop(job))
