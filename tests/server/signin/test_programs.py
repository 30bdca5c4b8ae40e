"""Programs: their tokens, and how they get one by the device flow."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from pancommons.catalogue.ledger import audit
from pancommons.catalogue.people import device_authorisations
from pancommons.catalogue.people import tokens as token_table
from pancommons.server.services import now
from pancommons.server.signin.device_routes import GRANT
from pancommons.server.signin.secret import digest
from pancommons.store.engine import Database
from tests.oidc import OpenID, sign_in, signed_in_server


@pytest.fixture(scope="module")
def portal(kept: Database, openid: OpenID) -> Iterator[str]:
    with signed_in_server(kept, openid, signin={"token_days": 60}) as address:
        yield address


@pytest.fixture(scope="module")
def ada(portal: str) -> Iterator[httpx.Client]:
    with closing(sign_in(portal, "ada")) as browser:
        browser.headers["Origin"] = portal
        yield browser


def make(browser: httpx.Client, portal: str, **fields: Any) -> str:
    """Make a token in the browser; return what the page shows."""
    told = {"name": "a token", "scope": ["discover", "read"], "days": "7", **fields}
    answer = browser.post(f"{portal}/me/tokens", data=told)
    found = re.search(r'value="(pan_[\w-]+)"', answer.text)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.status_code == 200 and found is not None, answer.text
    return found[1]


def account(portal: str, token: str) -> httpx.Response:
    return httpx.get(f"{portal}/me/account", headers={"Authorization": f"Bearer {token}"})


def ask(portal: str, **fields: str) -> dict[str, Any]:
    told: dict[str, Any] = httpx.post(f"{portal}/device/code", data=fields).raise_for_status().json()
    return told


def poll(portal: str, code: str, kind: str = GRANT) -> httpx.Response:
    return httpx.post(f"{portal}/device/token", data={"grant_type": kind, "device_code": code})


def wait(kept: Database, code: str) -> None:
    """Let the interval pass."""
    with kept.write() as connection:
        mine = device_authorisations.c.device == digest(code)
        connection.execute(sa.update(device_authorisations).where(mine).values(asked_at=None))


def test_a_token_is_shown_once_and_acts_for_its_person(ada: httpx.Client, portal: str, openid: OpenID) -> None:
    token = make(ada, portal)
    told = account(portal, token).json()
    assert (told["person"], told["known_by"]) == (openid.person("ada"), "token")
    assert told["scopes"] == ["discover", "read"]
    page = ada.get(f"{portal}/me/tokens").text
    assert token not in page and "a token" in page


@pytest.mark.parametrize("value", ["pan_" + "x" * 43, "x"])
@pytest.mark.parametrize("path", ["/me/account", "/search-api/Datasets", "/", "/datasets"])
def test_a_token_that_is_none_is_never_taken_for_nobody(portal: str, path: str, value: str) -> None:
    answer = httpx.get(f"{portal}{path}", headers={"Authorization": f"Bearer {value}"})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer ")
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


def test_a_token_ends(ada: httpx.Client, portal: str, kept: Database) -> None:
    token, other = make(ada, portal), make(ada, portal, name="other")
    assert account(portal, token).status_code == 200
    with kept.write() as connection:
        mine = token_table.c.digest == digest(token)
        key = connection.scalar(sa.select(token_table.c.id).where(mine))
        connection.execute(sa.update(token_table).where(mine).values(expires_at=now() - timedelta(seconds=1)))
        other_key = connection.scalar(sa.select(token_table.c.id).where(token_table.c.digest == digest(other)))
    assert account(portal, token).status_code == 401
    with closing(sign_in(portal, "eve")) as eve:
        eve.headers["Origin"] = portal
        assert eve.post(f"{portal}/me/tokens/{other_key}/revoke").status_code == 404
    assert account(portal, other).status_code == 200
    assert ada.post(f"{portal}/me/tokens/{other_key}/revoke").status_code == 303
    assert account(portal, other).status_code == 401
    assert ada.post(f"{portal}/me/tokens/{key}/revoke").status_code == 303
    with kept.read() as connection:
        same = sa.select(sa.func.count()).select_from(audit).where(audit.c.what == "revoke token")
        assert connection.scalar(same) == 2


def test_a_token_lives_no_longer_than_the_settings_allow(ada: httpx.Client, portal: str, kept: Database) -> None:
    token = make(ada, portal, days="365")
    with kept.read() as connection:
        row = connection.execute(sa.select(token_table).where(token_table.c.digest == digest(token))).one()
    assert row.expires_at - row.created_at == timedelta(days=60)
    assert "365" not in ada.get(f"{portal}/me/tokens").text


@pytest.mark.parametrize(
    ("fields", "says"),
    [({"name": " "}, "needs a name"), ({"scope": []}, "of no use"), ({"scope": ["rule"]}, "no such scope")],
)
def test_a_token_asked_for_wrongly(ada: httpx.Client, portal: str, fields: dict[str, Any], says: str) -> None:
    answer = ada.post(f"{portal}/me/tokens", data={"name": "x", "scope": ["read"], "days": "7", **fields})
    assert answer.status_code == 400
    assert says in answer.text and "pan_" not in answer.text


def test_a_token_makes_no_token_and_ends_no_session(ada: httpx.Client, portal: str) -> None:
    headers = {"Authorization": f"Bearer {make(ada, portal, scope=['administer', 'edit'])}"}
    for method, path in (("POST", "/me/tokens"), ("GET", "/me/tokens"), ("GET", "/me/sessions"), ("GET", "/device")):
        answer = httpx.request(method, f"{portal}{path}", headers=headers)
        assert answer.status_code == 403, path
    assert httpx.post(f"{portal}/me/sessions/1/end", headers=headers).status_code == 403
    approve = {"user_code": ask(portal)["user_code"], "approve": "true"}
    assert httpx.post(f"{portal}/device", data=approve, headers=headers).status_code == 403


def test_a_token_revokes_itself(ada: httpx.Client, portal: str) -> None:
    headers = {"Authorization": f"Bearer {make(ada, portal)}"}
    assert httpx.delete(f"{portal}/me/tokens/current", headers=headers).status_code == 204
    assert httpx.delete(f"{portal}/me/tokens/current", headers=headers).status_code == 401
    assert ada.delete(f"{portal}/me/tokens/current").status_code == 400


def test_with_a_token_the_cookie_counts_for_nothing(ada: httpx.Client, portal: str) -> None:
    token = make(ada, portal)
    assert ada.get(f"{portal}/me/account", headers={"Authorization": f"Bearer {token}"}).json()["known_by"] == "token"
    assert ada.get(f"{portal}/me/account", headers={"Authorization": "Bearer x"}).status_code == 401


def test_when_a_token_was_used_is_noted(ada: httpx.Client, portal: str, kept: Database) -> None:
    token = make(ada, portal, name="noted")
    account(portal, token)
    query = sa.select(token_table.c.seen_at).where(token_table.c.digest == digest(token))
    for _ in range(200):
        with kept.read() as connection:
            if (seen := connection.scalar(query)) is not None:
                break
        httpx.get(f"{portal}/health")
    assert seen is not None and now() - seen < timedelta(minutes=1)


def test_a_program_gets_a_token(ada: httpx.Client, portal: str, openid: OpenID, kept: Database) -> None:
    told = ask(portal, scope="read run", name="pan on <laptop>")
    assert told["verification_uri"] == f"{portal}/device"
    assert told["verification_uri_complete"] == f"{portal}/device?user_code={told['user_code']}"
    assert re.fullmatch(r"[B-Z]{4}-[B-Z]{4}", told["user_code"])
    waiting = poll(portal, told["device_code"])
    assert (waiting.status_code, waiting.json()["error"]) == (400, "authorization_pending")
    assert poll(portal, told["device_code"]).json()["error"] == "slow_down"
    page = ada.get(told["verification_uri_complete"]).text
    assert "pan on &lt;laptop&gt;" in page and "read, run" in page and told["user_code"] in page
    done = ada.post(f"{portal}/device", data={"user_code": told["user_code"], "approve": "true"})
    assert done.status_code == 200 and "Approved" in done.text
    wait(kept, told["device_code"])
    given = poll(portal, told["device_code"])
    assert given.status_code == 200 and given.headers["cache-control"] == "no-store"
    answer = given.json()
    assert (answer["token_type"], answer["scope"], answer["expires_in"]) == ("Bearer", "read run", 60 * 86400)
    assert account(portal, answer["access_token"]).json()["person"] == openid.person("ada")
    assert "pan on &lt;laptop&gt;" in ada.get(f"{portal}/me/tokens").text
    again = poll(portal, told["device_code"])
    assert (again.status_code, again.json()["error"]) == (400, "expired_token")
    with kept.read() as connection:
        lines = connection.execute(sa.select(audit.c.what, audit.c.facts).order_by(audit.c.id.desc()).limit(2)).all()
    assert [line.what for line in lines] == ["make token", "approve device"]


def test_a_program_is_denied(ada: httpx.Client, portal: str, kept: Database) -> None:
    told = ask(portal)
    assert "Denied" in ada.post(f"{portal}/device", data={"user_code": told["user_code"], "approve": "false"}).text
    assert poll(portal, told["device_code"]).json()["error"] == "access_denied"


def test_a_program_that_is_too_late(ada: httpx.Client, portal: str, kept: Database) -> None:
    told = ask(portal)
    with kept.write() as connection:
        mine = device_authorisations.c.device == digest(told["device_code"])
        connection.execute(sa.update(device_authorisations).where(mine).values(expires_at=now()))
    assert ada.get(told["verification_uri_complete"]).status_code == 404
    approved = ada.post(f"{portal}/device", data={"user_code": told["user_code"], "approve": "true"})
    assert approved.status_code == 404
    assert poll(portal, told["device_code"]).json()["error"] == "expired_token"


def test_other_answers_of_the_device_flow(portal: str) -> None:
    assert poll(portal, "made-up").json()["error"] == "expired_token"
    assert poll(portal, "x", "password").json()["error"] == "unsupported_grant_type"
    wrong = httpx.post(f"{portal}/device/code", data={"scope": "read rule"})
    assert (wrong.status_code, wrong.json()["error"]) == (400, "invalid_scope")
    assert httpx.post(f"{portal}/device/code", data={"scope": " "}).json()["error"] == "invalid_scope"


def test_who_is_not_signed_in_is_sent_to_sign_in_and_back(portal: str) -> None:
    answer = httpx.get(f"{portal}/device?user_code=BCDF-GHJK")
    assert answer.headers["location"] == "/signin?next=%2Fdevice%3Fuser_code%3DBCDF-GHJK"
    assert httpx.post(f"{portal}/device", data={"user_code": "x", "approve": "true"}).status_code == 401


def test_nobody_guesses_codes(portal: str, kept: Database) -> None:
    told = ask(portal)
    with closing(sign_in(portal, "guesser")) as guesser:
        guesser.headers["Origin"] = portal
        for number in range(10):
            how = {"user_code": "BCDF-GHJK", "approve": "true"}
            where = f"{portal}/device"
            answer = guesser.post(where, data=how) if number % 2 else guesser.get(where, params=how)
            assert answer.status_code == 404
        right = {"user_code": told["user_code"], "approve": "true"}
        assert guesser.get(f"{portal}/device", params=right).status_code == 429
        assert guesser.post(f"{portal}/device", data=right).status_code == 429
    assert poll(portal, told["device_code"]).json()["error"] == "authorization_pending"
