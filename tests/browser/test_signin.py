"""Signing in, programs, tokens and sessions in a browser: by the pages' own policies, with and without JavaScript."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from pancommons.store.engine import Database
from tests.browser.conftest import Complaints
from tests.oidc import OpenID, openid, sign_in_page, signed_in_server
from tests.server.conftest import sqlite_database

__all__ = ["openid", "sqlite_database"]


@pytest.fixture
def portal(sqlite_database: Database, openid: OpenID) -> Iterator[str]:
    openid.tell("ada", name="Ada Example")
    with signed_in_server(sqlite_database, openid) as address:
        yield address


def ask(portal: str) -> dict[str, Any]:
    told: dict[str, Any] = httpx.post(f"{portal}/device/code", data={"name": "pan on laptop"}).json()
    return told


def test_the_journey_without_javascript(browser: Browser, portal: str, openid: OpenID) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{portal}/me/tokens")
    expect(page).to_have_url(f"{portal}/signin?next=%2Fme%2Ftokens")
    sign_in_page(page, portal, "ada", after="/me/tokens")
    page.get_by_label("Name").fill("notebook")
    page.get_by_role("button", name="Make the token").click()
    token = page.get_by_label("Your new token").input_value()
    answer = httpx.get(f"{portal}/me/account", headers={"Authorization": f"Bearer {token}"})
    assert answer.json()["person"] == openid.person("ada")
    page.goto(ask(portal)["verification_uri_complete"])
    expect(page.get_by_text("pan on laptop")).to_be_visible()
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("heading", name="Approved")).to_be_visible()
    page.get_by_role("link", name="Your tokens").click()
    page.get_by_role("button", name="Revoke notebook").click()
    expect(page.get_by_role("button", name="Revoke notebook")).to_have_count(0)
    assert httpx.get(f"{portal}/me/account", headers={"Authorization": f"Bearer {token}"}).status_code == 401
    page.locator(".menu > summary").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(re.compile(re.escape(openid.issuer)))
    page.goto(f"{portal}/me/sessions")
    expect(page).to_have_url(f"{portal}/signin?next=%2Fme%2Fsessions")
    context.close()


def test_the_pages_are_sound(page: Page, portal: str, axe: Callable[..., list[str]], complaints: Complaints) -> None:
    def check(address: str | None = None) -> None:
        if address is not None:
            page.goto(f"{portal}{address}")
        for scheme, width in (("light", 1280), ("dark", 320)):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            page.set_viewport_size({"width": width, "height": 800})
            assert axe(page) == [], (page.url, scheme, width)
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, f"{page.url} is {wide} px wide at {width}"

    check("/signin")
    sign_in_page(page, portal, "ada")
    check("/device")
    check("/device?user_code=BCDFGHJK")
    check(f"/device?user_code={ask(portal)['user_code']}")
    page.get_by_role("button", name="Deny").click()
    check()
    check("/me/tokens")
    page.get_by_label("Name").fill("x")
    page.get_by_role("button", name="Make the token").click()
    check()
    check("/me/sessions")
    assert complaints.told == []


def test_by_keyboard_alone(page: Page, portal: str) -> None:
    page.goto(f"{portal}/signin")
    page.get_by_role("link", name="Sign in with").focus()
    page.keyboard.press("Enter")
    page.locator("input[name=login]").fill("ada")
    page.locator("input[name=password]").fill("ada")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{portal}/")
    page.goto(f"{portal}/device")
    page.get_by_label("Code").focus()
    page.keyboard.type(ask(portal)["user_code"].lower())
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Approve").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Approved")).to_be_visible()
