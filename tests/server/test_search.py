"""The search API over HTTP: its paths, encodings, errors and headers, on the demo data of the reference."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from starlette.requests import Request

from pancommons.catalogue.search import weighing
from pancommons.server import search
from pancommons.server.visitor import from_here
from pancommons.store.engine import Database, TookTooLong
from tests.catalogue.search.conftest import shared_database
from tests.catalogue.search.demo import load_demo
from tests.server.conftest import listening

__all__ = ["shared_database"]

API = "/search-api"
DATASET = "20.500.12269/panosc-dataset1"


@pytest.fixture(scope="module")
def api(shared_database: Database, shared_data: Callable[[str], Path]) -> Iterator[httpx.Client]:
    load_demo(shared_database, shared_data("panosc-search-demo/db.json"))
    with listening(shared_database) as address, httpx.Client(base_url=address + API, timeout=30) as client:
        yield client


def told(answer: httpx.Response, status: int) -> dict[str, object]:
    """Give the error object of an answer."""
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert error["statusCode"] == status and error["name"] and "Traceback" not in answer.text
    return dict(error)


def test_every_route_in_any_case(api: httpx.Client) -> None:
    one = quote(DATASET, safe="")
    for path, expected in (
        ("/Datasets/count", {"count": 4}),
        ("/Documents/count", {"count": 2}),
        ("/Instruments/count", {"count": 15}),
        (f"/Datasets/{one}/files/count", {"count": 1}),
    ):
        for spelled in (path, path.lower().replace("%2f", "%2F"), path + "/"):
            assert api.get(spelled).json() == expected, spelled
    for kind, count in (("datasets", 4), ("DOCUMENTS", 2), ("Instruments", 15)):
        found = api.get(f"/{kind}").json()
        assert len(found) == count
        for record in found:
            again = api.get(f"/{kind}/{quote(record['pid'], safe='')}").json()
            assert again == record
    assert len(api.get(f"/datasets/{one.lower()}/FILES").json()) == 1
    assert str(api.get("").json()["version"]) and api.get("/").json()["uptime"] >= 0
    assert httpx.get(str(api.base_url).replace("search-api", "Search-API") + "Datasets/count").json() == {"count": 4}


def test_both_encodings_of_a_filter(api: httpx.Client) -> None:
    where = {"facility": "ESS", "name": {"like": "L"}}
    plain = api.get("/Instruments", params={"filter": json.dumps({"where": where, "limit": 3, "order": "name DESC"})})
    brackets = "filter[where][facility]=ESS&filter[where][name][like]=L&filter[limit]=3&filter[order]=name DESC"
    names = [one["name"] for one in api.get('/Instruments?filter={"where":{"facility":"ESS"}}').json()]
    expected = sorted((name for name in names if "L" in name), reverse=True)
    assert plain.json() == api.get(f"/Instruments?{brackets}").json()
    assert [one["name"] for one in plain.json()] == expected[:3]
    asked = api.get("/Instruments/count", params={"where": json.dumps(where)}).json()
    assert asked == api.get("/Instruments/count?where[facility]=ESS&where[name][like]=L").json()
    assert asked == {"count": len(expected)}
    assert api.get("/Instruments/count", params={"filter": '{"where": {"facility": "ESS"}}'}).json() == {"count": 15}


def test_a_query_ranks(api: httpx.Client) -> None:
    inside = api.get("/Documents", params={"filter": '{"query": "publication"}'}).json()
    beside = api.get("/Documents", params={"query": "publication"}).json()
    both = api.get("/Documents", params={"query": "publication", "filter": '{"limit": 1}'}).json()
    assert inside == beside and both == inside[:1] and 0 < inside[0]["score"] < 1
    twice = api.get("/Documents", params={"query": "x", "filter": '{"query": "y"}'})
    assert "query" in str(told(twice, 400)["message"])


@pytest.mark.parametrize(
    ("path", "culprit"),
    [
        ("/Datasets?filter={", "JSON"),
        ("/Datasets?filter=[]", "filter"),
        ('/Datasets?filter={"where":{"titel":"x"}}', "titel"),
        ('/Datasets?filter={"where":{"title":{"likes":"x"}}}', "likes"),
        ('/Datasets?filter={"include":["technique"]}', "technique"),
        ('/Datasets?filter={"limit":-1}', "limit"),
        ('/Datasets?filter={"where":{"title":{"regexp":"("}}}', "regexp"),
        ("/Datasets?filter[where][titel]=x", "titel"),
        ("/Datasets?filter[where=x", "brackets"),
        ("/Datasets/count?where=7", "where"),
        ('/Datasets/count?where={"titel":"x"}', "titel"),
        ("/Datasets?filter={}&filter={}", "twice"),
        ('/Datasets?filter={"limit":NaN}', "NaN"),
        ("/techniques?filter={", "JSON"),
        ('/techniques?filter={"where":{"title":"x"}}', "title"),
        ('/techniques/pan-ontology?where={"and":3}', "and"),
    ],
)
def test_nonsense_is_named(api: httpx.Client, path: str, culprit: str) -> None:
    assert culprit in str(told(api.get(path), 400)["message"])


def test_what_is_not_there(api: httpx.Client) -> None:
    for path in ("/Datasets/x", "/Documents/x", "/Instruments/%00", "/Datasets/x/files", "/Datasets/x/files/count"):
        assert told(api.get(path), 404)["code"] == "MODEL_NOT_FOUND", path
    for path in ("/Samples", "/nonsense/count", f"/Datasets/{DATASET}", "/Datasets/x/members", "/Documents/x/files"):
        assert "code" not in told(api.get(path), 404), path
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        told(api.request(method, "/Datasets"), 404)
    told(api.get("/techniques/nothing"), 404)


def test_pages_of_any_origin_may_read_but_only_what_is_public(api: httpx.Client) -> None:
    answer = api.get("/Datasets", headers={"Origin": "https://search.example.org"})
    assert answer.headers["access-control-allow-origin"] == "*" and "Origin" in answer.headers["vary"]
    assert "access-control-allow-credentials" not in answer.headers
    asked = {"Origin": "https://search.example.org", "Access-Control-Request-Method": "GET"}
    assert "GET" in api.options("/Datasets", headers=asked).headers["access-control-allow-methods"]
    refused = api.get("/Datasets?filter={", headers=asked)
    assert refused.status_code == 400 and refused.headers["access-control-allow-origin"] == "*"
    assert api.head("/Datasets").status_code == 200 and not api.head("/Datasets").content


@pytest.mark.parametrize(
    ("headers", "local"),
    [
        ({}, True),
        ({"origin": "http://localhost:8000"}, True),
        ({"origin": "https://evil.example.org"}, False),
        ({"origin": "null"}, False),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "same-origin"}, True),
        ({"via": "1.1 pancommons"}, False),
    ],
)
def test_a_page_of_another_origin_is_not_the_local_user(headers: dict[str, str], local: bool) -> None:
    raw = [(b"host", b"localhost:8000"), *((name.encode(), value.encode()) for name, value in headers.items())]
    scope = {"type": "http", "scheme": "http", "path": "/", "query_string": b"", "headers": raw,
             "client": ("127.0.0.1", 5), "server": ("localhost", 8000)}  # fmt: skip
    assert from_here(Request(scope)) is local


def test_scoring(api: httpx.Client) -> None:
    told_ = api.post("/score", json={"query": "test dataset", "group": "Datasets", "limit": 2}).json()
    assert set(told_) == {"request", "query", "scores", "dimension", "computeInProgress", "started", "ended"}
    assert told_["query"] == {"query": "test dataset", "terms": ["test", "dataset"]}
    assert len(told_["scores"]) == 2 and all(set(one) == {"itemId", "score", "group"} for one in told_["scores"])
    assert all(0 < one["score"] < 1 for one in told_["scores"])
    some = api.post("/score", json={"query": "test", "itemIds": [DATASET, "not there"], "limit": -1}).json()["scores"]
    assert [one["itemId"] for one in some] == [DATASET]
    many = api.post("/score", json={"query": "test", "itemIds": [f"p/{n}" for n in range(10_000)]})
    assert many.json()["scores"] == []
    for body in ({}, {"query": 3}, {"query": "x", "group": "Files"}, {"query": "x", "limit": -2}, {"query": "a\0"}, []):
        told(api.post("/score", json=body), 400)
    told(api.post("/score", content="x" * (2 << 20)), 413)
    told(api.get("/score"), 404)


def test_techniques(api: httpx.Client) -> None:
    found = api.get("/techniques").json()
    assert len(found) == api.get("/techniques/count").json()["count"] == 2
    assert {"pid", "name", "synonym", "relatives", "children", "parents"} <= set(found[0])
    first = found[0]["pid"]
    assert api.get(f"/techniques/{quote(first, safe='')}").json() == found[0]
    assert len(api.get("/techniques?filter[limit]=1").json()) == 1
    where = json.dumps({"name": found[0]["name"]})
    assert api.get("/techniques/pan-ontology", params={"where": where}).json() == {"pid": {"inq": [first]}}


def test_an_answer_that_is_too_large_is_refused(api: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weighing, "LARGEST", 400)
    assert "limit" in str(told(api.get("/Datasets"), 413)["message"])
    assert api.get("/Datasets?filter[limit]=1").status_code == 200
    assert "MiB" in str(told(api.get("/federated/Datasets"), 503)["message"])


def test_a_question_that_takes_too_long(api: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*_: object) -> int:
        raise TookTooLong("the query took longer than 10 s and was stopped")

    monkeypatch.setattr(search.asking, "count", slow)
    assert "ask for less" in str(told(api.get("/Datasets/count"), 503)["message"])
