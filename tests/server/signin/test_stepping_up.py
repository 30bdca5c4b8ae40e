"""Whoever changes how the portal is run signed in just now, as the real provider says, or signs in again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from re import search
from secrets import token_hex
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from pancommons.base.settings import Settings
from pancommons.catalogue.access import LOCAL_USER, Role
from pancommons.catalogue.ledger import take
from pancommons.catalogue.people import sessions as session_table
from pancommons.catalogue.policy import read_policy
from pancommons.catalogue.principals import grant
from pancommons.catalogue.records import Dataset, Terms
from pancommons.catalogue.tables import datasets
from pancommons.catalogue.write import load
from pancommons.runs.run import new_identifier
from pancommons.runs.tables import runs
from pancommons.server.services import now
from pancommons.server.signin.secret import digest
from pancommons.store.engine import Database
from tests.oidc import NAVIGATES, OpenID, listens, serving, sign_in, signed_in_server, to_portal
from tests.server.conftest import listening
from tests.server.signin.forger import Forger
from tests.server.signin.steps import COOKIE, FROM_ELSEWHERE, asked, come_back, who, written

CHANGE = {"person": "https://idp.example#new", "role": "collaborator", "do": "grant"}
SHOWN = {"Accept": "text/html"}


@pytest.fixture(scope="module")
def portal(kept: Database, openid: OpenID) -> Iterator[str]:
    with signed_in_server(kept, openid) as address:
        yield address


@pytest.fixture
def boss(portal: str, openid: OpenID, kept: Database) -> Iterator[httpx.Client]:
    """Sign an administrator in, and let an hour pass."""
    with httpx.Client(timeout=30) as browser:
        administer(kept, openid.person("boss"))
        sign_in(portal, "boss", browser)
        browser.headers["Origin"] = portal
        sign_in_was(kept, browser, timedelta(hours=1))
        yield browser


def administer(database: Database, person: str) -> None:
    with database.write() as connection:
        grant(connection, person, Role.ADMINISTRATOR, by=LOCAL_USER, at=now())


def sign_in_was(database: Database, browser: httpx.Client, ago: timedelta | None) -> None:
    """Set when a provider saw whoever has a session; None as if it did not say."""
    mine = session_table.c.digest == digest(browser.cookies[COOKIE])
    with database.write() as connection:
        seen = None if ago is None else now() - ago
        connection.execute(sa.update(session_table).where(mine).values(auth_time=seen))


def change(browser: httpx.Client, portal: str, **more: Any) -> httpx.Response:
    return browser.post(f"{portal}/admin/people", data=CHANGE, **more)


def add_dataset(database: Database, given: Terms) -> str:
    """Put a dataset into the catalogue; give its identifier."""
    record = Dataset(pid=token_hex(8), title="scan", kind="raw", creation_date=now(), terms=given)
    load(database, [record], policy=read_policy(), by=LOCAL_USER, at=now())
    with database.read() as connection:
        query = sa.select(datasets.c.identifier).where(datasets.c.pid == record.pid)
        return str(connection.execute(query).scalar_one())


def add_run(database: Database, person: str, state: str) -> str:
    """Put a run among those there are, without any process; give its identifier."""
    identifier = new_identifier()
    given = {"pipeline": "sans", "version": "1", "title": "a run", "parameters": {}, "digest": "", "allowed": 1 << 30}
    plain = {"preview": False, "alone": False, "to_register": False, "line": 0, "tries": 0, "to_tell": 0}
    with database.write() as connection:
        [key] = take(connection, "id", 1)
        connection.execute(
            sa.insert(runs).values(
                **(given | plain),
                **dict.fromkeys(("seconds", "memory", "disk"), 1),
                **dict.fromkeys(("created", "queued"), now()),
                id=key,
                identifier=identifier,
                folder=identifier,
                person=person,
                state=state,
            )
        )
    return identifier


def test_who_signed_in_long_ago_signs_in_again_and_comes_back(
    portal: str, openid: OpenID, kept: Database, boss: httpx.Client
) -> None:
    assert boss.get(f"{portal}/admin/people").status_code == 200, "looking is free"
    before, old = written(kept, "grant", openid.person("boss")), boss.cookies[COOKIE]
    page = change(boss, portal, headers={**SHOWN, "Referer": f"{portal}/admin/people?x=1"})
    assert page.status_code == 401 and "Confirm that it is you" in page.text
    assert 'error="insufficient_user_authentication", max_age=900' in page.headers["www-authenticate"]
    assert written(kept, "grant", openid.person("boss")) == before
    link = search(r'href="([^"]*/start[^"]*)"', page.text)
    assert link is not None
    sent = boss.get(portal + unescape(link[1]), headers=NAVIGATES)
    told = asked(sent.headers["location"])
    assert (told["prompt"], told["max_age"]) == ("login", "0")
    there = boss.get(sent.headers["location"])
    assert "/interaction/" in there.headers["location"], "the provider asks for nothing"
    back = to_portal(boss, there, portal, "boss").headers["location"]
    done = boss.get(back, headers=FROM_ELSEWHERE)
    assert (done.status_code, done.headers["location"]) == (303, "/admin/people?x=1")
    assert boss.cookies[COOKIE] != old
    assert httpx.get(f"{portal}/me/account", cookies={COOKIE: old}).json()["known_by"] == "nothing"
    assert change(boss, portal).status_code == 303
    assert written(kept, "grant", openid.person("boss")) == before + 1


def test_programs_are_told_in_json(portal: str, boss: httpx.Client) -> None:
    answer = change(boss, portal)
    assert answer.status_code == 401 and answer.json()["error"]["name"] == "UnauthorizedError"
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("ago", "status"),
    [(timedelta(minutes=14), 303), (timedelta(minutes=16), 401), (None, 401), (-timedelta(hours=1), 401)],
)
def test_how_long_a_sign_in_counts(
    portal: str, kept: Database, boss: httpx.Client, ago: timedelta | None, status: int
) -> None:
    sign_in_was(kept, boss, ago)
    assert change(boss, portal).status_code == status


def test_every_change_of_administration_needs_it(portal: str, boss: httpx.Client) -> None:
    """Also what other forms of the pages under /admin send, and a token that may administer."""
    for do in ("grant", "revoke", "disable", "enable"):
        answer = boss.post(f"{portal}/admin/people", data={**CHANGE, "do": do})
        assert answer.status_code == 401, do
    token = {"name": "t", "scope": ["read", "administer"], "days": "1"}
    refused = boss.post(f"{portal}/me/tokens", data=token)
    assert refused.status_code == 401 and "pan_" not in refused.text
    assert boss.post(f"{portal}/me/tokens", data={**token, "scope": ["read"]}).status_code == 200
    asked_for = httpx.post(f"{portal}/device/code", data={"scope": "administer"}).json()
    approve = {"user_code": asked_for["user_code"], "approve": "true"}
    assert boss.post(f"{portal}/device", data=approve).status_code == 401
    grant_type = "urn:ietf:params:oauth:grant-type:device_code"
    poll = {"grant_type": grant_type, "device_code": asked_for["device_code"]}
    assert httpx.post(f"{portal}/device/token", data=poll).json()["error"] == "authorization_pending"
    assert boss.post(f"{portal}/device", data={**approve, "approve": "false"}).status_code == 200


@pytest.mark.parametrize(("ours", "status"), [(False, 401), (True, 303)])
def test_who_deletes_data_of_others_signed_in_just_now(
    portal: str, openid: OpenID, kept: Database, boss: httpx.Client, ours: bool, status: int
) -> None:
    """Also what nobody owns; where it was not allowed at all, that is what is said."""
    owner = openid.person("boss") if ours else "https://idp.example#new"
    key = add_dataset(kept, Terms(owner=owner, fixed=True))
    others = [add_dataset(kept, Terms(open_from=now(), discoverable_from=now(), fixed=True)), "nothing"]

    def remove(one: str) -> int:
        return boss.post(f"{portal}/datasets/{one}/delete", data={"sure": one}).status_code

    assert remove(key) == status
    assert [remove(one) for one in others] == [401, 404]
    with httpx.Client(timeout=30, headers={"Origin": portal}) as nobody:
        sign_in(portal, "nobody", nobody)
        sign_in_was(kept, nobody, None)
        assert nobody.post(f"{portal}/datasets/{others[0]}/delete", data={"sure": others[0]}).status_code == 403
    sign_in_was(kept, boss, timedelta(0))
    assert [remove(one) for one in others] == [303, 404]


@pytest.mark.parametrize(("ours", "status"), [(False, 401), (True, 409)])
def test_who_acts_on_runs_of_others_signed_in_just_now(
    portal: str, openid: OpenID, kept: Database, boss: httpx.Client, ours: bool, status: int
) -> None:
    run = add_run(kept, openid.person("boss") if ours else "https://idp.example#new", "done")
    for path in (f"/runs/{run}/stop", f"/runs/{run}/resume"):
        assert boss.post(portal + path).status_code == status, path
    going = add_run(kept, openid.person("boss") if ours else "https://idp.example#new", "running")
    form = {"headers": SHOWN, "data": {"do": "delete"}}
    assert boss.post(f"{portal}/runs/{going}/delete", **form).status_code == status
    assert boss.delete(f"{portal}/runs/{going}").status_code == status
    sign_in_was(kept, boss, timedelta(0))
    assert boss.delete(f"{portal}/runs/{going}").status_code == 409, "it goes"


def test_a_token_made_by_who_signed_in_just_now_administers(portal: str, kept: Database, boss: httpx.Client) -> None:
    sign_in_was(kept, boss, timedelta(0))
    made = boss.post(f"{portal}/me/tokens", data={"name": "t", "scope": ["discover", "administer"], "days": "1"})
    token = search(r'value="(pan_[\w-]+)"', made.text)
    assert token is not None
    sign_in_was(kept, boss, None)
    bearing = {"Authorization": f"Bearer {token[1]}"}
    assert httpx.post(f"{portal}/admin/people", data=CHANGE, headers=bearing).status_code == 303


def test_nobody_else_signs_in_instead(portal: str, openid: OpenID, boss: httpx.Client, kept: Database) -> None:
    """And who does is not signed in by that, nor is the old session any better for it."""
    old, before = boss.cookies[COOKIE], written(kept, "refuse sign-in", openid.person("eve"))
    sent = boss.get(f"{portal}/signin/facility/start?again=true&next=/admin", headers=NAVIGATES)
    with httpx.Client(timeout=30) as eve:
        back = to_portal(eve, eve.get(sent.headers["location"]), portal, "eve").headers["location"]
    answer = boss.get(back, headers=FROM_ELSEWHERE)
    assert answer.status_code == 403
    assert boss.cookies[COOKIE] == old and who(boss, portal)["person"] == openid.person("boss")
    assert change(boss, portal).status_code == 401
    assert written(kept, "refuse sign-in", openid.person("eve")) == before + 1


def test_a_provider_that_does_not_know_the_way_asked_for_is_not_believed(
    openid: OpenID, sqlite_database: Database
) -> None:
    """The real one knows no `acr`: it answers without, and that is not enough."""
    client = {"admin_acr": ["https://refeds.org/profile/mfa"]}
    with signed_in_server(sqlite_database, openid, client=client) as portal, httpx.Client(timeout=30) as browser:
        sign_in(portal, "boss", browser)
        administer(sqlite_database, openid.person("boss"))
        browser.headers["Origin"] = portal
        assert change(browser, portal).status_code == 401
        sent = browser.get(f"{portal}/signin/facility/start?again=true&next=/admin", headers=NAVIGATES)
        assert asked(sent.headers["location"])["acr_values"] == "https://refeds.org/profile/mfa"
        back = to_portal(browser, browser.get(sent.headers["location"]), portal, "boss").headers["location"]
        assert browser.get(back, headers={**FROM_ELSEWHERE, **SHOWN}).status_code == 403
        assert who(browser, portal)["known_by"] == "session"
        assert change(browser, portal).status_code == 401


def test_a_provider_that_ignores_what_it_is_asked_is_not_believed(forger: Forger, sqlite_database: Database) -> None:
    listener = listens()
    portal = f"http://127.0.0.1:{listener.getsockname()[1]}"
    settings = Settings(signin={"providers": [{**forger.settings(), "admin_acr": ["mfa", "hardware"]}]})
    with serving(sqlite_database, settings, listener), httpx.Client(timeout=30, headers={"Origin": portal}) as browser:

        def sign_in_as(again: bool, **claims: Any) -> int:
            params = {"again": "true"} if again else {}
            sent = asked(
                browser.get(f"{portal}/signin/facility/start", params=params, headers=NAVIGATES).headers["location"]
            )
            forger.token = lambda: forger.signed(forger.claims(nonce=sent["nonce"], **claims))
            return come_back(browser, portal, sent).status_code

        assert sign_in_as(False) == 303
        administer(sqlite_database, f"{forger.issuer}#ada")
        at = int(time.time())
        for wrong in (
            {"acr": "mfa"},
            {"acr": "mfa", "auth_time": at - 3600},
            {"acr": "mfa", "auth_time": at + 3600},
            {"acr": "mfa", "auth_time": True},
            {"acr": "password", "auth_time": at},
            {"acr": ["mfa"], "auth_time": at},
            {"auth_time": at},
            {"acr": "mfa", "auth_time": at, "sub": "eve"},
        ):
            assert sign_in_as(True, **wrong) == 403, wrong
            assert change(browser, portal).status_code == 401, wrong
        assert sign_in_as(True, acr="hardware", auth_time=at) == 303
        assert change(browser, portal).status_code == 303


def test_where_nobody_signs_in_the_local_user_just_does_it(sqlite_database: Database) -> None:
    with listening(sqlite_database, Settings()) as portal, httpx.Client(timeout=30) as browser:
        assert change(browser, portal).status_code == 303


def test_who_may_not_administer_is_not_asked_to_sign_in_again(portal: str, kept: Database) -> None:
    with httpx.Client(timeout=30) as browser:
        sign_in(portal, "nobody", browser)
        sign_in_was(kept, browser, None)
        browser.headers["Origin"] = portal
        assert change(browser, portal).status_code == 404


@pytest.mark.parametrize("referer", ["https://evil.example/admin", "//evil.example", ""])
def test_it_leads_back_to_a_page_of_ours_only(portal: str, boss: httpx.Client, referer: str) -> None:
    page = change(boss, portal, headers={**SHOWN, "Referer": referer})
    assert "evil" not in page.text and "next=%2Fadmin%2Fpeople" in page.text
