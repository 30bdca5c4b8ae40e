"""Finding data in the portal: words, facets, ranges, lists, exports, other facilities."""

from __future__ import annotations

import csv
import io
import json
import shutil

import httpx
import pytest

from pancommons.base.settings import Provider, Settings
from pancommons.server.pages.exporting import COLUMNS
from pancommons.store.engine import open_database
from tests.server.conftest import listening
from tests.server.pages.finding import ANYBODY, fill, read, records, scan, secrets, site

__all__ = ["site"]

FACETS = ("technique", "facility", "instrument", "access", "year", "kind", "sample")


@pytest.fixture
def other(empty_sqlite, tmp_path):
    """Give the catalogue of another facility."""
    database = open_database(f"sqlite:///{shutil.copy(empty_sqlite, tmp_path / 'other.db')}")
    yield database
    database.close()


def test_every_choice_leads_to_as_many_datasets_as_it_says(site):
    for begin in (
        "/datasets",
        "/datasets?q=lung",
        "/datasets?facility=ISIS&kind=raw",
        "/datasets?technique=PaNET01207",
    ):
        page = read(site + begin)
        for facet in FACETS:
            for label, (count, address) in page.options(facet).items():
                there = read(site + address)
                taken = there.tree.xpath(f"//section[@id='facet-{facet}']//a[@aria-current]")
                if taken:
                    assert there.total == sum(
                        int(one.xpath("../span[@class='count']")[0].text_content()) for one in taken
                    ), (begin, facet, label)
                if not page.tree.xpath(f"//section[@id='facet-{facet}']//a[@aria-current]"):
                    assert (there.total, bool(taken)) == (count, True), (begin, facet, label)


def test_a_choice_that_leaves_nothing_stays_and_can_be_given_back(site):
    page = read(f"{site}/datasets?q=lung&kind=simulated&facility=Nowhere")
    assert page.total == 0
    assert "No dataset fits all of this." in page.answer.text
    assert page.options("facility")["Nowhere"][0] == 0
    chips = page.tree.xpath("//a[@class='chip']/@href")
    assert chips == ["/datasets?q=lung&kind=simulated", "/datasets?q=lung&facility=Nowhere"]
    without = read(site + page.options("facility")["Nowhere"][1])
    assert without.answer.url.query == b"q=lung&kind=simulated"


def test_words_rank_and_the_order_can_be_changed(site):
    assert read(f"{site}/datasets?q=lung").total == 3
    newest = read(f"{site}/datasets").titles
    assert newest[0] == "lung, reconstructed"
    assert read(f"{site}/datasets?sort=title").titles == sorted(newest)
    assert set(read(f"{site}/datasets?q=lung+rest&sort=relevance").titles[:1]) == {"lung at rest"}
    assert read(f"{site}/datasets?q=%21%21").total == 0


def test_a_hit_tells_what_one_needs_to_choose(site):
    page = read(f"{site}/datasets?sort=title&access=open&facility=PSI")
    [derived, rest] = sorted(page.texts("//li[@class='hit']"), key=len)
    for part in (
        "open",
        "12.4 GB",
        "TOMCAT, PSI",
        "x-ray tomography",
        "21 keV",
        "2021-03-04",
        "lung tissue",
        "1 derived",
    ):
        assert part in rest, part
    assert "processed" in derived
    assert "10.5072/three" in derived
    pictures = read(f"{site}/datasets?sample=lung+tissue").tree.xpath("//img[@class='thumb']/@src")
    assert len(pictures) == 1  # that of the embargoed dataset is not even asked for
    assert httpx.get(site + pictures[0], headers=ANYBODY).headers["content-type"] == "image/png"


def test_ranges_take_any_unit(site):
    def total(query: str) -> int:
        return read(f"{site}/datasets?{query}").total

    assert total("parameter=incident_photon_energy&from=20&to=22&unit=keV") == 2
    assert total("parameter=incident_photon_energy&from=20000&to=22000&unit=eV") == 2
    assert total("parameter=incident_photon_energy&from=0,058&to=0,060&unit=nm") == 2
    assert total("parameter=sample_temperature&from=20&to=25&unit=celsius") == 2
    assert total("parameter=sample_temperature&from=300&to=&unit=K") == 0
    assert (
        total("parameter=sample_temperature&from=&to=&unit=&parameter=incident_photon_energy&from=1&to=&unit=keV") == 2
    )


