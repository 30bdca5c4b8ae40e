"""What machines find at the address of a dataset."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
import rdflib
import sqlalchemy as sa
from lxml import etree, html

from pancommons.catalogue.access import ANONYMOUS, LOCAL_USER
from pancommons.catalogue.formats.description import Site
from pancommons.catalogue.policy import read_policy
from pancommons.catalogue.quantities import parameter
from pancommons.catalogue.read import Found, fetch
from pancommons.catalogue.records import Dataset, File, Member, Person, Pid, Terms
from pancommons.catalogue.surroundings import surroundings
from pancommons.catalogue.write import delete, put
from pancommons.server.landing import ENDINGS, OFFERED, describe_one
from pancommons.server.negotiation import best
from tests.server.records.conftest import Portal

pytestmark = pytest.mark.parametrize("new_database", ["sqlite"], indirect=True)

HOSTILE = "</script><script>alert(1)</script><!-- \" ' & {{7*7}} \x07\r\nLink: <evil>; % \\ } $x$ \u2028"


@pytest.fixture
def put_in(portal: Portal) -> Callable[..., str]:
    def put_one(pid: str, title: str, days: int = -1, **more: Any) -> str:
        at = portal.world.at
        when = at + timedelta(days=days)
        terms = Terms(open_from=when, discoverable_from=at - timedelta(days=9), fixed=True)
        record = Dataset(pid=pid, kind="raw", title=title, creation_date=at, terms=terms, license="CC-BY-4.0", **more)
        with portal.database.write() as connection:
            return put(connection, record, policy=read_policy(), by=LOCAL_USER, at=at).identifier

    return put_one


@pytest.fixture
def lung(portal: Portal, put_in: Callable[..., str]) -> str:
    (portal.world.root / "lung.h5").write_bytes(b"x")
    ada = Person(pid="ada", full_name="Ada Lovelace", first_name="Ada", last_name="Lovelace",
                 orcid="0000-0002-1825-0097")  # fmt: skip
    return put_in(
        "10.16907/lung/1", "A lung", members=(Member(person=ada, public=True),),
        files=(File(root="data", path="lung.h5", size=1, sha256="12" * 32),),
        pids=(Pid(scheme="doi", value="10.5072/b"),),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, "text/html"),
        ("*/*", "text/html"),
        ("image/png", "text/html"),
        ("application/ld+json", "application/ld+json"),
        ("text/html;q=0.5, application/json;q=0.9", "application/json"),
        ("text/*;q=0.3, application/json;q=0.2", "text/html"),
        ("text/html;q=0, application/x-bibtex", "application/x-bibtex"),
        ("text/turtle;q=nonsense, application/json;q=0.1", "application/json"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html"),
    ],
)
def test_the_form_that_is_asked_for(new_database: object, accept: str | None, expected: str) -> None:
    assert best(accept, OFFERED) == expected


def test_the_same_address_in_every_form(portal: Portal, lung: str) -> None:
    page = f"/datasets/{lung}"
    assert "Accept" in portal.get(page).headers["vary"]
    told = portal.get(page, "application/ld+json")
    assert told.headers["content-type"] == "application/ld+json" and "Accept" in told.headers["vary"]
    said = told.json()
    assert said["@id"] == "https://doi.org/10.16907/lung/1" and said["@context"]["@vocab"] == "https://schema.org/"
    [file] = said["distribution"]
    assert file["sha256"] == "12" * 32 and file["contentUrl"].startswith("https://portal.example/files/")
    xml = etree.fromstring(portal.get(page, "application/vnd.datacite.datacite+xml").content)
    assert etree.QName(xml).localname == "resource"
    graph = rdflib.Graph().parse(data=portal.get(page, "text/turtle").text, format="turtle")
    assert (rdflib.URIRef(f"https://portal.example{page}"), rdflib.DCTERMS.title, rdflib.Literal("A lung")) in graph
    record = portal.get(page, "application/json").json()
    assert record["pid"] == "10.16907/lung/1" and [one["name"] for one in record["files"]] == ["lung.h5"]
    assert portal.get(page, "text/x-bibliography").text == (
        f"Lovelace, Ada ({portal.world.at.year}): A lung. Facility. Raw data [Dataset]. "
        "https://doi.org/10.16907/lung/1\n"
    )
    bib = portal.get(page, "application/x-bibtex").text
    assert bib.startswith("@misc{Lovelace") and "doi = {10.16907/lung/1}" in bib
    ris = portal.get(page, "application/x-research-info-systems").text.split("\r\n")
    assert ris[0] == "TY  - DATA" and "AU  - Lovelace, Ada" in ris and ris[-2] == "ER  - "
    csl = portal.get(page, "application/vnd.citationstyles.csl+json").json()
    assert csl["author"] == [{"family": "Lovelace", "given": "Ada"}] and csl["DOI"] == "10.16907/lung/1"
    for ending in ENDINGS:
        answer = portal.get(f"{page}.{ending}")
        assert answer.status_code == 200 and 'rel="describes"' in answer.headers["link"], ending


def test_the_page_embeds_what_crawlers_read(portal: Portal, lung: str) -> None:
    answer = portal.get(f"/datasets/{lung}")
    tree = html.fromstring(answer.text)
    [block] = tree.xpath("//script[@type='application/ld+json']/text()")
    assert json.loads(block) == portal.get(f"/datasets/{lung}.jsonld").json()
    meta = {(one.get("name"), one.get("content")) for one in tree.xpath("//meta[@name]")}
    assert {("DC.title", "A lung"), ("DC.creator", "Lovelace, Ada"), ("citation_doi", "10.16907/lung/1")} <= meta
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    links = signposts(answer)
    assert links["cite-as"] == ["https://doi.org/10.16907/lung/1"]
    assert links["author"] == ["https://orcid.org/0000-0002-1825-0097"]
    assert links["license"] == ["https://spdx.org/licenses/CC-BY-4.0.html"]
    assert "https://schema.org/AboutPage" in links["type"]
    for place in (*links["describedby"], *links["item"]):
        assert portal.get(place.removeprefix("https://portal.example")).status_code == 200, place
    assert len(links["item"]) == 1


def signposts(answer: httpx.Response) -> dict[str, list[str]]:
    """Read a ``Link`` header."""
    found: dict[str, list[str]] = {}
    for place, rel in re.findall(r'<([^<>]*)>; rel="([^"]*)"', answer.headers["link"]):
        found.setdefault(rel, []).append(place)
    return found


def test_before_it_opens_no_file_is_named(portal: Portal, put_in: Callable[..., str]) -> None:
    (portal.world.root / "early.h5").write_bytes(b"x")
    early = put_in("early", "Early", days=30, files=(File(root="data", path="early.h5", sha256="34" * 32),))
    for accept in OFFERED:
        answer = portal.get(f"/datasets/{early}", accept)
        assert answer.status_code == 200 and "early.h5" not in answer.text and "34" * 32 not in answer.text
        assert 'rel="item"' not in answer.headers.get("link", "")
    told = portal.get(f"/datasets/{early}.jsonld").json()
    assert told["isAccessibleForFree"] is False and told["conditionsOfAccess"].endswith("c_f1cf")


def test_persistent_identifiers_lead_here(portal: Portal, lung: str) -> None:
    for key in ("10.16907/lung/1", "10.16907%2Flung%2F1", "10.5072/b", lung.upper(), f"{lung[:5]}-{lung[5:]}"):
        answer = portal.get(f"/datasets/{key}")
        assert answer.status_code == 302 and answer.headers["location"] == f"/datasets/{lung}", key
    assert portal.get("/instruments/instrument-1").headers["location"].startswith("/instruments/")
    assert portal.get("/datasets/10.16907/none").status_code == 404
    assert portal.get("/datasets/" + "x" * 5000).status_code == 404


def test_what_was_deleted_says_so(portal: Portal, put_in: Callable[..., str]) -> None:
    shown, hidden = put_in("10.16907/gone", "zqsecrettitle"), put_in("later", "zqsecrettitle", days=30)
    with portal.database.write() as connection:
        for one in (shown, portal.identifier("dataset", "hidden")):
            delete(connection, "dataset", one, by=LOCAL_USER, at=portal.world.at)
    for key in (shown, "10.16907/gone"):
        page = portal.get(f"/datasets/{key}")
        assert page.status_code == 410 and "10.16907/gone" in page.text and "zqsecret" not in page.text
    told = portal.get(f"/datasets/{shown}", "application/json")
    assert told.status_code == 410 and told.json()["error"]["statusCode"] == 410
    assert portal.get(f"/datasets/{portal.identifier('dataset', 'hidden')}").status_code == 404
    assert portal.get(f"/datasets/{shown}.jsonld").status_code == 404 and hidden


def test_a_hostile_title_stays_text(portal: Portal, put_in: Callable[..., str]) -> None:
    hostile = put_in(
        "10.16907/<evil>\r\nSet-Cookie: a=b", HOSTILE, summary=HOSTILE, keywords=(HOSTILE,),
        parameters=(parameter("<img src=x onerror=alert(1)>", HOSTILE),),
        members=(Member(person=Person(pid="evil", full_name=HOSTILE, last_name=HOSTILE), role=HOSTILE, public=True),),
    )  # fmt: skip
    portal.asking = LOCAL_USER
    answer = portal.get(f"/datasets/{hostile}")
    assert answer.status_code == 200
    tree = html.fromstring(answer.text)
    scripts = [one for one in tree.iter("script") if one.get("src") is None]
    assert [one.get("type") for one in scripts] == ["application/ld+json"]
    assert json.loads(str(scripts[0].text))["name"] == HOSTILE
    assert "<!--" not in str(scripts[0].text) and not tree.xpath("//img[@onerror]")
    assert "{{7*7}}" in answer.text and "alert(1)</script>" not in answer.text
    assert "set-cookie" not in answer.headers and "evil" not in answer.headers["link"]
    for ending in ENDINGS:
        form = portal.get(f"/datasets/{hostile}.{ending}")
        assert form.status_code == 200 and "set-cookie" not in form.headers, ending
    bib = portal.get(f"/datasets/{hostile}.bib").text
    assert bib.count("\n") == 8 and r"\%" in bib and r"\textbackslash{}" in bib
    ris = portal.get(f"/datasets/{hostile}.ris").text
    assert all(re.match(r"[A-Z]{2}  - ", line) for line in ris.split("\r\n") if line)


def test_a_lineage_is_drawn_and_listed(portal: Portal) -> None:
    portal.asking = LOCAL_USER
    derived, source = portal.identifier("dataset", "from-embargoed"), portal.identifier("dataset", "embargoed")
    page = html.fromstring(portal.get(f"/datasets/{derived}").text)
    assert page.xpath(f"//svg//a[@href='/datasets/{source}']") and page.xpath(f"//ol//a[@href='/datasets/{source}']")
    assert not page.xpath(f"//svg//a[@href='/datasets/{derived}']")
    below = html.fromstring(portal.get(f"/datasets/{source}").text)
    assert below.xpath(f"//svg//a[@href='/datasets/{derived}']")


def test_what_anybody_was_given_describes_a_dataset_as_well_as_asking_again(portal: Portal, lung: str) -> None:
    at, described, asked, site = portal.world.at, 0, [], Site("https://portal.example", "Facility")
    sa.event.listen(portal.database.reader, "before_cursor_execute", lambda *told: asked.append(told[2]))
    with portal.database.read() as connection:
        for key in [lung, *portal.world.records["dataset"]]:
            found = fetch(connection, "dataset", key, ANONYMOUS, at)
            if not isinstance(found, Found):
                continue
            around = surroundings(connection, found, ANONYMOUS, at)
            given = (found, *around.documents, *([around.instrument] if around.instrument else []))
            asked.clear()
            shorter = describe_one(connection, found, site, at, given)
            assert not [one for one in asked if "FROM members" in one]
            assert shorter == describe_one(connection, found, site, at)
            assert [one for one in asked if "FROM members" in one]
            described += 1
    assert described > 1
