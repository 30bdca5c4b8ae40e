"""The checklist for signing in (ASVS 5.0, V7, V9, V10), lines 1 to 8: what must not work does not.

Each test bears the number of its line. The provider is the real one wherever it can produce the case; where it cannot
lie, one that forges takes its place.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
import sqlalchemy as sa

from pancommons.base.settings import Settings
from pancommons.catalogue.access import LOCAL_USER, Action
from pancommons.catalogue.ledger import audit
from pancommons.catalogue.people import accounts, pending_sign_ins
from pancommons.catalogue.people import sessions as session_table
from pancommons.catalogue.policy import read_policy
from pancommons.catalogue.records import Dataset, Terms
from pancommons.catalogue.write import put
from pancommons.server.services import now
from pancommons.server.signin.sealed import unseal
from pancommons.store.engine import Database
from tests.oidc import NAVIGATES, OpenID, sign_in, signed_in_server, to_portal
from tests.server.conftest import listening
from tests.server.signin.forger import Forger
from tests.server.signin.forgeries import NOBODY, NOT_SIGNED_FOR_THIS, NOT_THIS_SIGN_IN, Make
from tests.server.signin.steps import COOKIE, asked, begin, callback, come_back, signed_in, start, who, written
from tests.server.signin.test_programs import make


@pytest.fixture(scope="module")
def portal(kept: Database, openid: OpenID, another_openid: OpenID) -> Iterator[str]:
    with signed_in_server(kept, openid, also={"other": another_openid}) as address:
        yield address


@pytest.fixture
def browser() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=30) as made:
        yield made


def changed(address: str, **change: str | None) -> str:
    """Change what an address asks for; None takes it away."""
    told = {name: value for name, value in {**asked(address), **change}.items() if value is not None}
    return f"{address.partition('?')[0]}?{urlencode(told)}"


def come_home(browser: httpx.Client, portal: str, address: str, name: str) -> httpx.Response:
    """Sign in at an address of the provider and come back; return what the portal answers."""
    back = to_portal(browser, browser.get(address), portal, name).headers["location"]
    return browser.get(back, headers={"Accept": "text/html"})


def given_to_another(openid: OpenID, name: str) -> dict[str, Any]:
    """Sign somebody in at the provider for another program; return the tokens that it gets."""
    place, verifier = "http://127.0.0.1:9", secrets.token_urlsafe(32)
    told = openid.register(place)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    back = f"{place}/signin/facility/callback"
    asks = {"client_id": told["client_id"], "redirect_uri": back, "response_type": "code", "scope": "openid"}
    with httpx.Client(timeout=30) as browser:
        first = browser.get(
            f"{openid.issuer}/auth", params={**asks, "code_challenge": challenge, "code_challenge_method": "S256"}
        )
        code = asked(to_portal(browser, first, place, name).headers["location"])["code"]
    grant = {"grant_type": "authorization_code", "code": code, "redirect_uri": back, "code_verifier": verifier}
    proof = (told["client_id"], told["client_secret"])
    tokens: dict[str, Any] = httpx.post(f"{openid.issuer}/token", data=grant, auth=proof).raise_for_status().json()
    return tokens


def refuses(forger: Forger, portal: str, forgeries: Mapping[str, Make]) -> None:
    """Check that no token of these signs in."""
    for what, forge in forgeries.items():
        with httpx.Client(timeout=30) as browser:
            sent = begin(browser, portal)
            claims = forger.claims(nonce=sent["nonce"])
            forger.token = lambda forge=forge, claims=claims: forge(forger, claims)  # type: ignore[misc]
            assert come_back(browser, portal, sent).status_code == 403, what
            assert not signed_in(browser, portal), what


def test_01_nothing_of_a_sign_in_is_that_of_another(portal: str, browser: httpx.Client, kept: Database) -> None:
    several = [asked(start(browser, portal).headers["location"]) for _ in range(10)]
    for one in ("state", "nonce", "code_challenge"):
        values = {sent[one] for sent in several}
        assert len(values) == 10 and min(map(len, values)) >= 43
    with kept.read() as connection:
        rows = connection.execute(sa.select(pending_sign_ins)).all()
    assert not {sent["state"] for sent in several} & {row.state for row in rows}
    assert len({row.verifier for row in rows}) == len(rows) >= 10


def test_01_the_answer_of_another_browser_is_refused(portal: str, browser: httpx.Client) -> None:
    """Eve cannot make somebody's browser sign in as her, nor use an answer that she saw."""
    back = callback(browser, portal, "eve")
    with httpx.Client(timeout=30) as victim:
        assert victim.get(back).status_code == 403
        start(victim, portal)
        assert victim.get(back).status_code == 403
        assert COOKIE not in victim.cookies
    assert browser.get(back).status_code == 303


