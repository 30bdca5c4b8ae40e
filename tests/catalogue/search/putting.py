"""Small catalogues for the tests of the search."""

from __future__ import annotations

from datetime import UTC, datetime

from pancommons.catalogue.access import LOCAL_USER
from pancommons.catalogue.policy import read_policy
from pancommons.catalogue.records import Dataset, Terms
from pancommons.catalogue.techniques import put_techniques
from pancommons.catalogue.write import load

NOW = datetime(2026, 6, 1, tzinfo=UTC)
PAST = datetime(2020, 1, 1, tzinfo=UTC)
OPEN = Terms(open_from=PAST, discoverable_from=PAST, fixed=True)
CLOSED = Terms(fixed=True)


def put(database, records, techniques=()):
    with database.write() as connection:
        put_techniques(connection, techniques, by=LOCAL_USER, at=NOW)
    load(database, records, policy=read_policy(None), by=LOCAL_USER, at=NOW)


def dataset(pid, title="t", terms=OPEN, **more):
    return Dataset(pid=pid, kind="raw", title=title, creation_date=PAST, terms=terms, **more)


def has(name, value, unit):
    where = {"and": [{"name": name}, {"value": value}, {"unit": unit}]}
    return {"include": [{"relation": "parameters", "scope": {"where": where}}]}


def pids(found):
    return [one["pid"] for one in found]
