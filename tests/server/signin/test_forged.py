"""Whatever a provider, or who pretends to be one, answers: nobody is signed in unless every claim is as it must be."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc.jwk import RSAKey
from pydantic import ValidationError
from starlette.testclient import TestClient

from pancommons.base.errors import BadInput
from pancommons.base.settings import OpenIDProvider, Settings, SignIn
from pancommons.server.app import create_app
from pancommons.server.services import Services
from pancommons.server.signin import contact
from pancommons.store.engine import Database
from tests.oidc import NAVIGATES
from tests.server.signin.forger import Forger
from tests.server.signin.steps import begin, come_back, signed_in


@pytest.fixture
def portal(at_forger: str) -> str:
    return at_forger


def test_an_honest_answer_signs_in(forger: Forger, portal: str) -> None:
    with httpx.Client() as browser:
        sent = begin(browser, portal)
        forger.token = lambda: forger.signed(forger.claims(nonce=sent["nonce"]))
        assert come_back(browser, portal, sent).status_code == 303
        assert signed_in(browser, portal)


def test_what_is_told_of_somebody_else_is_not_believed(forger: Forger, portal: str) -> None:
    forger.userinfo = {"sub": "eve", "entitlements": ["urn:a:b:group:c"]}
    with httpx.Client() as browser:
        sent = begin(browser, portal)
        forger.token = lambda: forger.signed(forger.claims(nonce=sent["nonce"]))
        assert come_back(browser, portal, sent).status_code == 403
        assert not signed_in(browser, portal)


def test_another_issuer_in_the_answer_is_refused_before_the_code_is_sent(forger: Forger, portal: str) -> None:
    with httpx.Client() as browser:
        sent = begin(browser, portal)
        forger.token = lambda: forger.signed(forger.claims(nonce=sent["nonce"]))
        assert come_back(browser, portal, sent, iss="https://other.example").status_code == 403
        assert "/token" not in forger.asked


def test_a_provider_that_promises_to_name_itself_must(forger: Forger, portal: str) -> None:
    forger.metadata = {"authorization_response_iss_parameter_supported": True}
    for named, status in ((None, 403), (forger.issuer, 303)):
        with httpx.Client() as browser:
            sent = begin(browser, portal)
            forger.token = lambda nonce=sent["nonce"]: forger.signed(forger.claims(nonce=nonce))  # type: ignore[misc]
            assert come_back(browser, portal, sent, **({"iss": named} if named else {})).status_code == status


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://other.example"},
        {"issuer": "http://127.0.0.1"},
        {"token_endpoint": "http://other.example/token"},
        {"authorization_endpoint": None},
        {"jwks_uri": 7},
    ],
)
def test_a_provider_that_is_not_itself_is_not_asked(forger: Forger, portal: str, metadata: dict[str, Any]) -> None:
    forger.metadata = metadata
    for _ in range(3):
        answer = httpx.get(f"{portal}/signin/facility/start", headers=NAVIGATES)
        assert answer.status_code == 503
        assert "set-cookie" not in answer.headers
    assert len(forger.asked) == 1, "a provider that failed is asked again and again"


def test_new_keys_are_fetched_but_not_for_every_token(
    forger: Forger, portal: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def try_to(kid: str) -> int:
        with httpx.Client() as browser:
            sent = begin(browser, portal)
            forger.token = lambda: forger.signed(forger.claims(nonce=sent["nonce"]), kid=kid)
            return come_back(browser, portal, sent).status_code

    assert try_to("one") == 303
    forger.key = RSAKey.generate_key(2048, {"kid": "two"})
    assert [try_to("two") for _ in range(3)] == [403] * 3
    assert forger.asked.count("/jwks") == 1
    monkeypatch.setattr(contact, "_NOT_SOONER", contact._NOT_SOONER * 0)
    assert try_to("two") == 303
    assert forger.asked.count("/jwks") == 2
    assert try_to("two") == 303
    assert forger.asked.count("/jwks") == 2
    assert forger.asked.count("/.well-known/openid-configuration") == 1


def test_a_provider_is_asked_only_when_somebody_chose_it(forger: Forger, portal: str) -> None:
    httpx.get(f"{portal}/signin", headers={"Accept": "text/html"})
    httpx.get(f"{portal}/signin/facility/start")
    assert forger.asked == []


@pytest.mark.parametrize(
    ("address", "root", "cookie", "path"),
    [
        ("https://portal.example", "", "__Host-{}", "/"),
        ("https://portal.example", "/commons", "__Secure-{}", "/commons"),
        ("http://127.0.0.1:8000", "", "pancommons-{}", "/"),
    ],
)
def test_cookies_are_as_narrow_as_the_address_allows(
    forger: Forger, sqlite_database: Database, address: str, root: str, cookie: str, path: str
) -> None:
    told = Settings(signin={"providers": [forger.settings()]}, server={"root_path": root})
    browser = TestClient(create_app(Services(sqlite_database, told)), base_url=address, follow_redirects=False)
    begun = browser.get(f"{root}/signin/facility/start?next={root}/runs", headers=NAVIGATES)
    sent = parse_qs(urlsplit(begun.headers["location"]).query)
    assert sent["redirect_uri"] == [f"{address}{root}/signin/facility/callback"]
    forger.token = lambda: forger.signed(forger.claims(nonce=sent["nonce"][0]))
    params = {"code": "c", "state": sent["state"][0]}
    done = browser.get(f"{root}/signin/facility/callback", params=params)
    assert (done.status_code, done.headers["location"]) == (303, f"{root}/runs")
    put = begun.headers.get_list("set-cookie") + done.headers.get_list("set-cookie")
    assert [one.partition("=")[0] for one in put] == [cookie.format(one) for one in ("signin", "signin", "session")]
    for one in put:
        parts = {part.strip().lower() for part in one.split(";")[1:]}
        assert {"httponly", "samesite=lax", f"path={path}"} <= parts
        assert ("secure" in parts) == address.startswith("https")
        assert not any(part.startswith("domain") for part in parts)
    known = browser.get(f"{root}/me/account").json()["known_by"]
    assert known == "session"


def test_nobody_signs_in_without_https_from_afar(forger: Forger, sqlite_database: Database) -> None:
    told = Settings(signin={"providers": [forger.settings()]})
    browser = TestClient(create_app(Services(sqlite_database, told)), base_url="http://portal.example")
    answer = browser.get("/signin/facility/start", headers=NAVIGATES, follow_redirects=False)
    assert answer.status_code == 403 and "https" in answer.text
    assert "set-cookie" not in answer.headers


def test_where_a_proxy_has_https_cookies_are_as_with_https(forger: Forger, sqlite_database: Database) -> None:
    told = Settings(signin={"providers": [forger.settings()]}, site={"url": "https://portal.example"})
    browser = TestClient(create_app(Services(sqlite_database, told)), base_url="http://127.0.0.1:8000")
    begun = browser.get("/signin/facility/start", headers=NAVIGATES, follow_redirects=False)
    assert begun.headers["set-cookie"].startswith("__Host-signin=") and "Secure" in begun.headers["set-cookie"]
    assert "redirect_uri=https%3A%2F%2Fportal.example%2Fsignin" in begun.headers["location"]


def test_the_secret_of_a_client_may_lie_in_a_file(forger: Forger, tmp_path: Path) -> None:
    def made(file: Path) -> contact.Contact:
        return contact.Contact(OpenIDProvider(**forger.settings(), client_secret_file=str(file)))

    (tmp_path / "secret").write_text("of the client\n")
    (tmp_path / "empty").write_text("\n")
    assert made(tmp_path / "secret")._secret == "of the client"
    for name in ("none", "empty"):
        with pytest.raises(BadInput, match=f"{name}: client_secret_file"):
            made(tmp_path / name)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"issuer": "http://login.example"}, "https"),
        ({"scopes": ["profile"]}, "openid"),
        ({"name": "With Blanks"}, "name"),
    ],
)
def test_a_provider_that_is_described_wrongly(forger: Forger, change: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        OpenIDProvider(**{**forger.settings(), **change})


def test_two_providers_of_one_name(forger: Forger) -> None:
    with pytest.raises(ValidationError, match="same name"):
        SignIn(providers=[forger.settings()] * 2)
