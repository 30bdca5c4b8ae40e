"""A federation of real servers on loopback: two that answer, one dead, one that never says anything."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from pancommons.base.settings import Provider, Settings
from pancommons.store.engine import Database, open_database
from tests.catalogue.search.demo import load_demo
from tests.catalogue.search.putting import CLOSED, dataset, put
from tests.server.conftest import listening

ONE = "20.500.12269/panosc-dataset1"


@pytest.fixture(scope="module")
def federation(
    empty_sqlite: Path, tmp_path_factory: pytest.TempPathFactory, shared_data: Callable[[str], Path]
) -> Iterator[tuple[httpx.Client, list[str]]]:
    """Give a client of the aggregator, and the addresses of its two providers."""

    def new_database(name: str) -> Database:
        return open_database(f"sqlite:///{shutil.copy(empty_sqlite, tmp_path_factory.mktemp(name) / 'catalogue.db')}")

    with ExitStack() as stack:
        silent = stack.enter_context(socket.socket())
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        addresses = []
        for name in ("db1", "db2"):
            database = new_database(name)
            load_demo(database, shared_data(f"panosc-search-demo/{name}.json"))
            if name == "db1":
                put(database, [dataset("secret/1", title="A secret", terms=CLOSED)])
            addresses.append(f"{stack.enter_context(listening(database))}/search-api")
        own = new_database("own")
        put(own, [dataset("10.5072/own", title="Ours")])
        providers = [
            Provider(name="One", url=addresses[0], kind="pancommons"),
            Provider(name="Two", url=addresses[1], kind="pancommons"),
            Provider(name="Dead", url="http://127.0.0.1:9/api"),
            Provider(name="Slow", url=f"http://127.0.0.1:{silent.getsockname()[1]}", timeout=0.5),
        ]
        address = stack.enter_context(listening(own, Settings(providers=providers)))
        yield stack.enter_context(httpx.Client(base_url=f"{address}/search-api/federated", timeout=30)), addresses


def test_it_answers_as_one_catalogue(federation: tuple[httpx.Client, list[str]]) -> None:
    client, addresses = federation
    answer = client.get("/datasets")
    found = answer.json()
    titles = [one["title"] for one in found]
    assert len(found) == 9 and titles == sorted(titles) and titles[0] == "Ours"
    assert {one["provider"] for one in found} == {*addresses, str(client.base_url)[:-1].removesuffix("/federated")}
    assert answer.headers["x-partial"] == "Dead cannot be reached; Slow did not answer within 0.5 s"
    pages = [client.get("/Datasets", params={"filter": f'{{"skip":{skip},"limit":4}}'}).json() for skip in (0, 4, 8)]
    assert [one for page in pages for one in page] == found
    wrapped = client.get("/Datasets?envelope=true&filter[limit]=2").json()
    assert wrapped["items"] == found[:2] and wrapped["partial"] is True
    assert [one["name"] for one in wrapped["providers"] if "problem" in one] == ["Dead", "Slow"]
    counted = client.get("/Datasets/count")
    assert counted.json()["count"] == 9 and counted.json()["upperBound"] and counted.json()["partial"]
    assert counted.headers["x-count-is"] == "upper bound"


def test_records_and_files_come_from_who_has_them(federation: tuple[httpx.Client, list[str]]) -> None:
    client, addresses = federation
    one = client.get(f"/Datasets/{quote(ONE, safe='')}").json()
    assert one["pid"] == ONE and one["provider"] == addresses[0]
    files = client.get(f"/Datasets/{quote(ONE, safe='')}/files").json()
    assert client.get(f"/Datasets/{quote(ONE, safe='')}/files/count").json() == {"count": len(files)}
    missing = client.get("/Datasets/nothing")
    assert missing.status_code == 404 and missing.json()["error"]["code"] == "MODEL_NOT_FOUND"
    assert "Slow" in missing.json()["error"]["message"]
    assert client.get("/Datasets/nothing/files").status_code == 404
    assert client.get("/Datasets/%2E%2E").status_code == 404


def test_what_is_protected_elsewhere_stays_there(federation: tuple[httpx.Client, list[str]]) -> None:
    client, addresses = federation
    direct = httpx.get(f"{addresses[0]}/Datasets/count").json()["count"]
    assert direct == 5  # asked from this machine: the local user sees all
    assert client.get("/Datasets/secret%2F1").status_code == 404
    assert "A secret" not in client.get("/Datasets").text


def test_nonsense_is_named_before_anybody_is_asked(federation: tuple[httpx.Client, list[str]]) -> None:
    client, _ = federation
    for path, culprit in (
        ('/Datasets?filter={"where":{"titel":1}}', "titel"),
        ('/Datasets?filter={"limit":5000}', "1000"),
        ("/Datasets/count?where=7", "where"),
        ("/Instruments?filter={", "JSON"),
    ):
        answer = client.get(path)
        assert answer.status_code == 400 and culprit in answer.json()["error"]["message"]


def test_it_tells_whom_it_asks(federation: tuple[httpx.Client, list[str]]) -> None:
    client, addresses = federation
    told = client.get("").json()["providers"]
    assert [one["name"] for one in told] == ["this installation", "One", "Two", "Dead", "Slow"]
    assert told[1]["url"] == addresses[0] and all(one["answers"] for one in told[:3])


def test_a_federation_that_asks_itself_is_refused(federation: tuple[httpx.Client, list[str]]) -> None:
    client, _ = federation
    answer = client.get("/Datasets", headers={"Via": "1.1 pancommons-federation"})
    assert answer.status_code == 508 and "federation" in answer.json()["error"]["message"]
