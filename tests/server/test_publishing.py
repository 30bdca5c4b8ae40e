"""What crawlers get: DCAT, JSON-LD, DataCite and sitemaps of what anybody may see."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx
import pytest
import rdflib
from lxml import etree

from pancommons.catalogue.access import LOCAL_USER
from pancommons.catalogue.policy import read_policy
from pancommons.catalogue.records import Dataset, Terms
from pancommons.catalogue.write import put
from pancommons.store.engine import Database

AT = datetime.now(UTC) - timedelta(days=1)
Get = Callable[..., httpx.Response]


@pytest.fixture
def identifiers(database: Database) -> dict[str, str]:
    made = {}
    with database.write() as connection:
        for pid, since in (("shown", AT), ("hidden", None)):
            terms = Terms(open_from=since, discoverable_from=since, fixed=True)
            record = Dataset(pid=pid, kind="raw", title=f"title of {pid}", creation_date=AT, terms=terms)
            made[pid] = put(connection, record, policy=read_policy(), by=LOCAL_USER, at=AT).identifier
    return made


@pytest.mark.parametrize(("path", "form"), [("/catalog.ttl", "turtle"), ("/catalog.jsonld", "json-ld")])
def test_the_catalogue_is_dcat(get: Get, identifiers: dict[str, str], path: str, form: str) -> None:
    answer = get(path)
    graph = rdflib.Graph().parse(data=answer.text, format=form)
    assert [str(title) for title in graph.objects(None, rdflib.DCTERMS.title)].count("title of shown") == 1
    assert "hidden" not in answer.text


def test_a_dataset_by_its_identifier(get: Get, identifiers: dict[str, str]) -> None:
    told = get(f"/datasets/{identifiers['shown']}.jsonld").json()
    assert told["name"] == "title of shown" and told["@type"] == "Dataset"
    xml = etree.fromstring(get(f"/datasets/{identifiers['shown']}.datacite.xml").content)
    assert etree.QName(xml).localname == "resource"
    for key in (identifiers["hidden"], "nonsense"):
        answer = get(f"/datasets/{key}.jsonld")
        assert answer.status_code == 404 and answer.json()["error"]["name"] == "NotFoundError"


def test_the_sitemap_leads_to_every_dataset(get: Get, identifiers: dict[str, str]) -> None:
    index = etree.fromstring(get("/sitemap.xml").content)
    parts = [place.text for place in index.iter("{*}loc")]
    places = [place.text for part in parts for place in etree.fromstring(httpx.get(str(part)).content).iter("{*}loc")]
    assert [str(place).rsplit("/", 1)[1] for place in places] == [identifiers["shown"]]


def test_every_answer_is_guarded(get: Get) -> None:
    for path in ("/health", "/nowhere", "/oai?verb=Identify"):
        headers = get(path).headers
        assert (
            headers["x-content-type-options"] == "nosniff"
            and "default-src 'none'" in headers["content-security-policy"]
        )
    assert get("/nowhere").json() == {"error": {"statusCode": 404, "name": "NotFoundError", "message": "Not Found"}}
    assert get("/health").json()["status"] == "ok"


@pytest.mark.parametrize("path", [f"/sitemap/{2**70}.xml", "/sitemap/-1.xml", f"/catalog.ttl?after={2**70}"])
def test_a_place_that_no_list_has(get: Get, path: str) -> None:
    assert get(path).status_code == 400
