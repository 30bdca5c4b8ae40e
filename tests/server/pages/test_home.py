"""The first page and the pages of techniques."""

from __future__ import annotations

import httpx

from pancommons.pipelines import registry

__all__ = ["site"]
from tests.server.conftest import listening
from tests.server.pages.finding import ANYBODY, read, site


def test_an_empty_catalogue_says_how_to_fill_it(sqlite_database):
    with listening(sqlite_database) as address:
        for path in ("/", "/datasets"):
            page = read(address + path)
            assert page.texts("//div[@class='empty']//code") == ["pan ingest FOLDER", "pan demo"]
        assert "PaNET01207" not in read(f"{address}/").answer.text
        assert read(f"{address}/techniques").texts("//h1") == ["Techniques"]


def test_a_tile_for_each_technique_with_open_data_and_its_picture(site):
    page = read(f"{site}/")
    tiles = page.tree.xpath("//a[@class='tile']")
    told = [" ".join(one.text_content().split()) for one in tiles]
    names = ("x-ray tomography", "time of flight small angle neutron scattering")
    assert sorted(told) == sorted(f"{name} 2 open datasets" for name in names)
    for one in tiles:
        shown = read(site + one.get("href"))
        assert shown.total == 2
    [picture] = page.tree.xpath("//a[@class='tile']//img/@src")
    assert httpx.get(site + picture, headers=ANYBODY).headers["content-type"] == "image/png"


def test_what_opened_this_week_is_told(site):
    assert read(f"{site}/").texts("//ul[@class='opened']/li/a") == ["lung, reconstructed"]


def test_the_search_box_of_the_first_page_leads_to_the_search(site):
    [form] = read(f"{site}/").tree.xpath("//main//form[@role='search']")
    assert (form.get("action"), form.xpath(".//input/@name")) == ("/datasets", ["q"])


def test_techniques_stand_in_a_tree_with_counts(site):
    page = read(f"{site}/techniques")
    told = dict(
        zip(
            page.texts("//div[@class='technique-tree']//a"),
            page.texts("//div[@class='technique-tree']//span[@class='count']"),
            strict=True,
        )
    )
    assert told["x-ray tomography"] == "3 datasets"
    assert told["photon and neutron technique"] == "6 datasets"
    every = read(f"{site}/techniques?empty=1").texts("//div[@class='technique-tree']//a")
    assert len(every) > len(told)
    found = read(f"{site}/techniques?q=x-ray+tomography").texts("//section[@aria-labelledby='found']//a")
    assert "x-ray tomography" in found
    assert "No technique has all of these words" in read(f"{site}/techniques?q=qqqq").answer.text


def test_a_technique_tells_its_place_its_data_and_the_pipelines_that_do_it(site):
    page = read(f"{site}/techniques/PaNET01207")
    assert page.texts("//h1") == ["x-ray tomography"]
    assert len(page.titles) == 3
    names = page.texts("//section[@aria-labelledby='pipelines']//span[@class='mono']")
    assert "tomography" in names
    assert all(name in registry.names() for name in names)
    [up] = page.tree.xpath("//section[@aria-labelledby='parents']//a/@href")[:1]
    assert "x-ray tomography" in read(site + up).texts("//section[@aria-labelledby='children']//a")
    whole = read(f"{site}/techniques/http://purl.org/pan-science/PaNET/PaNET01207")
    assert whole.texts("//h1") == ["x-ray tomography"]
    missing = httpx.get(f"{site}/techniques/PaNET99999", headers=ANYBODY)
    assert (missing.status_code, "There is no such technique." in missing.text) == (404, True)
