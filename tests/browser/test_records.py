"""Pages of records in a browser: axe-core, narrow windows, a form by keyboard alone, one printed sheet."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from pancommons.base.settings import Settings
from pancommons.store.engine import Database
from tests.browser.conftest import Complaints
from tests.server.conftest import listening
from tests.server.leaking import World, make_world

pytestmark = pytest.mark.parametrize("new_database", ["sqlite"], indirect=True)


@pytest.fixture
def world(database: Database, tmp_path: Path) -> World:
    (tmp_path / "data").mkdir()
    return make_world(database, tmp_path / "data", datetime.now(UTC))


@pytest.fixture
def portal(database: Database, world: World) -> Iterator[str]:
    with listening(database, Settings(data_roots={"data": str(world.root)})) as address:
        yield address


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 320)])
def test_pages_of_records(
    page: Page,
    portal: str,
    world: World,
    complaints: Complaints,
    axe: Callable[..., list[str]],
    scheme: str,
    width: int,
) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.set_viewport_size({"width": width, "height": 800})
    for path in ("/datasets/from-embargoed", "/documents/proposal-1", "/instruments/instrument-1", "/samples/sample-2",
                 "/about", "/about/policy"):  # fmt: skip
        page.goto(portal + path, wait_until="domcontentloaded")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        for folded in page.locator("main details").all():
            folded.evaluate("one => { one.open = true }")
        assert axe(page) == [], path
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
    assert complaints.told == []


def test_a_form_by_keyboard_and_what_was_wrong_takes_the_focus(page: Page, portal: str) -> None:
    page.goto(f"{portal}/datasets/embargoed", wait_until="domcontentloaded")
    page.locator("details.editing summary").focus()
    page.keyboard.press("Enter")
    page.get_by_label("now", exact=True).focus()
    page.keyboard.press("Space")
    page.get_by_label("Why").focus()
    page.keyboard.type("   ")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    summary = page.get_by_role("alert")
    expect(summary).to_be_focused()
    summary.get_by_role("link").click()
    expect(page.get_by_label("Why")).to_be_focused()
    page.keyboard.type("it is published")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("Changed")
    expect(page.locator(".dataset-head .state").first).to_have_text("open")


def test_it_prints_to_one_sheet(page: Page, portal: str) -> None:
    page.goto(f"{portal}/datasets/from-embargoed", wait_until="domcontentloaded")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert len(re.findall(rb"/Type\s*/Page[^s]", page.pdf(format="A4"))) == 1
