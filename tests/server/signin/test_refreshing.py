"""Entitlements read anew while somebody is signed in, at the real provider, which takes each refresh token once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from pancommons.base.settings import Settings
from pancommons.catalogue.ledger import audit
from pancommons.catalogue.people import accounts
from pancommons.catalogue.people import sessions as session_table
from pancommons.server.services import now
from pancommons.server.signin.sealed import Held, unseal
from pancommons.server.signin.secret import digest
from pancommons.store.engine import Database
from tests.oidc import OpenID, listens, serving, sign_in
from tests.server.signin.forger import Forger
from tests.server.signin.steps import COOKIE, begin, come_back, who

GROUP = "urn:geant:facility.example:group"
RULES = [
    {"entitlement": f"{GROUP}:data-office", "role": "data manager"},
    {"entitlement": f"{GROUP}:admins", "role": "administrator"},
]
OLD = timedelta(hours=13)


def told(provider: dict[str, Any]) -> Settings:
    return Settings(signin={"entitled": RULES, "providers": [provider]})


@pytest.fixture(scope="module")
def portals(kept: Database, openid: OpenID) -> Iterator[tuple[str, str]]:
    """Serve one database twice, as two processes do."""
    one, two = listens(), listens()
    first, second = (f"http://127.0.0.1:{each.getsockname()[1]}" for each in (one, two))
    client = {"grant_types": ["authorization_code", "refresh_token"], "scopes": ["openid", "profile", "offline_access"]}
    settings = told(openid.register(first, **client))
    with serving(kept, settings, one), serving(kept, settings, two):
        yield first, second


@pytest.fixture
def portal(portals: tuple[str, str]) -> str:
    return portals[0]


def age(database: Database, browser: httpx.Client, by: timedelta = OLD) -> None:
    """Let time pass since the entitlements of a browser's session were read."""
    mine = session_table.c.digest == digest(browser.cookies[COOKIE])
    with database.write() as connection:
        account = connection.scalar(sa.select(session_table.c.account_id).where(mine))
        connection.execute(sa.update(session_table).where(mine).values(refresh_at=now() - timedelta(minutes=1)))
        connection.execute(sa.update(accounts).where(accounts.c.id == account).values(entitled_at=now() - by))


def held(database: Database, browser: httpx.Client) -> Held | None:
    """Return what the provider gave for a browser's session."""
    with database.read() as connection:
        mine = session_table.c.digest == digest(browser.cookies[COOKIE])
        sealed = connection.scalar(sa.select(session_table.c.sealed).where(mine))
    return unseal(sealed, browser.cookies[COOKIE])


def lines(database: Database, what: str, person: str) -> list[Any]:
    with database.read() as connection:
        same = sa.and_(audit.c.what == what, audit.c.who == person)
        return list(connection.scalars(sa.select(audit.c.facts).where(same).order_by(audit.c.id)))


def becomes(is_so: Callable[[], bool]) -> bool:
    """Wait until something is so, which a thread beside the requests does."""
    for _ in range(2000):
        if is_so():
            return True
        time.sleep(0.02)
    return False


def test_what_was_gained_and_lost_counts_at_once(portal: str, openid: OpenID, kept: Database) -> None:
    openid.tell("ada", entitlements=[f"{GROUP}:data-office"])
    with closing(sign_in(portal, "ada")) as browser:
        before = held(kept, browser)
        assert who(browser, portal)["roles_everywhere"] == ["data manager"]
        openid.tell("ada", entitlements=[f"{GROUP}:admins"])
        assert who(browser, portal)["roles_everywhere"] == ["data manager"], "asked before it is due"
        age(kept, browser)
        who(browser, portal)
        assert becomes(lambda: who(browser, portal)["roles_everywhere"] == ["administrator"])
        facts = lines(kept, "read entitlements", openid.person("ada"))
        assert facts == [{"provider": "facility", "gained": [f"{GROUP}:admins"], "lost": [f"{GROUP}:data-office"]}]
        after = held(kept, browser)
        assert before is not None and after is not None
        assert after.refresh_token not in (None, before.refresh_token), "the provider gave another token"
        openid.tell("ada")
        age(kept, browser)
        who(browser, portal)
        assert becomes(lambda: who(browser, portal)["roles_everywhere"] == [])


def test_many_requests_to_two_servers_ask_once_and_sign_nobody_out(
    portals: tuple[str, str], openid: OpenID, kept: Database
) -> None:
    """The provider ends everything that follows from a refresh token which comes a second time."""
    with closing(sign_in(portals[0], "bo")) as browser:
        cookies = {COOKIE: browser.cookies[COOKIE]}
        for number in (1, 2, 3):
            age(kept, browser)
            with ThreadPoolExecutor(8) as pool:
                answers = list(
                    pool.map(
                        lambda n: httpx.get(f"{portals[n % 2]}/me/account", cookies=cookies, timeout=30).json(),
                        range(16),
                    )
                )
            assert {one["known_by"] for one in answers} == {"session"}
            assert becomes(lambda n=number: len(lines(kept, "read entitlements", openid.person("bo"))) == n)
        assert openid.asked().count("POST /token") >= 4
        assert [who(browser, each)["known_by"] for each in portals] == ["session"] * 2
        assert len(lines(kept, "read entitlements", openid.person("bo"))) == 3
        assert lines(kept, "end refused session", openid.person("bo")) == []


