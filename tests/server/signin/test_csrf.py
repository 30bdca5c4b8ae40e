"""No page of another origin changes anything, however somebody is known; programs go on as they did."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest
from starlette.requests import Request

from pancommons.base.settings import Settings
from pancommons.server.csrf import same_origin
from pancommons.store.engine import Database
from tests.oidc import OpenID, sign_in, signed_in_server
from tests.server.conftest import listening

OURS = "http://127.0.0.1:8000"
EVIL = "https://evil.example"


@pytest.fixture(scope="module")
def portal(kept: Database, openid: OpenID) -> Iterator[str]:
    with signed_in_server(kept, openid) as address:
        yield address


@pytest.fixture(scope="module")
def local(kept: Database) -> Iterator[str]:
    with listening(kept, Settings()) as address:
        yield address


MATRIX = [  # Origin, Sec-Fetch-Site: with a cookie, at the machine
    (None, None, False, True),
    ("own", None, True, True),
    ("own", "same-origin", True, True),
    (None, "same-origin", True, True),
    (None, "none", False, False),
    (None, "same-site", False, False),
    (None, "cross-site", False, False),
    ("own", "cross-site", False, False),
    ("own", "same-site", False, False),
    (EVIL, None, False, False),
    (EVIL, "same-origin", False, False),
    (EVIL, "cross-site", False, False),
    ("null", None, False, False),
    ("null", "same-origin", False, False),
    ("", None, False, False),
]


def headers(portal: str, origin: str | None, site: str | None) -> dict[str, str]:
    told = {} if origin is None else {"Origin": portal if origin == "own" else origin}
    return told | ({} if site is None else {"Sec-Fetch-Site": site})


@pytest.mark.parametrize(("origin", "site", "with_cookie", "at_machine"), MATRIX)
def test_the_matrix(local: str, origin: str | None, site: str | None, with_cookie: bool, at_machine: bool) -> None:
    told = headers(local, origin, site)
    posted = httpx.post(f"{local}/choices", data={"theme": "dark"}, headers=told)
    assert posted.status_code == (303 if at_machine else 403)
    held = httpx.post(f"{local}/choices", data={"theme": "dark"}, headers=told, cookies={"pancommons-session": "x"})
    assert held.status_code == (303 if with_cookie else 403)
    bearing = httpx.post(f"{local}/choices", data={}, headers=told | {"Authorization": "Bearer x"})
    assert bearing.status_code == 303


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_every_way_of_changing_something(local: str, method: str) -> None:
    answer = httpx.request(method, f"{local}/runs", headers={"Origin": EVIL, "Accept": "text/html"})
    assert answer.status_code == 403
    assert "page of another origin" in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_looking_is_free(local: str) -> None:
    assert httpx.get(f"{local}/health", headers={"Origin": EVIL, "Sec-Fetch-Site": "cross-site"}).status_code == 200


def test_a_session_is_not_ended_from_elsewhere(portal: str) -> None:
    with closing(sign_in(portal, "ada")) as browser:
        for told in ({}, {"Origin": EVIL}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
            assert browser.post(f"{portal}/signout", headers=told).status_code == 403
            assert browser.get(f"{portal}/me/account").json()["known_by"] == "session"
        assert browser.post(f"{portal}/signout", headers={"Origin": portal}).status_code == 200


def test_a_token_needs_no_page_and_then_the_cookie_counts_for_nothing(portal: str) -> None:
    with closing(sign_in(portal, "ada")) as browser:
        made = browser.post(f"{portal}/me/tokens", data={"name": "x", "scope": "read"}, headers={"Origin": portal})
        token = re.search(r"pan_[\w-]+", made.text)
        assert token is not None
        both = {"Authorization": f"Bearer {token[0]}", "Origin": EVIL}
        assert browser.post(f"{portal}/me/tokens", data={"name": "y", "scope": "read"}, headers=both).status_code == 403
        assert browser.delete(f"{portal}/me/tokens/current", headers=both).status_code == 204


@pytest.mark.parametrize(
    ("address", "url", "origin", "same"),
    [
        (OURS, None, OURS, True),
        (OURS, None, "http://127.0.0.1:8001", False),
        (OURS, None, "https://127.0.0.1:8000", False),
        (OURS, None, "http://127.0.0.1", False),
        (OURS, "https://portal.example/commons", "https://portal.example", True),
        (OURS, "https://portal.example:443/commons", "https://portal.example", True),
        (OURS, "https://portal.example", "https://PORTAL.example", True),
        (OURS, "https://portal.example", "http://portal.example", False),
        (OURS, "https://portal.example", "https://portal.example.evil.example", False),
        (OURS, "https://portal.example", "https://portal.example/", False),
        ("http://portal.example:80", None, "http://portal.example", True),
    ],
)
def test_what_our_origin_is(address: str, url: str | None, origin: str, same: bool) -> None:
    scheme, _, host = address.partition("://")
    told = [(b"host", host.encode()), (b"origin", origin.encode())]
    scope = {"type": "http", "method": "POST", "scheme": scheme, "path": "/", "query_string": b"", "headers": told}
    assert same_origin(Request(scope), url) is same
