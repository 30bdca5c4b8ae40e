"""Signing in and out at the real provider, as a browser without JavaScript does it, and ways to get around it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import timedelta
from html import unescape
from re import search
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
import pytest
import sqlalchemy as sa

from pancommons.catalogue.access import LOCAL_USER, Role
from pancommons.catalogue.ledger import audit
from pancommons.catalogue.people import accounts, pending_sign_ins
from pancommons.catalogue.people import sessions as session_table
from pancommons.catalogue.principals import grant
from pancommons.server.services import now
from pancommons.server.signin.accounts import disable
from pancommons.server.signin.secret import digest
from pancommons.store.engine import Database
from tests.oidc import NAVIGATES, OpenID, form, sign_in, signed_in_server, to_portal

COOKIE = "pancommons-session"
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


def test_an_answer_counts_once(portal: str, browser: httpx.Client) -> None:
    back = callback(browser, portal, "bo")
    assert browser.get(back).status_code == 303
    session = browser.cookies[COOKIE]
    again = browser.get(back)
    assert again.status_code == 403
    assert "set-cookie" not in again.headers
    assert browser.cookies[COOKIE] == session


def test_a_code_counts_once_at_the_provider_too(
    portal: str, openid: OpenID, kept: Database, browser: httpx.Client
) -> None:
    code = asked(first := callback(browser, portal, "cy"))["code"]
    assert browser.get(first).status_code == 303
    with httpx.Client(timeout=30) as other:
        state = asked(start(other, portal).headers["location"])["state"]
        before = written(kept, "refuse sign-in", "anonymous")
        params = {"code": code, "state": state, "iss": openid.issuer}
        assert other.get(f"{portal}/signin/facility/callback", params=params).status_code == 403
        assert COOKIE not in other.cookies
    assert written(kept, "refuse sign-in", "anonymous") == before + 1


def test_the_answer_of_another_browser_is_refused(portal: str, browser: httpx.Client) -> None:
    """Eve cannot make somebody's browser sign in as her, nor use an answer that she saw."""
    back = callback(browser, portal, "eve")
    with httpx.Client(timeout=30) as victim:
        assert victim.get(back).status_code == 403
        start(victim, portal)
        assert victim.get(back).status_code == 403
        assert COOKIE not in victim.cookies
    assert browser.get(back).status_code == 303


def test_a_code_of_another_sign_in_does_not_fit(portal: str, openid: OpenID, browser: httpx.Client) -> None:
    """The verifier, which never left the server, is not that of the code."""
    code = asked(callback(browser, portal, "eve"))["code"]
    with httpx.Client(timeout=30) as victim:
        state = asked(start(victim, portal).headers["location"])["state"]
        params = {"code": code, "state": state, "iss": openid.issuer}
        assert victim.get(f"{portal}/signin/facility/callback", params=params).status_code == 403
        assert COOKIE not in victim.cookies


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


@pytest.mark.parametrize(
    "after",
    ["https://evil.example", "//evil.example", "/\\evil.example", "\\\\evil.example", "javascript:alert(1)",
     "/\t/evil.example", "evil.example", "http:evil.example", ""],
)  # fmt: skip
def test_signing_in_leads_nowhere_else(portal: str, openid: OpenID, browser: httpx.Client, after: str) -> None:
    answer = to_portal(browser, start(browser, portal, after), portal, "ada")
    assert browser.get(answer.headers["location"]).headers["location"] == "/"


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Referer": "https://evil.example/"},
        {},
    ],
)
def test_signing_in_begins_on_a_page_of_ours_only(portal: str, headers: dict[str, str]) -> None:
    answer = httpx.get(f"{portal}/signin/facility/start?next=/runs", headers=headers)
    assert (answer.status_code, answer.headers["location"]) == (303, "/signin?next=%2Fruns")
    assert "set-cookie" not in answer.headers


def test_an_old_browser_says_at_least_where_it_comes_from(portal: str, openid: OpenID) -> None:
    answer = httpx.get(f"{portal}/signin/facility/start", headers={"Referer": f"{portal}/signin"})
    assert answer.headers["location"].startswith(openid.issuer)


def test_a_new_session_at_every_sign_in(portal: str, browser: httpx.Client) -> None:
    sign_in(portal, "fay", browser)
    first = browser.cookies[COOKIE]
    sign_in(portal, "fay", browser)
    assert browser.cookies[COOKIE] != first
    assert httpx.get(f"{portal}/me/account", cookies={COOKIE: first}).json()["known_by"] == "nothing"


def test_a_session_that_somebody_else_chose_is_never_taken(portal: str, browser: httpx.Client) -> None:
    browser.cookies.set(COOKIE, "chosen-by-eve", domain="127.0.0.1", path="/")
    sign_in(portal, "fay", browser)
    held = [one.value for one in browser.cookies.jar if one.name == COOKIE]
    assert held != ["chosen-by-eve"] and len(held) == 1


