"""Front-channel logout: a frame of the provider's page ends sessions here, without a cookie of ours.

The real provider no longer does it: since version 8 it knows back-channel logout alone. The one that forges takes its
place; what it needs of a sign-in is a session's name.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest
import sqlalchemy as sa

from pancommons.base.settings import Settings
from pancommons.catalogue.ledger import audit
from pancommons.store.engine import Database
from tests.oidc import listens, serving
from tests.server.signin.forger import Forger
from tests.server.signin.steps import asked, come_back, signed_in, start


@pytest.fixture
def several(forger: Forger, sqlite_database: Database) -> Iterator[str]:
    """Serve people who sign in at a provider that forges, or at another."""
    listener = listens()
    other = {"name": "other", "title": "Other", "issuer": "https://other.example", "client_id": "x"}
    settings = Settings(signin={"providers": [forger.settings(), other]})
    with serving(sqlite_database, settings, listener):
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def browser_of(forger: Forger, portal: str, sid: str | None) -> httpx.Client:
    """Sign somebody in whose session the provider calls so."""
    browser = httpx.Client(timeout=30)
    sent = asked(start(browser, portal).headers["location"])
    forger.token = lambda: forger.signed(forger.claims(nonce=sent["nonce"], sid=sid))
    assert come_back(browser, portal, sent).status_code == 303
    return browser


def frame(portal: str, provider: str = "facility", **params: str) -> httpx.Response:
    """Load the frame, as a browser does that sends no cookie to another site."""
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "iframe", "Accept": "text/html"}
    return httpx.get(f"{portal}/signin/{provider}/ended", params=params, headers=headers)


def test_a_frame_of_the_provider_ends_the_session_it_names(
    forger: Forger, several: str, sqlite_database: Database
) -> None:
    with closing(browser_of(forger, several, "s-one")) as one, closing(browser_of(forger, several, "s-two")) as two:
        answer = frame(several, iss=forger.issuer, sid="s-one")
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
        assert "set-cookie" not in answer.headers
        assert not signed_in(one, several)
        assert signed_in(two, several)
    with sqlite_database.read() as connection:
        same = sa.select(audit.c.who, audit.c.facts).where(audit.c.what == "sign out at provider")
        told = [tuple(row) for row in connection.execute(same)]
    assert told == [(f"{forger.issuer}#ada", {"provider": "facility", "by": "browser"})]


def test_nothing_else_ends_a_session_and_all_are_answered_alike(forger: Forger, several: str) -> None:
    with closing(browser_of(forger, several, "s-one")) as one, closing(browser_of(forger, several, None)) as unnamed:
        answers = [
            frame(several),
            frame(several, sid="s-one"),
            frame(several, iss=forger.issuer),
            frame(several, iss=forger.issuer, sid=""),
            frame(several, iss=forger.issuer, sid="s"),
            frame(several, iss=forger.issuer, sid="s-one" * 100),
            frame(several, iss=f"{forger.issuer}/", sid="s-one"),
            frame(several, iss="https://other.example", sid="s-one"),
        ]
        assert frame(several, "other", iss="https://other.example", sid="s-one").status_code == 200
        assert frame(several, "none", iss=forger.issuer, sid="s-one").status_code == 404
        assert signed_in(one, several) and signed_in(unnamed, several)
        answers.append(frame(several, iss=forger.issuer, sid="s-one"))
        assert not signed_in(one, several)
    kinds = {(one.status_code, one.text, tuple(sorted((k, v) for k, v in one.headers.items() if k != "date")))
             for one in answers}  # fmt: skip
    assert len(kinds) == 1, "an answer tells whether there was a session"


def test_only_the_provider_may_frame_this_answer_and_nobody_any_other(forger: Forger, several: str) -> None:
    assert frame(several).headers["content-security-policy"] == f"default-src 'none'; frame-ancestors {forger.issuer}"
    other = frame(several, "other").headers["content-security-policy"]
    assert other == "default-src 'none'; frame-ancestors https://other.example"
    for path in ("/signin", "/me/account", "/health"):
        told = httpx.get(f"{several}{path}", headers={"Accept": "text/html"}).headers
        assert "frame-ancestors 'none'" in told["content-security-policy"]
        assert told["x-frame-options"] == "DENY"