def test_02_an_answer_counts_once(portal: str, openid: OpenID, browser: httpx.Client) -> None:
    back = callback(browser, portal, "bo")
    assert browser.get(back).status_code == 303
    session, sent = browser.cookies[COOKIE], openid.asked().count("POST /token")
    again = browser.get(back)
    assert again.status_code == 403
    assert openid.asked().count("POST /token") == sent, "the provider was asked, which need not refuse"
    assert "set-cookie" not in again.headers
    assert browser.cookies[COOKIE] == session


def test_02_a_code_counts_once_at_the_provider_too(
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


def test_02_a_code_of_another_sign_in_does_not_fit(portal: str, openid: OpenID, browser: httpx.Client) -> None:
    """The verifier, which never left the server, is not that of the code."""
    code = asked(callback(browser, portal, "eve"))["code"]
    with httpx.Client(timeout=30) as victim:
        state = asked(start(victim, portal).headers["location"])["state"]
        params = {"code": code, "state": state, "iss": openid.issuer}
        assert victim.get(f"{portal}/signin/facility/callback", params=params).status_code == 403
        assert COOKIE not in victim.cookies


def test_02_a_challenge_that_was_changed_on_the_way_gives_no_session(portal: str, browser: httpx.Client) -> None:
    """Neither left out, nor plain, nor that of somebody else who means to redeem the code."""
    for change in (
        {"code_challenge": None, "code_challenge_method": None},
        {"code_challenge_method": "plain"},
        {"code_challenge": "x" * 43},
    ):
        address = changed(start(browser, portal).headers["location"], **change)
        assert come_home(browser, portal, address, "eve").status_code == 403, change
        assert COOKIE not in browser.cookies


def test_02_the_challenge_is_hashed_even_where_a_provider_knows_only_plain(forger: Forger, at_forger: str) -> None:
    forger.metadata = {"code_challenge_methods_supported": ["plain"]}
    with httpx.Client(timeout=30) as browser:
        assert begin(browser, at_forger)["code_challenge_method"] == "S256"


def test_03_a_nonce_that_was_changed_on_the_way_gives_no_session(
    portal: str, browser: httpx.Client, kept: Database
) -> None:
    before = written(kept, "refuse sign-in", "anonymous")
    address = changed(start(browser, portal).headers["location"], nonce="of-an-id-token-that-was-stolen")
    assert come_home(browser, portal, address, "eve").status_code == 403
    assert COOKIE not in browser.cookies
    assert written(kept, "refuse sign-in", "anonymous") == before + 1


def test_03_a_provider_that_names_itself_otherwise_is_not_asked(openid: OpenID, sqlite_database: Database) -> None:
    told = {**openid.register("http://127.0.0.1:9"), "issuer": f"{openid.issuer}/"}
    with listening(sqlite_database, Settings(signin={"providers": [told]})) as address:
        answer = httpx.get(f"{address}/signin/facility/start", headers=NAVIGATES)
    assert answer.status_code == 503 and "set-cookie" not in answer.headers


def test_03_a_token_for_another_sign_in_client_or_issuer_gives_no_session(
    forger: Forger, at_forger: str, sqlite_database: Database
) -> None:
    refuses(forger, at_forger, NOT_THIS_SIGN_IN)
    with sqlite_database.read() as connection:
        told = connection.execute(sa.select(audit.c.what, audit.c.who)).all()
    assert told == [("refuse sign-in", "anonymous")] * len(NOT_THIS_SIGN_IN)


@pytest.mark.parametrize("named", [True, False])
def test_04_the_answer_of_another_provider_is_refused_before_a_code_is_sent(
    portal: str, openid: OpenID, another_openid: OpenID, named: bool
) -> None:
    """An answer of the one at the callback of the other, with the state of the other: a mix-up."""
    with httpx.Client(timeout=30) as browser, httpx.Client(timeout=30) as eve:
        state = asked(start(browser, portal).headers["location"])["state"]
        sent = eve.get(f"{portal}/signin/other/start", headers=NAVIGATES)
        code = asked(to_portal(eve, sent, portal, "ada").headers["location"])["code"]
        before = [one.asked().count("POST /token") for one in (openid, another_openid)]
        params = {"code": code, "state": state} | ({"iss": another_openid.issuer} if named else {})
        assert browser.get(f"{portal}/signin/facility/callback", params=params).status_code == 403
        assert [one.asked().count("POST /token") for one in (openid, another_openid)] == before
        assert COOKIE not in browser.cookies


def test_05_a_token_that_is_not_signed_for_this_gives_no_session(
    forger: Forger, at_forger: str, sqlite_database: Database
) -> None:
    refuses(forger, at_forger, NOT_SIGNED_FOR_THIS)


def test_05_a_real_token_of_one_kind_is_not_taken_for_another(
    portal: str, openid: OpenID, browser: httpx.Client
) -> None:
    """An ID token, well signed, ends no session."""
    sign_in(portal, "ada", browser)
    token = given_to_another(openid, "ada")["id_token"]
    assert httpx.post(f"{portal}/signin/facility/ended", data={"logout_token": token}).status_code == 400
    assert who(browser, portal)["known_by"] == "session"


def test_06_the_same_address_is_not_the_same_person(portal: str, openid: OpenID, kept: Database) -> None:
    for name in ("mia", "noa"):
        openid.tell(name, email="shared@example.org", name="Somebody")
        sign_in(portal, name).close()
    with kept.read() as connection:
        same = sa.select(accounts.c.person).where(accounts.c.email == "shared@example.org")
        assert sorted(connection.scalars(same)) == [openid.person("mia"), openid.person("noa")]


def test_06_the_same_subject_of_two_providers_is_two_people(
    portal: str, openid: OpenID, another_openid: OpenID, kept: Database
) -> None:
    with closing(sign_in(portal, "pia")) as one, closing(sign_in(portal, "pia", provider="other")) as two:
        assert [who(each, portal)["person"] for each in (one, two)] == [
            openid.person("pia"),
            another_openid.person("pia"),
        ]
    with kept.read() as connection:
        assert len(connection.execute(sa.select(accounts.c.id).where(accounts.c.subject == "pia")).all()) == 2


def test_06_a_token_of_nobody_gives_no_session(forger: Forger, at_forger: str) -> None:
    refuses(forger, at_forger, NOBODY)


def test_07_no_token_of_the_provider_leaves_the_server_or_lies_in_the_database(
    openid: OpenID, sqlite_database: Database
) -> None:
    client = {"grant_types": ["authorization_code", "refresh_token"], "scopes": ["openid", "offline_access"]}
    with signed_in_server(sqlite_database, openid, client=client) as portal, httpx.Client(timeout=30) as browser:
        sent = start(browser, portal)
        back = to_portal(browser, sent, portal, "ada").headers["location"]
        done = browser.get(back)
        seen = [sent, done, *(browser.get(f"{portal}/{path}") for path in ("", "me/account", "me/sessions"))]
        shown = " ".join(f"{one.headers} {one.text}" for one in seen)
        with sqlite_database.read() as connection:
            row = connection.execute(sa.select(session_table)).one()
            kept = repr([connection.execute(sa.select(table)).all() for table in (session_table, accounts, audit)])
        held = unseal(row.sealed, browser.cookies[COOKIE])
    assert held is not None and held.refresh_token is not None
    assert unseal(row.sealed, row.digest) is None
    for token in (held.id_token, held.refresh_token):
        assert token not in shown and token not in kept


def test_08_tokens_of_the_provider_open_nothing_here(portal: str, openid: OpenID) -> None:
    given = given_to_another(openid, "ada")
    for name in ("access_token", "id_token"):
        for path in ("/me/account", "/search-api/Datasets"):
            answer = httpx.get(f"{portal}{path}", headers={"Authorization": f"Bearer {given[name]}"})
            assert answer.status_code == 401, name


def test_08_a_token_allows_what_its_scopes_say_and_not_more_than_its_person(
    portal: str, openid: OpenID, kept: Database
) -> None:
    """A restricted dataset is found by its owner, and by those tokens of the owner that may discover."""
    terms = Terms(fixed=True, owner=openid.person("own"))
    mine = Dataset(pid="10.5072/own", kind="raw", title="Own", creation_date=now(), terms=terms)
    with kept.write() as connection:
        put(connection, mine, policy=read_policy(), by=LOCAL_USER, at=now())

    def found(headers: dict[str, str]) -> int:
        return len(httpx.get(f"{portal}/search-api/Datasets", headers=headers).raise_for_status().json())

    def shows(token: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {token}"}

    with closing(sign_in(portal, "own")) as own, closing(sign_in(portal, "eve")) as eve:
        own.headers["Origin"] = eve.headers["Origin"] = portal
        assert found({"Cookie": f"pancommons-session={own.cookies['pancommons-session']}"}) == 1
        assert found(shows(make(own, portal, scope=["discover"]))) == 1
        assert found(shows(make(own, portal, scope=["run", "administer"]))) == 0
        assert found(shows(make(eve, portal, scope=[*Action]))) == 0
    assert found({}) == 0
