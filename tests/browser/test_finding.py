"""Finding data in a browser: choices swap the list in place, and everything is there without JavaScript."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Complaints
from tests.server.pages.finding import site

__all__ = ["site"]

PLACES = ("/", "/datasets", "/datasets?q=zzz&kind=raw&parameter=sample_temperature&from=9&to=1&unit=K",
          "/documents", "/instruments", "/techniques?q=tomography", "/techniques/PaNET01207")  # fmt: skip


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 320)])
def test_nothing_is_wrong_for_axe_and_nothing_flows_over(
    page: Page, site: str, complaints: Complaints, axe: Callable[..., list[str]], scheme: str, width: int
) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.set_viewport_size({"width": width, "height": 800})
    for place in PLACES:
        page.goto(site + place)
        assert (place, axe(page)) == (place, [])
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), place
    assert complaints.told == []


def test_a_choice_and_a_word_change_the_list_in_place(page: Page, site: str, complaints: Complaints) -> None:
    page.goto(f"{site}/datasets")
    page.evaluate("window.same = true")
    page.fill("#q", "lung")
    expect(page.locator(".total strong")).to_have_text("3", timeout=20_000)
    page.click("#facet-access a:has-text('open')")
    expect(page.locator(".total strong")).to_have_text("2", timeout=20_000)
    assert page.url.endswith("/datasets?q=lung&access=open")
    expect(page.locator("#kept input")).to_have_value("open")
    page.go_back()
    expect(page.locator(".total strong")).to_have_text("3", timeout=20_000)
    assert complaints.told == []


def test_all_of_it_works_without_javascript_on_a_phone(browser: Browser, site: str) -> None:
    context = browser.new_context(java_script_enabled=False, viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.goto(f"{site}/")
    page.fill("main input[name=q]", "polymer")
    page.click("main form[role=search] button")
    expect(page.locator(".total strong")).to_have_text("3")
    expect(page.locator("#facet-kind")).to_be_hidden()
    page.click("details.facets > summary")
    page.click("#facet-kind a:has-text('simulated')")
    expect(page.locator(".total strong")).to_have_text("1")
    page.click("a.chip")
    page.click("details.facets > summary")
    page.fill("form.ranges input[name=parameter]", "incident_wavelength")
    page.fill("form.ranges input[name=from]", "0.5")
    page.fill("form.ranges input[name=unit]", "nm")
    page.click("form.ranges button")
    expect(page.locator(".total strong")).to_have_text("1")
    context.close()
