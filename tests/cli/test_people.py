"""``pan people``: roles given and taken, accounts disabled, by whoever keeps the server."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pancommons.catalogue.access import LOCAL_USER
from pancommons.catalogue.policy import read_policy
from pancommons.catalogue.records import Document, Instrument
from pancommons.catalogue.write import put
from pancommons.server.signin.accounts import Identity, note_sign_in
from pancommons.store.engine import open_database
from tests.cli.conftest import Command

AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
ADA = "https://idp.example#ada"


@pytest.fixture
def people(pan: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.setenv("PANCOMMONS_DATABASE", f"sqlite:///{tmp_path}/people.db")
    return lambda *arguments: pan("people", *arguments)


def fill() -> None:
    """Let Ada sign in, and put a proposal and an instrument."""
    database = open_database()
    with database.write() as connection:
        note_sign_in(connection, Identity("https://idp.example", "ada", "Ada \x1b[31m", "ada@example.org"), AT)
        for one in (
            Document(pid="p-1", type="proposal", title="P"),
            Instrument(pid="i-1", name="I", facility="F"),
        ):
            put(connection, one, policy=read_policy(), by=LOCAL_USER, at=AT)
    database.close()


def test_the_first_administrator(people: Command) -> None:
    none = people("list")
    assert (none.code, none.out, none.err) == (0, "", "Nobody has signed in yet.\n")
    early = people("grant", ADA, "administrator")
    assert (early.code, early.err) == (0, f"{ADA} has not signed in yet\n")
    fill()
    again = people("grant", ADA, "administrator")
    assert (again.code, again.out, again.err) == (0, "", "")
    listed = people("list").out
    assert listed.splitlines()[0] == ADA
    assert "  administrator everywhere" in listed.splitlines()
    assert "\x1b" not in listed


def test_roles_in_a_proposal_and_at_an_instrument(people: Command) -> None:
    people("list")
    fill()
    assert people("grant", ADA, "member", "--proposal", "p-1").code == 0
    assert people("grant", ADA, "instrument scientist", "--instrument", "i-1").code == 0
    roles = json.loads(people("list", "--json").out)[0]["roles"]
    assert roles == [
        {"role": "member", "proposal": "p-1", "instrument": None},
        {"role": "instrument scientist", "proposal": None, "instrument": "i-1"},
    ]
    assert people("revoke", ADA, "member").code == 0
    assert len(json.loads(people("list", "--json").out)[0]["roles"]) == 2
    assert people("revoke", ADA, "member", "--proposal", "p-1").code == 0
    assert people("revoke", ADA, "member", "--proposal", "p-1").code == 0
    assert [one["role"] for one in json.loads(people("list", "--json").out)[0]["roles"]] == ["instrument scientist"]


def test_disabled_and_enabled(people: Command) -> None:
    people("list")
    fill()
    assert people("sign-out", ADA).code == 0
    assert people("disable", ADA).code == 0
    assert json.loads(people("list", "--json").out)[0]["disabled"] is not None
    assert people("enable", ADA).code == 0
    assert json.loads(people("list", "--json").out)[0]["disabled"] is None


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("grant", "ada@example.org", "member"), "write ISSUER#SUBJECT"),
        (("grant", ADA, "boss"), "no role 'boss'"),
        (("grant", ADA, "member", "--proposal", "none"), "no document none"),
        (("grant", ADA, "member", "--proposal", "p", "--instrument", "i"), "give one"),
        (("disable", ADA), "nobody has signed in as"),
    ],
)
def test_wrong_input(people: Command, arguments: tuple[str, ...], says: str) -> None:
    said = people(*arguments)
    assert said.code == 2
    assert says in said.err
