"""Signing in and out at the real provider, as a browser without JavaScript does it, and ways to get around it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urlsplit

import httpx
import pytest
import sqlalchemy as sa

from pancommons.catalogue.access import LOCAL_USER, Role
from pancommons.catalogue.people import pending_sign_ins
from pancommons.catalogue.people import sessions as session_table
from pancommons.catalogue.principals import grant
from pancommons.server.services import now
from pancommons.server.signin.secret import digest
from pancommons.store.engine import Database
from tests.oidc import NAVIGATES, OpenID, sign_in, signed_in_server, to_portal
from tests.server.signin.steps import COOKIE, asked, callback, start, who, written

GROUP = "urn:geant:facility.example:group"
RULES = [
    {"entitlement": f"{GROUP}:data-office", "role": "data manager"},
    {"entitlement": f"{GROUP}:admins:role=owner", "role": "administrator"},
]


@pytest.fixture(scope="module")
def portal(kept: Database, openid: OpenID) -> Iterator[str]:
    with signed_in_server(kept, openid, signin={"entitled": RULES}) as address:
        yield address


@pytest.fixture
def browser() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=30) as made:
        yield made


def test_the_whole_flow(portal: str, openid: OpenID, kept: Database, browser: httpx.Client) -> None:
    openid.tell("ada", name="Ada Example", orcid="https://orcid.org/0000-0002-1825-0097")
    sent = start(browser, portal, "/techniques?q=x")
    asked_for = asked(sent.headers["location"])
    assert (asked_for["scope"], asked_for["response_type"]) == ("openid profile email", "code")
    assert asked_for["code_challenge_method"] == "S256"
    assert min(len(asked_for[one]) for one in ("state", "nonce", "code_challenge")) >= 43
    back = to_portal(browser, sent, portal, "ada").headers["location"]
    assert set(asked(back)) == {"code", "state", "iss"}
    answer = browser.get(back, headers={**NAVIGATES, "Sec-Fetch-Site": "cross-site"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/techniques?q=x")
    cookies = answer.headers.get_list("set-cookie")
    session = next(one for one in cookies if one.startswith(f"{COOKIE}="))
    assert "HttpOnly" in session and "SameSite=lax" in session and "Path=/" in session
    assert who(browser, portal) == {
        "person": openid.person("ada"),
        "name": "Ada Example",
        "email": "ada@example.org",
        "orcid": "0000-0002-1825-0097",
        "known_by": "session",
        "roles_everywhere": [],
        "scopes": None,
    }
    assert "Ada Example" in browser.get(f"{portal}/me/sessions").text
    assert written(kept, "sign in", openid.person("ada")) == 1
    with kept.read() as connection:
        assert digest(asked(back)["state"]) not in connection.scalars(sa.select(pending_sign_ins.c.state)).all()
        assert digest(browser.cookies[COOKIE]) in connection.scalars(sa.select(session_table.c.digest)).all()
    shown = " ".join([*cookies, answer.text, str(answer.headers), back])
    assert "eyJ" not in shown, "a token of the provider reached the browser"


def test_nobody_is_anybody_by_sitting_at_the_machine(portal: str) -> None:
    told = httpx.get(f"{portal}/me/account").json()
    assert (told["known_by"], told["person"], told["roles_everywhere"]) == ("nothing", None, [])


@pytest.mark.parametrize(
    "change",
    [
        {"state": "x" * 43},
        {"state": ""},
        {"iss": "https://other.example"},
        {"iss": ""},
        {"code": "made-up"},
        {"code": ""},
        {"error": "access_denied"},
    ],
)
def test_an_answer_that_was_changed_is_refused(portal: str, browser: httpx.Client, change: dict[str, str]) -> None:
    back = callback(browser, portal, "dee")
    params = {name: value for name, value in {**asked(back), **change}.items() if value}
    answer = browser.get(f"{portal}/signin/facility/callback", params=params, headers={"Accept": "text/html"})
    assert answer.status_code == 403
    assert "You are not signed in" in answer.text
    assert COOKIE not in browser.cookies


def test_a_provider_nobody_configured(portal: str, browser: httpx.Client) -> None:
    back = urlsplit(callback(browser, portal, "dee"))
    assert browser.get(f"{portal}/signin/other/callback?{back.query}").status_code == 404
    assert browser.get(f"{portal}/signin/other/start", headers=NAVIGATES).status_code == 404


def test_an_old_browser_says_at_least_where_it_comes_from(portal: str, openid: OpenID) -> None:
    answer = httpx.get(f"{portal}/signin/facility/start", headers={"Referer": f"{portal}/signin"})
    assert answer.headers["location"].startswith(openid.issuer)


def test_entitlements_and_grants_give_roles_and_are_read_anew(
    portal: str, openid: OpenID, kept: Database, browser: httpx.Client
) -> None:
    openid.tell(
        "lea",
        entitlements=[f"{GROUP}:data-office#facility.example"],
        eduperson_entitlement=[f"{GROUP}:admins:role=owner", f"{GROUP}:admins", "urn:mace:dir:entitlement:x"],
    )
    sign_in(portal, "lea", browser)
    assert who(browser, portal)["roles_everywhere"] == ["administrator", "data manager"]
    openid.tell("lea", eduperson_entitlement=f"{GROUP}:admins")
    sign_in(portal, "lea", browser)
    assert who(browser, portal)["roles_everywhere"] == []
    with kept.write() as connection:
        grant(connection, openid.person("lea"), Role.ADMINISTRATOR, by=LOCAL_USER, at=now())
    assert who(browser, portal)["roles_everywhere"] == ["administrator"]


def test_what_a_provider_calls_people_is_shown_as_text(portal: str, openid: OpenID, browser: httpx.Client) -> None:
    openid.tell("ola", name="<script>alert(1)</script>\u202e\n" + "x" * 500)
    sign_in(portal, "ola", browser)
    page = browser.get(f"{portal}/me/sessions").text
    assert "<script>alert" not in page and "&lt;script&gt;alert(1)&lt;/script&gt; xxx" in page
    assert "\u202e" not in page
    assert len(who(browser, portal)["name"]) <= 200


def test_a_public_client_signs_in_by_pkce_alone(openid: OpenID, sqlite_database: Database) -> None:
    client = {"token_endpoint_auth_method": "none"}
    with signed_in_server(sqlite_database, openid, client=client) as portal, closing(sign_in(portal, "ada")) as browser:
        assert who(browser, portal)["known_by"] == "session"


def test_both_databases_keep_sessions(openid: OpenID, database: Database) -> None:
    with signed_in_server(database, openid) as portal, closing(sign_in(portal, "ada")) as browser:
        assert who(browser, portal)["person"] == openid.person("ada")
        browser.post(f"{portal}/signout", headers={"Origin": portal})
        assert who(browser, portal)["person"] is None
