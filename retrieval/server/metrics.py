"""Prometheus metrics: requests and their duration by route, the queue, the library's size, the model."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .. import __version__
from ..runtime.timing import LISTENER
from ..types.job import State
from .admission import AdmissionControl
from .service import Service

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"})  # clients may send any; they count as "other"
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


@dataclass
class ServerMetrics:
    """The metrics of one server."""

    limits: AdmissionControl | None = None
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    def __post_init__(self) -> None:
        labels = ("method", "route", "status")
        name = "retrieval_requests"
        self.requests = Counter(name, "Requests answered", labels, registry=self.registry)
        about = "Seconds until an answer begins"
        self.seconds = Histogram(
            "retrieval_request_seconds", about, ("route",), buckets=BUCKETS, registry=self.registry
        )
        self.steps = Histogram(
            "retrieval_step_seconds", "Seconds of a step", ("step",), buckets=BUCKETS, registry=self.registry
        )
        self.waiting = Gauge("retrieval_queue", "Requests that wait for their turn", registry=self.registry)
        self.refused = Gauge("retrieval_refused", "Requests refused as too many or too large", registry=self.registry)
        self.pictures = Gauge("retrieval_pictures", "Pictures of the library", registry=self.registry)
        self.texts = Gauge("retrieval_texts", "Texts of the library", registry=self.registry)
        self.problems = Gauge("retrieval_problems", "Files that could not be used", registry=self.registry)
        self.jobs = Gauge("retrieval_jobs_running", "Indexing jobs that run", registry=self.registry)
        self.kept = Gauge("retrieval_previews_bytes", "Previews kept in memory, in bytes", registry=self.registry)
        previews = "retrieval_previews"
        self.previews = Counter(
            previews, "Previews asked for, by where they came from", ("source",), registry=self.registry
        )
        Info("retrieval_build", "The program", registry=self.registry).info({"version": __version__})
        ProcessCollector(registry=self.registry)  # memory, processor time and open files of the process
        self.model = Gauge("retrieval_model", "The model that answers", ("encoder", "vlm"), registry=self.registry)

    def step(self, name: str, seconds: float) -> None:
        """Record the duration of one step of an answer, in seconds."""
        self.steps.labels(name).observe(seconds)

    def text(self, service: Service) -> str:
        """Return the current metrics in Prometheus's text format."""
        status = service.library.status()
        self.pictures.set(status.pictures)
        self.texts.set(status.texts)
        self.problems.set(status.problems)
        self.jobs.set(sum(job.state is State.RUNNING for job in service.jobs.all()))
        self.kept.set(service.previews.size)
        for source, count in service.previews.taken().items():
            self.previews.labels(source).inc(count)
        self.model.clear()
        self.model.labels(status.serving.model if status.serving else "", service.library.settings.vlm).set(1)
        if self.limits is not None:
            self.waiting.set(self.limits.waiting)
            self.refused.set(self.limits.refused)
        return generate_latest(self.registry).decode()


@dataclass
class MetricsMiddleware:
    """Middleware that counts and times requests."""

    app: ASGIApp
    metrics: ServerMetrics
    mounted: Sequence[str] = ()  # addresses below which others than routes answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Process and measure one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, mounted = time.perf_counter(), self._mounted(scope)  # the path changes on its way

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", "")  # the route's pattern, without parameter values
                route = route or mounted
                method = scope["method"] if scope["method"] in METHODS else "other"
                self.metrics.requests.labels(method, route, str(message["status"])).inc()
                self.metrics.seconds.labels(route).observe(time.perf_counter() - started)
            await send(message)

        listening = LISTENER.set(self.metrics.step)
        try:
            await self.app(scope, receive, sending)
        finally:
            LISTENER.reset(listening)

    def _mounted(self, scope: Scope) -> str:
        """Return the address below which others answer: the files of the page, MCP."""
        below = scope["path"].removeprefix(scope.get("root_path", ""))
        return next((place for place in self.mounted if below == place or below.startswith(place + "/")), "other")
