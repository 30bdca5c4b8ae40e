"""What the server counts of itself, in the text form of Prometheus: ``/metrics``.

Where several processes serve, each keeps its numbers in a file (`prometheus_client.multiprocess`), and whichever is
asked tells the sums.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from importlib.metadata import version

import psutil
import sqlalchemy as sa
from fastapi import APIRouter, FastAPI, Request, Response
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pancommons.catalogue.access import Action, Principal, Role
from pancommons.runs.tables import STATES, runs
from pancommons.server.hdf5.readers import Readers
from pancommons.server.limits import KINDS
from pancommons.server.together import Together
from pancommons.server.visitor import Asking, from_here
from pancommons.store.engine import Database

router = APIRouter()

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_LOOK = 5.0
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """The counters of one application, apart from all others in this process.

    Parameters
    ----------
    together
        Where several processes serve: the folder in which they keep their numbers, and the processes.
    """

    def __init__(self, database: Database, readers: Readers, together: Together | None = None) -> None:
        self.registry = CollectorRegistry()
        self.answered = Counter(
            "pancommons_requests", "Requests answered.", ("route", "method", "status"), registry=self.registry
        )
        self.seconds = Histogram(
            "pancommons_request_seconds",
            "Time until an answer began.",
            ("route", "method"),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.in_flight = self._gauge("pancommons_requests_in_flight", "Requests being answered.")
        self.refused = Counter(
            "pancommons_refused", "Requests refused: a visitor asked for too much.", ("kind",), registry=self.registry
        )
        for kind in KINDS:
            self.refused.labels(kind)
        self._readers_by = self._gauge("pancommons_readers", "Processes that read HDF5 files.", "state")
        self._connections_by = self._gauge(
            "pancommons_database_connections", "Connections of the pool for reading.", "state"
        )
        self._database, self._readers, self.together = database, readers, together
        if together is None:
            for one in (_Known(database), ProcessCollector(registry=None)):
                self.registry.register(one)

    def text(self) -> bytes:
        """Return everything counted until now."""
        self.look()
        if self.together is None:
            return generate_latest(self.registry)
        every = CollectorRegistry()
        MultiProcessCollector(every, str(self.together.folder))  # type: ignore[no-untyped-call]
        for one in (_Known(self._database), _Spent(self.together)):
            every.register(one)
        return generate_latest(every)

    def look(self) -> None:
        """Note how many readers and connections there are at the moment."""
        for state, number in self._readers.states().items():
            self._readers_by.labels(state).set(number)
        pool = self._database.reader.pool
        for state, count in (("used", pool.checkedout), ("idle", pool.checkedin)):  # type: ignore[attr-defined]
            self._connections_by.labels(state).set(count())

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        """Make a gauge; of several processes those that live are summed."""
        return Gauge(name, text, labels, registry=self.registry, multiprocess_mode="livesum")


def count_requests(app: FastAPI, metrics: Metrics) -> None:
    """Count every request that an application answers."""
    app.state.metrics = metrics
    app.add_middleware(_Counting, metrics=metrics)


@router.get("/metrics", summary="What the server counts of itself, for Prometheus", response_class=Response)
def told(request: Request, asking: Asking) -> Response:
    """Answer programs on this machine itself, and administrators."""
    if not from_here(request) and not _administers(asking.principal):
        raise HTTPException(403, "only programs on this machine and administrators may read this")
    metrics: Metrics = request.app.state.metrics
    return Response(metrics.text(), media_type=CONTENT_TYPE_PLAIN_0_0_4)


def _administers(who: Principal) -> bool:
    """Say whether somebody runs the portal, and the token that they show is made for that."""
    return Role.ADMINISTRATOR in who.everywhere and (who.scopes is None or Action.ADMINISTER in who.scopes)


class _Counting:
    """Middleware that counts requests by the template of their route, never by what was asked for."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count a request, and hand it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method = scope["method"] if scope["method"] in _METHODS else "other"
        began, status = time.perf_counter(), 0

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                taken = time.perf_counter() - began
                self._metrics.seconds.labels(_template(scope), method).observe(taken)
            await send(message)

        with self._metrics.in_flight.track_inprogress():
            try:
                await self._app(scope, receive, noted)
            finally:
                if self._metrics.together is not None:  # else it is looked when somebody asks
                    self._metrics.look()
                self._metrics.answered.labels(_template(scope), method, str(status or 500)).inc()


def _template(scope: Scope) -> str:
    route: BaseRoute | None = scope.get("route")
    return str(getattr(route, "path", "") or "none")


class _Known(Collector):
    """What all processes know alike: the release, and the runs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Look at everything."""
        release = GaugeMetricFamily("pancommons_release", "Always 1.", labels=["version", "database"])
        release.add_metric([version("pancommons"), self._database.dialect], 1)
        yield release
        states = dict.fromkeys(STATES, 0)
        with self._database.read(_LOOK) as connection:
            query = sa.select(runs.c.state, sa.func.count()).where(runs.c.removed.is_(None)).group_by(runs.c.state)
            for state, number in connection.execute(query):
                states[state] = number
        yield _by("pancommons_runs", "Runs that people asked for, and that are there.", "state", states.items())


class _Spent(Collector):
    """What the processes of a server take, as `prometheus_client` tells it of one."""

    def __init__(self, together: Together) -> None:
        self._together = together

    def collect(self) -> Iterator[Metric]:
        """Sum over those that live."""
        memory = seconds = 0.0
        for one in self._together.processes():
            with suppress(psutil.NoSuchProcess), one.oneshot():
                memory += one.memory_info().rss
                seconds += sum(one.cpu_times()[:2])
        yield GaugeMetricFamily("process_resident_memory_bytes", "Resident memory of all processes.", value=memory)
        yield CounterMetricFamily("process_cpu_seconds", "User and system time of all processes.", value=seconds)


def _by(name: str, text: str, label: str, values: Iterable[tuple[str, float]]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=[label])
    for which, value in values:
        family.add_metric([which], value)
    return family
