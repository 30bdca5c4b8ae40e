"""Search over a million datasets with three million parameters, on SQLite and PostgreSQL.

The catalogue is generated in bounded memory and kept in ``bench-results/search`` (remove it to make it anew);
``PANCOMMONS_BENCH_DATASETS`` makes a smaller one. Every query is asked by anybody, as over HTTP but without it, several
times with other words and ranges each time, after the same once that is not counted: the database is warm. What counts
is the time on the clock.
The bars are those of limited queries (100 ms) and counts (400 ms) at the 95th percentile.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from sqlalchemy.engine import Connection
from tests.catalogue.world import COMMON, PURL, records, techniques
from tests.databases import Cluster, start, stop

from benchmarks import Row
from pancommons.catalogue.access import ANONYMOUS, LOCAL_USER
from pancommons.catalogue.policy import read_policy
from pancommons.catalogue.search.asking import count, get, search
from pancommons.catalogue.techniques import put_techniques
from pancommons.catalogue.write import load
from pancommons.store.engine import Database, open_database
from pancommons.store.migrate import upgrade

DATASETS = int(os.environ.get("PANCOMMONS_BENCH_DATASETS", "1000000"))
PLACE = Path("bench-results") / "search"
ROUNDS, CLIENTS = 21, 16
_SIZED = "-c shared_buffers=2GB -c work_mem=32MB -c effective_cache_size=8GB"
"""Of PostgreSQL, as the how-to on portals advises."""

NOW = datetime(2040, 1, 1, tzinfo=UTC)
"""When everything is open, so that nothing is left out."""

Query = Callable[[Connection, int], Any]


def measure() -> Iterator[Row]:
    """Return the rows of both databases."""
    PLACE.mkdir(parents=True, exist_ok=True)
    file = PLACE / f"{DATASETS}.db"
    yield from _build(f"sqlite:///{file.absolute()}", file.with_suffix(".done"), "SQLite")
    yield from _latencies(f"sqlite:///{file.absolute()}", "SQLite")
    cluster = start(_SIZED)
    if isinstance(cluster, str):
        raise SystemExit(cluster)
    try:
        yield from _on_postgresql(cluster)
    finally:
        stop(cluster)


def _on_postgresql(cluster: Cluster) -> Iterator[Row]:
    url = cluster.new()
    yield from _build(url, None, "PostgreSQL")
    yield from _latencies(url, "PostgreSQL")
    yield _together(url)


def _build(url: str, mark: Path | None, name: str) -> Iterator[Row]:
    if mark is not None and mark.exists():
        return
    database = open_database(url)
    upgrade(database)
    with database.write() as connection:
        put_techniques(connection, techniques(), by=LOCAL_USER, at=NOW)
    began = time.perf_counter()
    load(database, records(DATASETS), policy=read_policy(), by=LOCAL_USER, at=NOW)
    database.analyse()
    seconds = time.perf_counter() - began
    database.close()
    if mark is not None:
        mark.touch()
    yield Row(f"{name}: datasets loaded a second", DATASETS / seconds, 1000, detail=f"{seconds:.0f} s in all")


def _parameter(name: str, low: float, high: float, unit: str) -> dict[str, Any]:
    where = {"and": [{"name": name}, {"value": {"between": [low, high]}}, {"unit": unit}]}
    return {"relation": "parameters", "scope": {"where": where}}


def _technique(number: int) -> dict[str, Any]:
    return {"relation": "techniques", "scope": {"where": {"pid": f"{PURL}{number % 60:04d}"}}}


def _energy(number: int) -> dict[str, Any]:
    low = 5 + number % 20
    return _parameter("incident_photon_energy", low, low + 0.35, "keV")


def _temperature(number: int) -> dict[str, Any]:
    low = 10 + 15.0 * (number % 20)
    return _parameter("sample_temperature", low, low + 60, "K")


def _rare(number: int) -> str:
    return f"rare{number * 7 % max(1, DATASETS // 1000):04d}"


def _found(**given: Any) -> Callable[[Connection], Any]:
    return lambda connection: search(connection, "Dataset", given, ANONYMOUS, NOW)


LIMITED: dict[str, Query] = {
    "get by pid": lambda c, n: get(c, "Dataset", f"dataset/{n * 7919 % DATASETS}", None, ANONYMOUS, NOW),
    "newest 50": lambda c, n: _found(limit=50, skip=n, order="creationDate DESC")(c),
    "rare word, ranked, 10": lambda c, n: _found(query=_rare(n), limit=10)(c),
    "word in a sixth of rows, ranked, 10": lambda c, n: _found(query=COMMON, limit=10, skip=n)(c),
    "common and rare word, ranked, 10": lambda c, n: _found(query=f"{COMMON} {_rare(n)}", limit=10)(c),
    "text, 10": lambda c, n: _found(where={"text": _rare(n)}, limit=10)(c),
    "30 techniques, newest 10": lambda c, n: _found(
        include=[_technique(0)], order="creationDate DESC", limit=10, skip=n
    )(c),
    "parameter range of 1 %, 50": lambda c, n: _found(include=[_energy(n)], limit=50)(c),
    "2 parameters and technique, 50": lambda c, n: _found(
        include=[_energy(n), _temperature(n), _technique(n)], limit=50
    )(c),
    "documents > datasets > parameters, 10": lambda c, n: search(
        c,
        "Document",
        {"include": [{"relation": "datasets", "scope": {"include": [_energy(n)]}}], "limit": 10},
        ANONYMOUS,
        NOW,
    ),
    "text and parameter on documents, 50": lambda c, n: search(
        c,
        "Document",
        {
            "where": {"text": "proposal"},
            "include": [{"relation": "datasets", "scope": {"include": [_temperature(n)]}}],
            "limit": 50,
        },
        ANONYMOUS,
        NOW,
    ),
}
COUNTED: dict[str, Query] = {
    "count of all": lambda c, n: count(c, "Dataset", None, ANONYMOUS, NOW),
    "count of a text": lambda c, n: count(c, "Dataset", {"text": COMMON}, ANONYMOUS, NOW),
    "count of a rare text": lambda c, n: count(c, "Dataset", {"text": _rare(n)}, ANONYMOUS, NOW),
    "count of a year": lambda c, n: count(
        c,
        "Dataset",
        {"creationDate": {"between": [f"{2011 + n % 10}-01-01T00:00:00Z", f"{2012 + n % 10}-01-01T00:00:00Z"]}},
        ANONYMOUS,
        NOW,
    ),
}


def _latencies(url: str, name: str) -> Iterator[Row]:
    database = open_database(url)
    for queries, bar in ((LIMITED, 100.0), (COUNTED, 400.0)):
        for title, query in queries.items():
            for number in range(ROUNDS):  # so that what is read lies in memory, as it would where it is asked often
                _milliseconds(database, query, number)
            taken = [_milliseconds(database, query, number) for number in range(ROUNDS)]
            detail = f"median {median(taken):.1f} ms, largest {max(taken):.1f} ms"
            yield Row(f"{name}: {title}, p95 ms", _p95(taken), bar, at_least=False, detail=detail)
    database.close()


def _together(url: str) -> Row:
    """Let sixteen clients ask the limited queries at once."""
    database = open_database(url)
    asked = [(query, number) for number in range(4) for query in LIMITED.values()] * 4
    began = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as clients:
        taken = list(clients.map(lambda one: _milliseconds(database, *one), asked))
    seconds = time.perf_counter() - began
    database.close()
    detail = f"{CLIENTS} clients at once: p50 {median(taken):.0f} ms, p95 {_p95(taken):.0f} ms"
    return Row("PostgreSQL: queries a second", len(asked) / seconds, 1, detail=detail)


def _milliseconds(database: Database, query: Query, number: int) -> float:
    began = time.perf_counter()
    with database.read() as connection:
        query(connection, number)
    return 1000 * (time.perf_counter() - began)


def _p95(values: list[float]) -> float:
    return quantiles(values, n=20, method="inclusive")[-1]
