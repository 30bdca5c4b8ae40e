"""``pan audit``: who did and saw what, asked on the server's machine; ``pan people`` ends what somebody holds."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pancommons.base.settings import settings
from pancommons.catalogue.access import LOCAL_USER, Action, Principal
from pancommons.catalogue.audit import Told, record_many
from pancommons.server.signin import sessions, tokens
from pancommons.server.signin.accounts import Identity, note_sign_in
from pancommons.server.signin.sealed import Held
from pancommons.store.engine import open_database
from tests.cli.conftest import Command

AT = datetime(2020, 11, 21, 12, tzinfo=UTC)
ADA = "https://idp.example#ada"


@pytest.fixture
def filled(pan: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Give the command where Ada has read a file with a strange name, and eve was refused it."""
    monkeypatch.setenv("PANCOMMONS_DATABASE", f"sqlite:///{tmp_path}/audit.db")
    assert pan("people", "list").code == 0
    database = open_database()
    facts = {"session": 7, "files": {"f1": "a \x1b[31m.nxs"}}
    with database.write() as connection:
        note_sign_in(connection, Identity("https://idp.example", "ada", "Ada Lovelace"), AT)
        record_many(
            connection,
            [
                Told(AT, ADA, "download", "dataset", "d1", facts),
                Told(AT + timedelta(days=1), "eve", "refuse", "dataset", "d1", {"access": "download"}),
                Told(AT + timedelta(days=2), LOCAL_USER.name, "delete", "dataset", "d2"),
            ],
        )
    database.close()
    return pan


def test_who_saw_what_when(filled: Command) -> None:
    def told(*arguments: str) -> list[str]:
        said = filled("audit", *arguments)
        assert said.code == 0, said.err
        return said.out.splitlines()

    line = f"2020-11-21 12:00:00  {ADA}  download  dataset d1  (session: 7, files: a \\x1b[31m.nxs)"
    assert told("--record", "d1")[-1] == line and len(told("--record", "d1")) == 2
    assert told("--who", "lovelace", "--what", "reads") == [line]
    assert [one.split("  ")[2] for one in told("--what", "changes")] == ["delete", "load"]
    assert [one.split("  ")[2] for one in told("--since", "2020-11-22", "--until", "2020-11-22")] == ["refuse"]
    assert told("--until", "2020-11-21T12:00:00Z") == []
    assert filled("audit", "--what", "lift").err == "Nothing like this was done or seen.\n"
    assert len(told("--limit", "1")) == 1
    [found] = json.loads(filled("audit", "--what", "download", "--json").out)
    assert (found["who"], found["record"], found["facts"]["session"]) == (ADA, "d1", 7)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--what", "spying"), "nothing is called 'spying'"),
        (("--since", "yesterday"), "write 2026-11-21 or"),
        (("--until", "9999-12-31"), "is no moment"),
    ],
)
def test_wrong_questions(filled: Command, arguments: tuple[str, ...], says: str) -> None:
    said = filled("audit", *arguments)
    assert (said.code, says in said.err) == (2, True), said.err


def test_sessions_and_tokens_listed_and_ended(filled: Command) -> None:
    at, told = datetime.now(UTC), settings().signin
    database = open_database()
    with database.write() as connection:
        account = note_sign_in(connection, Identity("https://idp.example", "ada", "Ada"), at)
        begun = sessions.Begun(account, "facility", Held("t", None), None, "Mozilla/5.0 (X11; Linux) Firefox/144.0")
        sessions.begin(connection, begun, told, at)
        token, _ = tokens.make(connection, account, "notebook", {Action.READ}, 7, at)
        session = sessions.of(connection, account, told, at)[0].id
    database.close()
    listed = filled("people", "sessions", ADA).out
    assert f"{session}  session  Firefox on Linux" in listed and f"{token}  token  notebook" in listed
    assert [one["number"] for one in json.loads(filled("people", "sessions", ADA, "--json").out)] == [session, token]
    for number in (session, token):
        assert filled("people", "end", str(number)).out == f"ended {number} of {ADA}\n"
        assert filled("people", "end", str(number)).code == 2
    assert filled("people", "sessions", ADA).err == f"{ADA} has no session and no token.\n"
    assert filled("people", "sessions", "nobody").code == 2
    assert Principal(ADA).name in filled("audit", "--what", "end session").out