@pytest.mark.parametrize(
    ("query", "field", "sentence"),
    [
        ("parameter=sample_temperature&from=1&to=2&unit=furlongs-ish", "unit", "no unit that is known here: write K."),
        ("parameter=sample_temperature&from=1&to=2&unit=keV", "unit", "sample_temperature is given in K here"),
        ("parameter=sample_temperature&from=warm&to=&unit=K", "from", "“warm” is no number"),
        ("parameter=sample_temperature&from=1&to=nan&unit=K", "to", "“nan” is no number"),
        ("parameter=sample_temperature&from=9&to=2&unit=K", "to", "ends before it begins"),
        ("parameter=&from=9&to=&unit=K", "parameter", "Name the parameter"),
    ],
)
def test_a_wrong_range_is_told_beside_its_field_and_left_out(site, query, field, sentence):
    page = read(f"{site}/datasets?{query}&kind=processed")
    [wrong] = page.tree.xpath("//input[@aria-invalid='true']")
    assert wrong.get("name") == field
    assert sentence in page.tree.get_element_by_id(wrong.get("aria-describedby")).text_content()
    assert (page.total, len(page.texts("//p[@class='note error']"))) == (1, 1)


def test_suggestions_are_the_parameters_there_are(site):
    page = read(f"{site}/datasets")
    assert page.tree.xpath("//datalist[@id='parameter-names']/option/@value") == [
        "incident_photon_energy", "sample_temperature", "incident_wavelength",
    ]  # fmt: skip
    assert page.tree.xpath("//datalist[@id='parameter-units']/option/@value") == ["K", "angstrom", "keV"]


def test_odd_addresses_are_understood_as_far_as_they_go(site):
    for query in (
        "page=0", "page=99999999999999&sort=size", "kind=%00&year=abcd", "year=0000&access=any", "q=%00%ff%ed%a0%80",
        "technique=http://x/%27--&instrument=%27;drop", "facility=" + "x" * 5000, "parameter=a&from=1e999",
        "&".join(f"year={year}" for year in range(1000, 1500)), "q=" + "word%20" * 80,
    ):  # fmt: skip
        assert read(f"{site}/datasets?{query}").answer.status_code == 200


def test_pages_of_twenty_five(sqlite_database):
    fill(sqlite_database, [*records()[:2], *(scan(number, f"scan {number:02d}") for number in range(60))])
    with listening(sqlite_database) as site:
        pages = [read(f"{site}/datasets?sort=title&page={number}") for number in (1, 2, 3)]
        assert [len(page.titles) for page in pages] == [25, 25, 10]
        assert [title for page in pages for title in page.titles] == [f"scan {number:02d}" for number in range(60)]
        [on] = pages[0].tree.xpath("//a[@rel='next']/@href")
        assert on == "/datasets?sort=title&page=2"
        assert not pages[2].tree.xpath("//a[@rel='next']")
        assert read(f"{site}/datasets?page=77").titles == []


def test_a_result_is_exported_as_it_is_shown(site):
    for query in ("", "?q=lung", "?facility=ISIS&sort=title"):
        page = read(f"{site}/datasets{query}")
        told = httpx.get(f"{site}/datasets.json{query}", headers=ANYBODY)
        listed = json.loads(told.text)["datasets"]
        assert [one["title"] for one in listed] == page.titles
        assert "attachment" in told.headers["content-disposition"]
        table = list(csv.DictReader(io.StringIO(httpx.get(f"{site}/datasets.csv{query}", headers=ANYBODY).text)))
        assert [tuple(row) for row in table[:1]] == [COLUMNS]
        assert [row["pid"] for row in table] == [one["pid"] for one in listed]
    [row] = [row for row in table if "blend" in row["title"]]
    assert (row["title"], row["access"], row["beamUnit"]) == ("'=polymer blend", "open", "angstrom")


