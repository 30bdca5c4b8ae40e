"""The checklist for signing in (ASVS 5.0, V3, V7, V10), lines 9 to 12: sessions, how they end, and how they begin."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import timedelta
from html import unescape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from re import search
from typing import Any
from urllib.parse import parse_qs, urljoin

import httpx
import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from pancommons.base.settings import Settings
from pancommons.catalogue.access import LOCAL_USER
from pancommons.catalogue.people import sessions as session_table
from pancommons.server.app import create_app
from pancommons.server.services import Services, now
from pancommons.server.signin.accounts import disable, sign_out
from pancommons.server.signin.secret import digest
from pancommons.store.engine import Database
from tests.oidc import NAVIGATES, OpenID, form, sign_in, signed_in_server, to_portal
from tests.server.signin.forger import Forger
from tests.server.signin.forgeries import EVENT, OTHER
from tests.server.signin.steps import COOKIE, asked, begin, callback, come_back, signed_in, start, who, written


@pytest.fixture(scope="module")
def portal(kept: Database, openid: OpenID) -> Iterator[str]:
    with signed_in_server(kept, openid) as address:
        yield address


@pytest.fixture
def browser() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=30) as made:
        yield made


@contextmanager
def catching() -> Iterator[tuple[str, Queue[str]]]:
    """Take logout tokens in place of the portal; give the address for them, and where they come in."""
    caught = Queue[str]()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()
            caught.put(parse_qs(body)["logout_token"][0])

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/", caught
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_09_the_cookie_belongs_to_this_host_and_to_https_alone(openid: OpenID, sqlite_database: Database) -> None:
    ours = "https://portal.example"
    app = create_app(Services(sqlite_database, Settings(signin={"providers": [openid.register(ours)]})))
    portal = TestClient(app, base_url=ours, follow_redirects=False)
    sent = portal.get("/signin/facility/start", headers=NAVIGATES)
    with httpx.Client(timeout=30) as browser:
        back = to_portal(browser, browser.get(sent.headers["location"]), ours, "ada").headers["location"]
    done = portal.get(back)
    assert done.status_code == 303, done.text
    name, _, rest = next(
        one for one in done.headers.get_list("set-cookie") if "session" in one.partition("=")[0]
    ).partition("=")
    value, *flags = (part.strip().lower() for part in rest.split(";"))
    assert name == "__Host-session" and len(value) >= 43
    assert {"secure", "httponly", "samesite=lax", "path=/"} <= {*flags}
    assert not any(one.startswith("domain") for one in flags)
    assert portal.get("/me/account").json()["known_by"] == "session"
    held = portal.cookies["__Host-session"]
    for other in ("session", "__Secure-session", COOKIE):
        stranger = TestClient(app, base_url=ours, cookies={other: held})
        assert stranger.get("/me/account").json()["known_by"] == "nothing", other


def test_09_a_new_session_at_every_sign_in(portal: str, browser: httpx.Client) -> None:
    sign_in(portal, "fay", browser)
    first = browser.cookies[COOKIE]
    sign_in(portal, "fay", browser)
    assert browser.cookies[COOKIE] != first
    assert httpx.get(f"{portal}/me/account", cookies={COOKIE: first}).json()["known_by"] == "nothing"


def test_09_a_session_that_somebody_else_chose_is_never_taken(portal: str, browser: httpx.Client) -> None:
    browser.cookies.set(COOKIE, "chosen-by-eve", domain="127.0.0.1", path="/")
    sign_in(portal, "fay", browser)
    held = [one.value for one in browser.cookies.jar if one.name == COOKIE]
    assert held != ["chosen-by-eve"] and len(held) == 1


def test_10_a_session_ends_by_itself(portal: str, kept: Database, browser: httpx.Client) -> None:
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


def test_10_one_sees_and_ends_ones_own_sessions(portal: str, kept: Database, openid: OpenID) -> None:
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


def test_10_who_is_disabled_is_out_at_once_and_stays_out(
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


def test_10_signing_out_ends_the_session_here_and_at_the_provider(
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


def test_10_an_administrator_ends_the_sessions_of_anybody(
    portal: str, openid: OpenID, kept: Database, browser: httpx.Client
) -> None:
    sign_in(portal, "max", browser)
    with kept.write() as connection:
        assert sign_out(connection, openid.person("max"), by=LOCAL_USER, at=now()) == 1
    assert who(browser, portal)["known_by"] == "nothing"


def test_11_signing_out_at_the_provider_ends_the_session_here(
    portal: str, openid: OpenID, kept: Database, browser: httpx.Client
) -> None:
    sign_in(portal, "hal", browser)
    assert who(browser, portal)["known_by"] == "session"
    there = browser.get(f"{openid.issuer}/session/end")
    action, fields = form(there)
    browser.post(urljoin(str(there.url), action), data={**fields, "logout": "yes"})
    assert who(browser, portal)["known_by"] == "nothing"
    assert written(kept, "sign out at provider", openid.person("hal")) == 1


def test_11_a_real_logout_token_counts_once_and_for_its_client_only(
    openid: OpenID, sqlite_database: Database, portal: str
) -> None:
    with catching() as (place, caught):
        client = {"backchannel_logout_uri": place}
        with signed_in_server(sqlite_database, openid, client=client) as ours, closing(sign_in(ours, "nia")) as browser:
            there = browser.get(f"{openid.issuer}/session/end")
            action, fields = form(there)
            browser.post(urljoin(str(there.url), action), data={**fields, "logout": "yes"})
            token = caught.get(timeout=30)
            assert who(browser, ours)["known_by"] == "session"
            for address, status in ((portal, 400), (ours, 200), (ours, 400)):
                told = httpx.post(f"{address}/signin/facility/ended", data={"logout_token": token})
                assert (told.status_code, told.headers["cache-control"]) == (status, "no-store")
            assert who(browser, ours)["known_by"] == "nothing"


def test_11_only_a_logout_token_for_us_ends_a_session(forger: Forger, at_forger: str) -> None:
    def token(key: Any = None, typ: str = "logout+jwt", **more: Any) -> str:
        claims = forger.claims(**{"jti": secrets.token_hex(8), "events": EVENT, "sid": "s", **more})
        return forger.signed(claims, key, typ=typ)

    def tell(token: str) -> httpx.Response:
        return httpx.post(f"{at_forger}/signin/facility/ended", data={"logout_token": token})

    with httpx.Client(timeout=30) as browser:
        sent = begin(browser, at_forger)
        forger.token = lambda: forger.signed(forger.claims(nonce=sent["nonce"], sid="s"))
        come_back(browser, at_forger, sent)
        for wrong in (
            "x",
            token(OTHER),
            token(typ="JWT"),
            token(aud="other"),
            token(iss="https://other.example"),
            token(events={}),
            token(events=None),
            token(nonce=sent["nonce"]),
            token(exp=int(time.time()) - 120),
            token(exp=None),
            token(iat=int(time.time()) - 300),
            token(iat=int(time.time()) + 300),
            token(nonce=""),
            token(jti=None),
            token(sub=None, sid=None),
            forger.signed(forger.claims(nonce=sent["nonce"], sid="s")),
        ):
            assert tell(wrong).status_code == 400
        for another in (token(sub="bo"), token(sid="other")):
            assert httpx.post(f"{at_forger}/signin/facility/ended", data={"logout_token": another}).status_code == 200
        assert signed_in(browser, at_forger)
        assert (
            httpx.post(f"{at_forger}/signin/facility/ended", data={"logout_token": token(sub=None)}).status_code == 200
        )
        assert not signed_in(browser, at_forger)


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
def test_12_signing_in_begins_on_a_page_of_ours_only(portal: str, headers: dict[str, str]) -> None:
    answer = httpx.get(f"{portal}/signin/facility/start?next=/runs", headers=headers)
    assert (answer.status_code, answer.headers["location"]) == (303, "/signin?next=%2Fruns")
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "after",
    ["https://evil.example", "//evil.example", "/\\evil.example", "\\\\evil.example", "javascript:alert(1)",
     "/\t/evil.example", "evil.example", "http:evil.example", ""],
)  # fmt: skip
def test_12_signing_in_leads_nowhere_else(portal: str, openid: OpenID, browser: httpx.Client, after: str) -> None:
    answer = to_portal(browser, start(browser, portal, after), portal, "ada")
    assert browser.get(answer.headers["location"]).headers["location"] == "/"


def test_12_only_what_is_needed_is_asked_for(portal: str, browser: httpx.Client) -> None:
    sent = asked(start(browser, portal).headers["location"])
    assert sent["scope"] == "openid profile email"
    assert not {"prompt", "max_age", "acr_values", "claims"} & {*sent}
