"""Administrators see what somebody is signed in with, and end one of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from starlette.testclient import TestClient

from pancommons.base.settings import Settings
from pancommons.catalogue import audit
from pancommons.catalogue.access import Action, Principal, Role
from pancommons.server.app import create_app
from pancommons.server.services import Services
from pancommons.server.signin import sessions, tokens
from pancommons.server.signin.accounts import Identity, note_sign_in
from pancommons.server.signin.sealed import Held
from pancommons.server.visitor import Visitor, visitor
from pancommons.store.engine import Database
from tests.server.pages.running import HTML

ADA = "https://idp.example#ada"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0"


@pytest.mark.parametrize("role", [Role.ADMINISTRATOR, Role.DATA_MANAGER, None])
def test_sessions_and_tokens_of_somebody(sqlite_database: Database, role: Role | None) -> None:
    at, settings = datetime.now(UTC) - timedelta(minutes=1), Settings()
    with sqlite_database.write() as connection:
        account = note_sign_in(connection, Identity("https://idp.example", "ada", "Ada"), at)
        for browser in (FIREFOX, "Lynx/2.9"):
            begun = sessions.Begun(account, "facility", Held("t", None), None, browser)
            sessions.begin(connection, begun, settings.signin, at)
        token, _ = tokens.make(connection, account, "notebook", {Action.READ}, 7, at)
        first = sessions.of(connection, account, settings.signin, at)[0].id
    app = create_app(Services(sqlite_database, settings))
    who = Principal("root", everywhere=frozenset({role} if role else set()))
    app.dependency_overrides[visitor] = lambda: Visitor(who, "root", "machine")
    client = TestClient(app, headers=HTML, follow_redirects=False)
    page = f"/admin/people/held?person={ADA.replace('#', '%23')}"
    shown = client.get(page)
    ended = [client.post("/admin/people/held", data={"person": ADA, "number": one}) for one in (first, token, first)]
    with sqlite_database.read() as connection:
        left = len(sessions.of(connection, account, settings.signin, at)), len(tokens.of(connection, account))
        lines = [(line.what, line.who, line.facts) for line in audit.search(connection, limit=2)]
    if role is not Role.ADMINISTRATOR:
        assert shown.status_code == (403 if role else 404)
        assert {one.status_code for one in ended} == {403 if role else 404}
        assert left == (2, 1)
        return
    assert "Firefox on Linux" in shown.text and "Lynx" in shown.text and "notebook" in shown.text
    assert shown.text.count('<form method="post" action="/admin/people/held"') == 3
    assert [one.status_code for one in ended] == [303, 303, 422]
    assert left == (1, 0)
    assert lines == [
        ("revoke token", "root", {"person": ADA, "token": token}),
        ("end session", "root", {"person": ADA, "session": first}),
    ]
    assert client.get("/admin/people/held?person=nobody").status_code == 404
    assert page.split("?")[0] in client.get("/admin/people").text
