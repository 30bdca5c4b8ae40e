"""Fifty people who browse while two runs go and more wait, on SQLite and on PostgreSQL.

The portal is started by ``pan serve`` with two processes that answer, behind a catalogue of tens of thousands of
datasets and files to look into; people think for 2 to 10 s between pages, some signed in. ``PANCOMMONS_BENCH_SECONDS``
makes a shorter measurement, and ``PANCOMMONS_BENCH_LOAD`` takes one database: ``sqlite`` or ``postgresql``.

The bar is that of the time on the clock until a page is there, at the 95th percentile over all pages. It means
something on a quiet machine alone; the CPU time of the server per page, measured page by page afterwards, does on any.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles

import psutil
from tests.databases import start, stop
from tests.load.browsing import PAGES, Heard, browse
from tests.load.portal import Portal, Size, Work, make, serving

from benchmarks import Row
from pancommons.server.together import WORKER

SECONDS = float(os.environ.get("PANCOMMONS_BENCH_SECONDS", "300"))
DATABASES = os.environ.get("PANCOMMONS_BENCH_LOAD", "sqlite,postgresql").split(",")
USERS = 50
SIZE = Size(
    datasets=30_000,
    scan=("--columns", "512", "--rows", "64", "--angles", "361"),
    frames=48,
    edge=1024,
    people=8,
    browsers=20,
)
WORK = Work("tomography", "scan", "scan.nxs")
GOING, WAITING, MOST_WAITING = 2, 1, 3
EVERY = 5.0
"""Seconds between two looks at the server."""
ALONE = 20
"""How often each page is asked for when its CPU time is measured."""


def measure() -> Iterator[Row]:
    """Return the rows of both databases."""
    if "sqlite" in DATABASES:
        with tempfile.TemporaryDirectory() as place:
            yield from _loaded("SQLite", Path(place) / "portal", f"sqlite:///{place}/pan.db")
    if "postgresql" in DATABASES:
        cluster = start()
        if isinstance(cluster, str):
            raise SystemExit(cluster)
        try:
            with tempfile.TemporaryDirectory() as place:
                yield from _loaded("PostgreSQL", Path(place) / "portal", cluster.new())
        finally:
            stop(cluster)


def _loaded(name: str, folder: Path, url: str) -> Iterator[Row]:
    made = make(folder, url, SIZE)
    with serving(made) as portal, _busy(portal) as watch:
        before = watch.cpu()
        heard = asyncio.run(browse(portal.visitors(USERS), seconds=SECONDS))
        spent, took = watch.cpu() - before, max(one.began + one.seconds for one in heard) - heard[0].began
        watch.over.set()
        alone = asyncio.run(_alone(portal, watch))
    wrong = [one.wrong for one in heard if one.wrong]
    pages = [one for one in heard if one.kind in PAGES]
    _print(heard, alone)
    for one in wrong[:10]:
        print(f"    {one}")
    told = f"{len(pages)} pages, {len(heard)} requests, {len(heard) / took:.1f}/s of {USERS} people in {took:.0f} s"
    yield Row(f"{name}: p95 of pages, ms", 1000 * _at(pages, 95), 300, at_least=False, detail=told)
    yield Row(f"{name}: requests that failed", len(wrong), 0, at_least=False)
    cpu = f"{1000 * spent / len(heard):.1f} ms CPU a request, {100 * spent / took:.0f} % of a core"
    yield Row(f"{name}: memory of the server, MB", max(watch.memory) / 1e6, 1000, at_least=False, detail=cpu)
    there = f"nice {sorted(watch.nice)}; waiting {min(watch.waiting)} to {max(watch.waiting)}"
    yield Row(f"{name}: share of time with {GOING} runs going", watch.share(GOING), 0.9, detail=there)
    yield Row(f"{name}: share of time with more queued", watch.share_waiting(WAITING), 0.9)


@dataclass
class _Watch:
    """What is seen of the server while it is asked, every few seconds: each look takes time of the server's, too.

    Attributes
    ----------
    nice
        Priorities of the processes of runs that were seen.
    """

    portal: Portal
    over: threading.Event = field(default_factory=threading.Event)
    memory: list[int] = field(default_factory=list)
    going: list[int] = field(default_factory=list)
    waiting: list[int] = field(default_factory=list)
    nice: set[int] = field(default_factory=set)

    def cpu(self) -> float:
        """Return the CPU seconds of the server and of those that read files for it."""
        return sum(sum(one.cpu_times()[:2]) for one in self._server())

    def look(self) -> None:
        """Look at processes and runs, and ask for more runs where few wait."""
        self.memory.append(sum(map(_memory, self._server())))
        for one in psutil.Process(self.portal.process).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if "pancommons.runs.running" in one.cmdline():
                    self.nice.add(one.nice())
        states = self.portal.runs()
        self.going.append(states["running"])
        self.waiting.append(states["waiting"])

    def share(self, least: int) -> float:
        """Return the share of looks at which so many runs went."""
        return sum(one >= least for one in self.going) / len(self.going)

    def share_waiting(self, least: int) -> float:
        """Return the share of looks at which so many runs waited."""
        return sum(one >= least for one in self.waiting) / len(self.waiting)

    def _server(self) -> list[psutil.Process]:
        own = psutil.Process(self.portal.process)
        found = [own]
        for one in own.children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if {WORKER, "pancommons.nexus.serving.reader"} & set(one.cmdline()):
                    found.append(one)
        return found


def _memory(process: psutil.Process) -> int:
    """Return the bytes of a process; what it has in common with others is shared between them."""
    with suppress(psutil.NoSuchProcess):
        return int(process.memory_full_info().pss)
    return 0


@contextmanager
def _busy(portal: Portal) -> Iterator[_Watch]:
    """Keep runs going and waiting, from when they do until the end of the block."""
    watch, asked = _Watch(portal), 0
    for asked in range(GOING + MOST_WAITING):
        portal.ask(WORK, asked)
    while portal.runs()["running"] < GOING:
        time.sleep(0.5)

    def look() -> None:
        nonlocal asked
        while not watch.over.wait(EVERY):
            watch.look()
            for _ in range(MOST_WAITING - watch.waiting[-1]):
                asked += 1
                portal.ask(WORK, asked)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield watch
    finally:
        watch.over.set()
        looking.join()


async def _alone(portal: Portal, watch: _Watch) -> dict[str, float]:
    """Return the CPU seconds of the server for each kind of page, asked for by one person."""
    visitor = portal.visitors(1)[0]
    found = {}
    for kind in ("instruments", "techniques", "search", "dataset", *PAGES):
        await visitor.open(kind, parts=False)
    idle = watch.cpu()
    await asyncio.sleep(3)
    idle = (watch.cpu() - idle) / 3
    for kind in PAGES:
        before, began = watch.cpu(), time.perf_counter()
        for _ in range(ALONE):
            await visitor.open(kind, parts=False)
        took = time.perf_counter() - began
        found[kind] = (watch.cpu() - before - idle * took) / ALONE
    await visitor.client.aclose()
    return found


def _print(heard: Sequence[Heard], alone: dict[str, float]) -> None:
    by_kind: defaultdict[str, list[Heard]] = defaultdict(list)
    for one in heard:
        by_kind[one.kind].append(one)
    print(f"    {'':<12} {'asked':>6} {'p50':>6} {'p95':>6} {'p99':>6} ms {'CPU':>6} ms {'kB':>7}  wrong")
    for kind, several in sorted(by_kind.items(), key=lambda item: (item[0] not in PAGES, -_at(item[1], 95))):
        times = " ".join(f"{1000 * _at(several, place):6.0f}" for place in (50, 95, 99))
        cpu = f"{1000 * alone[kind]:6.1f}" if kind in alone else f"{'':>6}"
        size = median(one.size for one in several) / 1000
        wrong = sum(one.wrong is not None for one in several)
        print(f"    {kind:<12} {len(several):>6} {times}    {cpu}    {size:7.1f}  {wrong or ''}", flush=True)


def _at(heard: Sequence[Heard], percent: int) -> float:
    times = [one.seconds for one in heard if one.wrong is None] or [float("inf")]
    return quantiles(times, n=100, method="inclusive")[percent - 1] if len(times) > 1 else times[0]
