"""What the server counts of itself, in the text form of Prometheus: ``/metrics``."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from importlib.metadata import version

import sqlalchemy as sa
from fastapi import APIRouter, FastAPI, Request, Response
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pancommons.catalogue.access import Action, Principal, Role
from pancommons.runs.tables import STATES, runs
from pancommons.server.hdf5.readers import Readers
from pancommons.server.limits import KINDS
from pancommons.server.visitor import Asking, from_here
from pancommons.store.engine import Database

router = APIRouter()

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_LOOK = 5.0
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """The counters of one application, apart from all others in this process."""

    def __init__(self, database: Database, readers: Readers) -> None:
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
        self.in_flight = Gauge("pancommons_requests_in_flight", "Requests being answered.", registry=self.registry)
        self.refused = Counter(
            "pancommons_refused", "Requests refused: a visitor asked for too much.", ("kind",), registry=self.registry
        )
        for kind in KINDS:
            self.refused.labels(kind)
        release = Gauge("pancommons_release", "Always 1.", ("version", "database"), registry=self.registry)
        release.labels(version("pancommons"), database.dialect).set(1)
        self.registry.register(_Parts(database, readers))
        ProcessCollector(registry=self.registry)

    def text(self) -> bytes:
        """Return everything counted until now."""
        return generate_latest(self.registry)


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
                self._metrics.answered.labels(_template(scope), method, str(status or 500)).inc()


def _template(scope: Scope) -> str:
    route: BaseRoute | None = scope.get("route")
    return str(getattr(route, "path", "") or "none")


class _Parts(Collector):
    """What is looked at when somebody asks: runs, readers and connections."""

    def __init__(self, database: Database, readers: Readers) -> None:
        self._database, self._readers = database, readers

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Look at everything."""
        states = dict.fromkeys(STATES, 0)
        with self._database.read(_LOOK) as connection:
            query = sa.select(runs.c.state, sa.func.count()).where(runs.c.removed.is_(None)).group_by(runs.c.state)
            for state, number in connection.execute(query):
                states[state] = number
        yield _by("pancommons_runs", "Runs that people asked for, and that are there.", "state", states.items())
        yield _by("pancommons_readers", "Processes that read HDF5 files.", "state", self._readers.states().items())
        pool = self._database.reader.pool
        yield _by(
            "pancommons_database_connections",
            "Connections of the pool for reading.",
            "state",
            [("used", pool.checkedout()), ("idle", pool.checkedin())],  # type: ignore[attr-defined]
        )


def _by(name: str, text: str, label: str, values: Iterable[tuple[str, float]]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=[label])
    for which, value in values:
        family.add_metric([which], value)
    return family
