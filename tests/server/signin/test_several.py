"""Two real providers at one portal: each with its own callback, and neither speaks for the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest
from pydantic import ValidationError

from pancommons.base.settings import Settings, SignIn
from pancommons.store.engine import Database
from tests.oidc import NAVIGATES, OpenID, form, listens, serving, sign_in, signed_in_server, to_portal
from tests.server.signin.forger import Forger
from tests.server.signin.steps import COOKIE, asked, begin, come_back, signed_in, start, who


@pytest.fixture(scope="module")
def portal(kept: Database, openid: OpenID, another_openid: OpenID) -> Iterator[str]:
    with signed_in_server(kept, openid, also={"other": another_openid}) as address:
        yield address


def test_people_choose_and_each_provider_has_its_own_callback(
    portal: str, openid: OpenID, another_openid: OpenID
) -> None:
    page = httpx.get(f"{portal}/signin", headers={"Accept": "text/html"}).text
    assert "/signin/facility/start" in page and "/signin/other/start" in page
    for name, one in (("facility", openid), ("other", another_openid)):
        sent = httpx.get(f"{portal}/signin/{name}/start", headers=NAVIGATES).headers["location"]
        assert sent.startswith(f"{one.issuer}/")
        assert asked(sent)["redirect_uri"] == f"{portal}/signin/{name}/callback"
        with closing(sign_in(portal, "ada", provider=name)) as browser:
            assert who(browser, portal)["person"] == one.person("ada")


def test_a_browser_that_signs_in_at_another_provider_is_the_other_person(
    portal: str, openid: OpenID, another_openid: OpenID
) -> None:
    with closing(sign_in(portal, "ada")) as browser:
        first = browser.cookies[COOKIE]
        sign_in(portal, "ada", browser, provider="other")
        assert who(browser, portal)["person"] == another_openid.person("ada")
        assert httpx.get(f"{portal}/me/account", cookies={COOKIE: first}).json()["person"] is None


def test_the_state_of_one_is_unknown_at_the_callback_of_the_other(
    portal: str, openid: OpenID, another_openid: OpenID
) -> None:
    """The one that was asked leads to the other, which answers as it should: at its own callback."""
    with httpx.Client(timeout=30) as browser:
        state = asked(start(browser, portal).headers["location"])["state"]
        sent = browser.get(f"{portal}/signin/other/start", headers=NAVIGATES)
        back = asked(to_portal(browser, sent, portal, "ada").headers["location"])
        before = another_openid.asked().count("POST /token")
        mixed = browser.get(f"{portal}/signin/other/callback", params={**back, "state": state})
        assert mixed.status_code == 403
        assert another_openid.asked().count("POST /token") == before
        assert COOKIE not in browser.cookies
        assert browser.get(f"{portal}/signin/other/callback", params=back).status_code == 303


def test_no_provider_sends_anybody_to_the_callback_of_another(portal: str, another_openid: OpenID) -> None:
    """Where a provider does not promise to name itself in its answer, this is what tells answers apart."""
    with httpx.Client(timeout=30) as browser:
        sent = browser.get(f"{portal}/signin/other/start", headers=NAVIGATES).headers["location"]
        wrong = sent.replace("signin%2Fother%2Fcallback", "signin%2Ffacility%2Fcallback")
        assert wrong != sent
        answer = browser.get(wrong)
        assert answer.status_code == 400 and "redirect_uri" in answer.text


def test_a_provider_that_promises_nothing_is_told_apart_by_its_callback(
    forger: Forger, another_openid: OpenID, sqlite_database: Database
) -> None:
    """One that does not name itself signs in; with its state at the callback of the other, nothing is sent anywhere."""
    listener = listens()
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    providers = [forger.settings(), another_openid.register(address, name="other")]
    with (
        serving(sqlite_database, Settings(signin={"providers": providers}), listener),
        httpx.Client(timeout=30) as browser,
    ):
        sent = begin(browser, address)
        forger.token = lambda: forger.signed(forger.claims(nonce=sent["nonce"]))
        before = another_openid.asked().count("POST /token")
        params = {"code": "c", "state": sent["state"]}
        assert browser.get(f"{address}/signin/other/callback", params=params).status_code == 403
        assert another_openid.asked().count("POST /token") == before and "/token" not in forger.asked
        assert come_back(browser, address, sent).status_code == 303
        assert signed_in(browser, address)


def test_signing_out_at_one_leaves_the_sessions_of_the_other(
    portal: str, openid: OpenID, another_openid: OpenID
) -> None:
    with closing(sign_in(portal, "ada")) as one, closing(sign_in(portal, "ada", provider="other")) as two:
        there = two.get(f"{another_openid.issuer}/session/end")
        action, fields = form(there)
        two.post(f"{another_openid.issuer}{action.removeprefix(another_openid.issuer)}", data={**fields, "logout": "y"})
        assert who(two, portal)["known_by"] == "nothing"
        assert who(one, portal)["person"] == openid.person("ada")


def test_two_providers_of_one_issuer_are_refused() -> None:
    one = {"name": "a", "title": "A", "issuer": "https://a.example", "client_id": "x"}
    with pytest.raises(ValidationError, match="same name or issuer"):
        SignIn(providers=[one, {**one, "name": "b"}])