def test_nothing_that_is_protected_changes_a_page(database):
    """What is added where nobody may know of it shows nowhere: no count, no suggestion, no byte."""
    fill(database)
    paths = [
        "/", "/datasets", "/datasets?q=polymer&technique=PaNET01207", "/datasets?facility=ZZLAB&sample=ZZSAMPLE",
        "/datasets?year=1999&access=restricted", "/datasets?parameter=zz_parameter&from=0&to=2&unit=K",
        "/datasets?instrument=i/secret", "/datasets.csv", "/documents?q=ZZPLAN", "/instruments",
        "/techniques", "/techniques/PaNET01212",
    ]  # fmt: skip
    with listening(database) as site:
        before = {path: httpx.get(site + path, headers=ANYBODY, timeout=30) for path in paths}
        fill(database, secrets())
        for path in paths:
            after = httpx.get(site + path, headers=ANYBODY, timeout=30)
            assert (after.status_code, after.text) == (before[path].status_code, before[path].text), path
        assert "ZZTITLE" in httpx.get(f"{site}/datasets?q=ZZTITLE", headers={"Accept": "text/html"}).text


def test_other_facilities_are_asked_too_and_who_is_silent_is_named(sqlite_database, other):
    fill(sqlite_database)
    fill(other, records()[:6])
    with listening(other) as elsewhere:
        providers = [
            Provider(name="PSI", url=f"{elsewhere}/search-api", kind="pancommons"),
            Provider(name="ESS", url="http://127.0.0.1:9/search-api", kind="pancommons"),
        ]
        with listening(sqlite_database, Settings(providers=providers)) as site:
            page = read(f"{site}/datasets?q=lung&also=1&access=open&kind=raw")
            assert page.texts("//p[@class='note warn']") == ["partial: ESS cannot be reached"]
            assert "Kind" in page.texts("//p[@class='note']")[0]
            assert set(page.titles) == {"lung at rest", "lung, reconstructed"}
            assert not page.tree.xpath("//img[@class='thumb']")
            alone = read(f"{site}/datasets?q=lung")
            assert not alone.texts("//p[@class='note warn']")
            assert alone.tree.xpath("//input[@id='also']")
            with_rest = read(f"{site}/datasets?also=1&sample=lung+tissue&technique=PaNET01207")
            assert "lung at rest" in with_rest.titles


def test_hits_of_others_lead_to_their_portal(sqlite_database, other):
    fill(sqlite_database)
    fill(other, [*records()[:2], scan(77, "lung of a mouse")])
    with listening(other) as elsewhere:
        providers = [Provider(name="PSI", url=f"{elsewhere}/search-api", kind="pancommons")]
        with listening(sqlite_database, Settings(providers=providers)) as site:
            page = read(f"{site}/datasets?q=mouse&also=1")
            [address] = page.tree.xpath("//li[@class='hit']//h3/a/@href")
            assert address == f"{elsewhere}/datasets/scan/77"
            assert page.texts("//li[@class='hit']//span[contains(@class,'state')]")[0] == "PSI"
            assert "All answered: this installation, PSI" in page.texts("//p[@class='muted small']")


def test_documents_and_instruments_are_listed_and_searched(site):
    page = read(f"{site}/documents")
    assert (page.total, set(page.titles)) == (2, {"Breathing seen from inside", "Alveoli under pressure"})
    assert read(f"{site}/documents?type=proposal").titles == ["Alveoli under pressure"]
    assert read(f"{site}/documents?q=inside").titles == ["Breathing seen from inside"]
    assert "No document fits." in read(f"{site}/documents?q=nowhere").answer.text
    page = read(f"{site}/instruments")
    assert page.texts("//tbody/tr/th") == ["LOQ", "TOMCAT"]
    assert page.tree.xpath("//tbody/tr[2]/td/a/@href") == ["/datasets?instrument=i%2Ftomcat"]
    assert read(site + page.tree.xpath("//tbody/tr[2]/td/a/@href")[0]).total == 3
    assert read(f"{site}/instruments?q=ISIS").texts("//tbody/tr/th") == ["LOQ"]
