"""Around the moment of release: before it nothing, from it on all, and what was withdrawn is nowhere any more."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import httpx
import pytest
from sqlalchemy.engine import Connection

from pancommons.catalogue.access import ANONYMOUS, LOCAL_USER, Action, allows
from pancommons.catalogue.opening import change_opening
from pancommons.catalogue.policy import read_policy
from pancommons.catalogue.read import find, resource
from pancommons.catalogue.records import Dataset, Terms
from pancommons.catalogue.write import put
from pancommons.nexus.serving.seen import SETTLED_NS
from pancommons.server.services import asked_at
from pancommons.store.engine import Database
from pancommons.store.schema import floor
from tests.runs.conftest import plugged
from tests.server.conftest import sqlite_database
from tests.server.crawling import AT, Commons, addresses, client_of, few, full_of_secrets, kept_from, walk

__all__ = ["plugged", "sqlite_database"]

RELEASE = floor(AT + timedelta(days=200))
"""When ``embargoed`` and ``hidden`` open."""

INSTANT = timedelta(microseconds=1)
LATER = RELEASE + timedelta(days=100)
PARTS = ("attr", "meta", "data", "stats", "paths", "frame", "chunks")


@pytest.fixture
def commons(sqlite_database: Database, tmp_path: Path) -> Iterator[Commons]:
    with full_of_secrets(sqlite_database, tmp_path, run=False) as made:
        yield made


def at(commons: Commons, moment: datetime) -> httpx.AsyncClient:
    """Let it be a moment, for the application and for what is expected of it; return a client of anybody."""
    commons.app.dependency_overrides[asked_at] = lambda: moment
    commons.world.at = moment
    return client_of(commons.app, {})


def extend(connection: Connection, name: str, opens: datetime | None, moment: datetime) -> None:
    change_opening(connection, "dataset", name, opens, by=LOCAL_USER, at=moment, reason="a test")


@pytest.mark.parametrize(("moment", "released"), [(RELEASE - INSTANT, False), (RELEASE, True)])
def test_to_the_instant_on_every_route(commons: Commons, moment: datetime, released: bool) -> None:
    client = at(commons, moment)
    kept = kept_from(commons, ANONYMOUS)
    with commons.database.read() as connection:
        about = resource(connection, "dataset", find(connection, "dataset", "embargoed") or 0)
        assert allows(ANONYMOUS, Action.READ, about, moment) is released
    assert any(secret.pid == "embargoed" for secret in kept.here) is not released
    start = addresses(commons.app, few(commons.world, "embargoed"))
    wrong = asyncio.run(walk(client, start, kept, most=0))
    assert not wrong, "\n".join(wrong[:40])


@pytest.mark.parametrize(
    ("moment", "status"),
    [
        (RELEASE - INSTANT, 404), ((RELEASE - INSTANT).astimezone(timezone(timedelta(hours=14))), 404),
        (RELEASE, 200), ((RELEASE + INSTANT).astimezone(timezone(timedelta(hours=-11, minutes=-30))), 200),
    ],
)  # fmt: skip
def test_to_the_instant_in_every_time_zone(commons: Commons, moment: datetime, status: int) -> None:
    client = at(commons, moment)
    for name in ("embargoed", "hidden", "from-embargoed"):
        for path in (f"/files/{commons.world.files[name]}", f"/hdf5/{commons.world.files[name]}/meta"):
            assert asyncio.run(client.get(path)).status_code == status, path


def test_a_copy_is_never_good_for_longer_than_access(commons: Commons) -> None:
    """Whoever has an answer asks again before it is shown once more, and is not told that it still holds."""
    client = at(commons, RELEASE)
    time.sleep(SETTLED_NS / 1e9 + 0.1)  # what was just written has no answer that is still the same
    world, file = commons.world, commons.world.files["embargoed"]
    key = world.records["dataset"][world.records["dataset"].index("embargoed") - 1]
    paths = [f"/files/{file}", f"/datasets/{key}/thumbnail", f"/look/{file}/plot.png", f"/look/{file}"]
    paths += [f"/hdf5/{file}/{part}?path=/entry/data/v" for part in PARTS if part not in ("paths", "chunks")]
    paths += [f"/hdf5/{file}/paths", f"/datasets/{key}/files.metalink", f"/datasets/{key}/files.txt"]
    had = {path: asyncio.run(client.get(path)) for path in paths}
    assert {answer.status_code for answer in had.values()} == {200}
    tagged = {path: answer.headers["etag"] for path, answer in had.items() if "etag" in answer.headers}
    assert len(tagged) >= 8
    for path, tag in tagged.items():
        assert asyncio.run(client.get(path, headers={"if-none-match": tag})).status_code == 304, path
    with commons.database.write() as connection:
        extend(connection, "embargoed", LATER, RELEASE)
    for path, answer in had.items():
        tag = answer.headers.get("etag", '"none"')
        for told in (
            {"if-none-match": tag}, {"if-none-match": "*"}, {"if-range": tag, "range": "bytes=0-9"},
            {"if-modified-since": answer.headers.get("last-modified", "Fri, 01 Jan 2100 00:00:00 GMT")},
        ):  # fmt: skip
            again = asyncio.run(client.get(path, headers=told))
            if "/files." in path:
                assert again.status_code == 200 and file not in again.text
            else:
                assert again.status_code == 404, (path, told)


def test_what_every_answer_says_of_copies(commons: Commons) -> None:
    """No answer of the application may be kept by others, or shown again unasked."""
    client = at(commons, RELEASE)
    for path in [*addresses(commons.app, few(commons.world, "embargoed")), "/nothing/there", "/search-api/nothing"]:
        answer = asyncio.run(client.get(path))
        told = answer.headers.get("cache-control", "")
        assert "no-cache" in told or "no-store" in told, (path, told)
        assert "public" not in told and "max-age" not in told, (path, told)


def _many(commons: Commons, count: int) -> list[str]:
    """Put in datasets that anybody may have from the release on; return our identifiers."""
    terms = Terms(open_from=RELEASE, discoverable_from=RELEASE, fixed=True)
    with commons.database.write() as connection:
        return [
            put(connection, Dataset(pid=f"many/{number}", kind="raw", title=f"zqmany{number:03d}xv",
                                    creation_date=AT - timedelta(days=1), terms=terms),
                policy=read_policy(), by=LOCAL_USER, at=AT).identifier
            for number in range(count)
        ]  # fmt: skip


def _hide(commons: Commons, number: int) -> None:
    """Withdraw one of the many: an import brings it with a later release."""
    terms = Terms(open_from=LATER, discoverable_from=LATER, fixed=True)
    record = Dataset(pid=f"many/{number}", kind="raw", title=f"zqmany{number:03d}xv",
                     creation_date=AT - timedelta(days=1), terms=terms)  # fmt: skip
    with commons.database.write() as connection:
        put(connection, record, policy=read_policy(), by=LOCAL_USER, at=RELEASE)


def test_what_is_withdrawn_while_a_list_is_paged(commons: Commons) -> None:
    """The pages that follow do not have it, in whatever list."""
    _many(commons, 202)
    client = at(commons, RELEASE)

    def text(path: str) -> str:
        answer = asyncio.run(client.get(path, headers={"accept": "text/html, */*"}))
        assert answer.status_code == 200, path
        return answer.text

    harvest = text("/oai?verb=ListRecords&metadataPrefix=oai_dc")
    listed = text("/oai?verb=ListIdentifiers&metadataPrefix=oai_dc")
    first = asyncio.run(client.get("/catalog.ttl"))
    pages: dict[str, Callable[[], str]] = {
        "harvest": lambda: text(_next(text(_next(harvest)))), "identifiers": lambda: text(_next(text(_next(listed)))),
        "catalogue": lambda: text(first.links["next"]["url"].removeprefix("http://portal.example")),
        "search": lambda: text("/search-api/Datasets?filter=%7B%22skip%22%3A200%7D"),
        "federated": lambda: text("/search-api/federated/Datasets?filter=%7B%22skip%22%3A200%2C%22limit%22%3A100%7D"),
        "datasets": lambda: text("/datasets?q=zqmany201xv"), "export": lambda: text("/datasets.csv"),
    }  # fmt: skip
    signs = {"datasets": '">zqmany201xv', "identifiers": '<header status="deleted">'}  # the page repeats what is asked
    for name, page in pages.items():
        assert (signs.get(name, "zqmany201xv") in page()) is (name != "identifiers"), name
    _hide(commons, 201)
    for name, page in pages.items():
        assert (signs.get(name, "zqmany201xv") in page()) is (name == "identifiers"), name


def _next(answer: str) -> str:
    token = answer.partition("<resumptionToken")[2].partition(">")[2].partition("<")[0]
    assert token
    verb = "ListRecords" if "<ListRecords" in answer else "ListIdentifiers"
    return f"/oai?verb={verb}&resumptionToken={token}"
