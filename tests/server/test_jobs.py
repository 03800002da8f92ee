"""Indexing jobs of a server: with progress from the start, remembered by the library, taken up after a kill."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from PIL import Image

from retrieval import Library
from retrieval.errors import NotFound, UsageError
from retrieval.server.service import Service
from retrieval.types.job import State

from ..conftest import COLOURS, Paint, soon
from ..serving import serving

SLOW = """
import time
from retrieval.encoders.colours import ColourEncoder
images = ColourEncoder.images
ColourEncoder.images = lambda self, batch: (time.sleep(0.01 * len(batch)), images(self, batch))[1]
"""


@pytest.fixture
def service(library: Library, photos: Path) -> Service:
    return Service(library, {"photos": photos})


def ended(service: Service, number: int) -> State:
    assert soon(lambda: service.jobs.get(number).state is not State.RUNNING)
    return service.jobs.get(number).state


def test_a_job_is_remembered_by_the_library(service: Service, library: Library, photos: Path) -> None:
    job = service.jobs.start("photos")
    assert ended(service, job.id) is State.DONE
    again = Service(library, {"photos": photos}).jobs.all()
    assert [(each.id, each.state, each.root) for each in again] == [(job.id, State.DONE, "photos")]
    assert again[0].report is not None
    assert again[0].report.added == 4


def test_what_was_done_is_not_resumed_and_what_is_unknown_not_found(service: Service) -> None:
    job = service.jobs.start("photos")
    ended(service, job.id)
    with pytest.raises(UsageError, match="start a new one"):
        service.jobs.resume(job.id)
    with pytest.raises(NotFound):
        service.jobs.resume(99)


def test_a_job_that_fails_says_why_and_can_be_resumed(service: Service, paint: Paint) -> None:
    folder = paint("sub/red.png").parent
    with service.library.storage.write_lock("a long run"):
        job = service.jobs.start("photos", "sub")
        assert ended(service, job.id) is State.FAILED
    assert "a long run" in service.jobs.get(job.id).message
    again = service.jobs.resume(job.id)
    assert ended(service, again.id) is State.DONE
    with pytest.raises(UsageError, match="followed by others"):
        service.jobs.resume(job.id)
    assert [item.path.parent for item in service.library] == [folder]


def test_only_the_latest_jobs_are_remembered(service: Service, library: Library) -> None:
    last = [ended(service, service.jobs.start("photos").id) for _ in range(22)]
    assert last[-1] is State.DONE
    assert [job.id for job in service.jobs.all()] == list(range(22, 2, -1))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="kills a process")
def test_a_job_whose_server_was_killed_is_cut_off_and_taken_up(tmp_path: Path) -> None:
    photos, place = tmp_path / "photos", tmp_path / "library"
    photos.mkdir()
    for number in range(300):
        Image.new("RGB", (200, 150), (number % 256, number // 256, 7)).save(photos / f"{number}.png")
    options = ("--create", "--root", photos)
    with serving(place, *options, before=SLOW) as server, server.client() as client:
        job = client.post("/v1/jobs", json={"root": "photos"}).json()["id"]
        assert soon(lambda: client.get(f"/v1/jobs/{job}").json()["task"] == "pictures")
        now = client.get(f"/v1/jobs/{job}").json()
        assert now["total"] == 300  # from the first moment
        assert soon(lambda: client.get(f"/v1/jobs/{job}").json()["done"] >= 32)
        server.process.kill()
        server.process.wait()
    with Library.open(place, COLOURS) as library:
        before = len(library)
        assert 0 < before < 300
        assert library.status().writer == ""
    with serving(place, *options) as server, server.client() as client:
        assert client.get("/v1/jobs").json()["jobs"][0]["state"] == "cut off"
        again = client.post(f"/v1/jobs/{job}/resume").json()["id"]
        assert soon(lambda: client.get(f"/v1/jobs/{again}").json()["state"] == "done")
        report = client.get(f"/v1/jobs/{again}").json()["report"]
        assert (report["added"], report["unchanged"]) == (300 - before, before)