def test_signing_out_ends_the_session_here_and_at_the_provider(
    portal: str, openid: OpenID, kept: Database, browser: httpx.Client
) -> None:
    sign_in(portal, "gus", browser)
    stolen = browser.cookies[COOKIE]
    answer = browser.post(f"{portal}/signout", headers={"Origin": portal})
    assert answer.status_code == 200 and COOKIE not in browser.cookies
    assert httpx.get(f"{portal}/me/account", cookies={COOKIE: stolen}).json()["known_by"] == "nothing"
    assert written(kept, "sign out", openid.person("gus")) == 1
    found = search(r'<meta http-equiv="refresh" content="0; url=([^"]+)">', answer.text)
    assert found is not None
    there = browser.get(unescape(found[1]))
    assert asked(str(there.url))["post_logout_redirect_uri"] == f"{portal}/"
    action, fields = form(there)
    gone = browser.post(urljoin(str(there.url), action), data={**fields, "logout": "yes"})
    assert (gone.status_code, gone.headers["location"]) == (303, f"{portal}/")
    again = browser.get(start(browser, portal).headers["location"])
    assert "/interaction/" in again.headers["location"], "the provider would still know them"


def test_signing_out_at_the_provider_ends_the_session_here(
    portal: str, openid: OpenID, kept: Database, browser: httpx.Client
) -> None:
    sign_in(portal, "hal", browser)
    assert who(browser, portal)["known_by"] == "session"
    there = browser.get(f"{openid.issuer}/session/end")
    action, fields = form(there)
    browser.post(urljoin(str(there.url), action), data={**fields, "logout": "yes"})
    assert who(browser, portal)["known_by"] == "nothing"
    assert written(kept, "sign out at provider", openid.person("hal")) == 1


def test_one_sees_and_ends_ones_own_sessions(portal: str, kept: Database, openid: OpenID) -> None:
    with ExitStack() as stack:
        one, two, eve = (stack.enter_context(closing(sign_in(portal, name))) for name in ("ivy", "ivy", "eve"))
        with kept.read() as connection:
            key = connection.scalar(
                sa.select(session_table.c.id).where(session_table.c.digest == digest(two.cookies[COOKIE]))
            )
        assert one.get(f"{portal}/me/sessions").text.count("/end") == 2
        ours = {"Origin": portal}
        assert eve.post(f"{portal}/me/sessions/{key}/end", headers=ours).status_code == 404
        assert who(two, portal)["known_by"] == "session"
        assert one.post(f"{portal}/me/sessions/{key}/end", headers=ours).status_code == 303
        assert who(two, portal)["known_by"] == "nothing"
        assert who(one, portal)["known_by"] == "session"
    assert written(kept, "end session", openid.person("ivy")) == 1


def test_a_session_ends_by_itself(portal: str, kept: Database, browser: httpx.Client) -> None:
    sign_in(portal, "jan", browser)
    mine = session_table.c.digest == digest(browser.cookies[COOKIE])
    for column in (session_table.c.seen_at, session_table.c.ends_at):
        with kept.write() as connection:
            before = connection.scalar(sa.select(column).where(mine))
            connection.execute(sa.update(session_table).where(mine).values({column.name: now() - timedelta(days=30)}))
        assert who(browser, portal)["known_by"] == "nothing"
        assert browser.get(f"{portal}/me/tokens").headers["location"] == "/signin?next=%2Fme%2Ftokens"
        with kept.write() as connection:
            connection.execute(sa.update(session_table).where(mine).values({column.name: before}))
        assert who(browser, portal)["known_by"] == "session"


def test_who_is_disabled_is_out_at_once_and_stays_out(
    portal: str, openid: OpenID, kept: Database, browser: httpx.Client
) -> None:
    sign_in(portal, "kim", browser)
    with kept.write() as connection:
        disable(connection, openid.person("kim"), by=LOCAL_USER, at=now())
    assert who(browser, portal)["known_by"] == "nothing"
    answer = browser.get(callback(browser, portal, "kim"))
    assert answer.status_code == 403
    assert "disabled" in answer.text
    assert written(kept, "refuse sign-in", openid.person("kim")) == 1


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


def test_the_same_address_is_not_the_same_person(portal: str, openid: OpenID, kept: Database) -> None:
    for name in ("mia", "noa"):
        openid.tell(name, email="shared@example.org", name="Somebody")
        sign_in(portal, name).close()
    with kept.read() as connection:
        same = sa.select(accounts.c.person).where(accounts.c.email == "shared@example.org")
        assert sorted(connection.scalars(same)) == [openid.person("mia"), openid.person("noa")]


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