def test_whom_the_provider_no_longer_knows_is_signed_out_and_loses_what_it_said(
    portal: str, openid: OpenID, kept: Database
) -> None:
    openid.tell("cy", entitlements=[f"{GROUP}:admins"])
    with closing(sign_in(portal, "cy")) as browser:
        openid.tell("cy", gone=True)
        age(kept, browser)
        assert who(browser, portal)["roles_everywhere"] == ["administrator"]
        assert becomes(lambda: who(browser, portal)["known_by"] == "nothing")
        (facts,) = lines(kept, "end refused session", openid.person("cy"))
        assert "invalid_grant" in facts["reason"]
        with kept.read() as connection:
            row = connection.execute(sa.select(accounts).where(accounts.c.person == openid.person("cy"))).one()
        assert row.entitlements == [], "tokens would still have the roles"
        openid.tell("cy")


def test_signing_out_gives_the_refresh_token_up(portal: str, openid: OpenID, kept: Database) -> None:
    with closing(sign_in(portal, "di")) as browser:
        before = openid.asked().count("POST /token/revocation")
        assert browser.post(f"{portal}/signout", headers={"Origin": portal}).status_code == 200
        assert becomes(lambda: openid.asked().count("POST /token/revocation") == before + 1)


@pytest.fixture
def forged(forger: Forger, database: Database) -> Iterator[tuple[str, httpx.Client]]:
    """Sign somebody in at a provider that forges and gives a refresh token; give the portal and the browser."""
    forger.tokens = {"refresh_token": "one"}
    forger.userinfo = {"entitlements": [f"{GROUP}:admins"]}
    listener = listens()
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with serving(database, told(forger.settings()), listener), httpx.Client(timeout=30) as browser:
        sent = begin(browser, address)
        forger.token = lambda: forger.signed(forger.claims(nonce=sent["nonce"]))
        assert come_back(browser, address, sent).status_code == 303
        forger.asked.clear()
        yield address, browser


def test_a_provider_that_does_not_answer_is_asked_again_later_and_what_it_said_holds(
    forger: Forger, database: Database, forged: tuple[str, httpx.Client]
) -> None:
    portal, browser = forged
    forger.status = 503
    age(database, browser)
    for _ in range(3):
        assert who(browser, portal)["roles_everywhere"] == ["administrator"]
    assert becomes(lambda: "/token" in forger.asked)
    assert who(browser, portal)["roles_everywhere"] == ["administrator"]
    assert forger.asked.count("/token") == 1, "it is asked again at once"
    forger.status, forger.userinfo = 200, {}
    age(database, browser)
    who(browser, portal)
    assert becomes(lambda: who(browser, portal)["roles_everywhere"] == [])
    forger.userinfo = {"entitlements": [f"{GROUP}:admins"]}
    age(database, browser)
    who(browser, portal)
    assert becomes(lambda: who(browser, portal)["roles_everywhere"] == ["administrator"])
    forger.status = 503
    age(database, browser, timedelta(days=31))
    assert who(browser, portal)["roles_everywhere"] == []


def test_a_token_that_was_given_is_kept_even_if_the_rest_fails(
    forger: Forger, database: Database, forged: tuple[str, httpx.Client], caplog: pytest.LogCaptureFixture
) -> None:
    portal, browser = forged
    forger.tokens, forger.userinfo = {"refresh_token": "two"}, {"sub": "eve", "entitlements": [f"{GROUP}:data-office"]}
    age(database, browser)
    who(browser, portal)
    assert becomes(lambda: getattr(held(database, browser), "refresh_token", None) == "two")
    assert becomes(lambda: "entitlements cannot be read anew" in caplog.text)
    assert who(browser, portal)["roles_everywhere"] == ["administrator"], "what was said of somebody else counts"


def test_an_id_token_of_somebody_else_changes_nothing(
    forger: Forger, database: Database, forged: tuple[str, httpx.Client], caplog: pytest.LogCaptureFixture
) -> None:
    portal, browser = forged
    forger.userinfo = {"entitlements": []}
    for wrong in ({"sub": "eve"}, {"nonce": "other"}, {"aud": "other"}, {"exp": 1}):
        caplog.clear()
        forger.token = lambda wrong=wrong: forger.signed(forger.claims(**wrong))  # type: ignore[misc]
        age(database, browser)
        who(browser, portal)
        assert becomes(lambda: "entitlements cannot be read anew" in caplog.text), wrong
        assert who(browser, portal)["roles_everywhere"] == ["administrator"], wrong
    forger.token = lambda: forger.signed(forger.claims())
    age(database, browser)
    who(browser, portal)
    assert becomes(lambda: who(browser, portal)["roles_everywhere"] == [])


def test_without_a_refresh_token_nothing_is_asked(forger: Forger, sqlite_database: Database, at_forger: str) -> None:
    with httpx.Client(timeout=30) as browser:
        sent = begin(browser, at_forger)
        forger.token = lambda: forger.signed(forger.claims(nonce=sent["nonce"]))
        assert come_back(browser, at_forger, sent).status_code == 303
        with sqlite_database.write() as connection:
            assert connection.scalar(sa.select(session_table.c.refresh_at)) is None
            connection.execute(sa.update(accounts).values(entitled_at=now() - OLD))
        forger.asked.clear()
        assert who(browser, at_forger)["known_by"] == "session"
        assert forger.asked == []
