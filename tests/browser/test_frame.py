"""The frame of all pages in a browser."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Complaints


@pytest.mark.parametrize("new_database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_frame(page: Page, served: str, complaints: Complaints, axe: Callable[..., list[str]], scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(f"{served}/no/such/page")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.locator("details.menu summary").click()
    assert axe(page) == [] and complaints.told == []


def test_axe_finds_what_is_wrong(page: Page, axe: Callable[..., list[str]]) -> None:
    page.set_content("<!doctype html><html lang=en><title>t</title><main><h1>t</h1><img src='data:,'></main></html>")
    assert any("image-alt" in line for line in axe(page)) and axe(page, without=("img",)) == []


def test_complaints_are_noted(page: Page, complaints: Complaints) -> None:
    page.set_content("<script>console.error('what went wrong'); nothing.is = 1</script>")
    assert len(complaints.told) == 2 and "what went wrong" in complaints.told[0]
