"""Steps of signing in, for tests that look at what happens between them."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import sqlalchemy as sa

from pancommons.catalogue.ledger import audit
from pancommons.store.engine import Database
from tests.oidc import NAVIGATES, to_portal

COOKIE = "pancommons-session"
FROM_ELSEWHERE = {**NAVIGATES, "Sec-Fetch-Site": "cross-site"}
"""What a browser adds when a page of another site sends it here."""


def who(browser: httpx.Client, portal: str) -> dict[str, Any]:
    told: dict[str, Any] = browser.get(f"{portal}/me/account").json()
    return told


def start(browser: httpx.Client, portal: str, after: str = "/") -> httpx.Response:
    return browser.get(f"{portal}/signin/facility/start", params={"next": after}, headers=NAVIGATES)


def callback(browser: httpx.Client, portal: str, name: str) -> str:
    """Sign in as far as the answer of the provider; return its address, not asked for yet."""
    return str(to_portal(browser, start(browser, portal), portal, name).headers["location"])


def asked(address: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


def written(database: Database, what: str, person: str) -> int:
    with database.read() as connection:
        same = sa.and_(audit.c.what == what, audit.c.who == person)
        return int(connection.scalar(sa.select(sa.func.count()).select_from(audit).where(same)) or 0)


def begin(browser: httpx.Client, portal: str) -> dict[str, str]:
    """Begin to sign in; return what the portal sends to the provider."""
    answer = browser.get(f"{portal}/signin/facility/start", headers=NAVIGATES)
    assert answer.status_code == 303, answer.text
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}


def come_back(browser: httpx.Client, portal: str, sent: dict[str, str], **more: str) -> httpx.Response:
    """Come back from the provider with a code."""
    return browser.get(f"{portal}/signin/facility/callback", params={"code": "c", "state": sent["state"], **more})


def signed_in(browser: httpx.Client, portal: str) -> bool:
    return bool(browser.get(f"{portal}/me/account").json()["known_by"] == "session")
