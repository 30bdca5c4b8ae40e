"""Accounts, sessions, tokens, sign-ins and programs under way, kept alike on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from pancommons.base.errors import BadInput
from pancommons.base.settings import Entitled, SignIn
from pancommons.catalogue.access import LOCAL_USER, Action, Role, allows
from pancommons.catalogue.access import Resource as Record
from pancommons.catalogue.ledger import audit
from pancommons.catalogue.people import accounts, device_authorisations, pending_sign_ins
from pancommons.catalogue.people import sessions as session_table
from pancommons.catalogue.people import tokens as token_table
from pancommons.catalogue.policy import read_policy
from pancommons.catalogue.principals import grant
from pancommons.catalogue.records import Document, Instrument
from pancommons.catalogue.write import load
from pancommons.server.signin import devices, pending, sessions, tokens
from pancommons.server.signin.accounts import (
    Disabled,
    Identity,
    disable,
    enable,
    everybody,
    note_sign_in,
    principal_of,
    sign_out,
)
from pancommons.server.signin.roles import rules
from pancommons.server.signin.sealed import Held
from pancommons.server.signin.secret import digest
from pancommons.server.signin.seen import LastSeen
from pancommons.store.engine import Database
from tests.catalogue import world

AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
TOLD = SignIn(idle_minutes=60, longest_hours=10)
ADA = Identity("https://idp.example", "ada", "Ada", "ada@example.org")
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
def ada(database: Database) -> int:
    with database.write() as connection:
        return note_sign_in(connection, ADA, AT)


def begin(database: Database, account: int, at: datetime = AT, **more: Any) -> str:
    with database.write() as connection:
        return sessions.begin(connection, sessions.Begun(account, "p", Held("hint"), **more), TOLD, at)


def found(database: Database, shown: str, at: datetime) -> Any:
    with database.read() as connection:
        return sessions.find(connection, shown, TOLD, at)


def everything(database: Database) -> str:
    with database.read() as connection:
        tables = (accounts, session_table, token_table, pending_sign_ins, device_authorisations, audit)
        return repr([connection.execute(sa.select(table)).all() for table in tables])


def test_an_account_is_one_of_issuer_and_subject_and_not_of_an_address(database: Database, ada: int) -> None:
    with database.write() as connection:
        assert note_sign_in(connection, Identity("https://idp.example", "ada", "Ada B"), AT + HOUR) == ada
        other = note_sign_in(connection, Identity("https://other.example", "ada", "Ada", "ada@example.org"), AT)
        assert other != ada
        listed = everybody(connection)
    assert [(one["person"], one["name"], one["email"]) for one in listed] == [
        ("https://idp.example#ada", "Ada B", None),
        ("https://other.example#ada", "Ada", "ada@example.org"),
    ]


def test_a_session_is_found_by_its_secret_alone_which_is_not_kept(database: Database, ada: int) -> None:
    shown = begin(database, ada)
    row = found(database, shown, AT + MINUTE)
    assert (row.person, row.account_id) == ("https://idp.example#ada", ada)
    assert found(database, shown[:-1], AT) is None
    assert found(database, digest(shown), AT) is None
    assert len(shown) >= 43
    assert shown not in everything(database)


def test_a_session_ends_when_idle_and_at_last(database: Database, ada: int) -> None:
    shown = begin(database, ada)
    assert found(database, shown, AT + 59 * MINUTE) is not None
    assert found(database, shown, AT + 60 * MINUTE) is None
    seen = LastSeen(database)
    for hour in range(1, 20):
        seen.note(session_table, found(database, shown, AT).id, None, AT + hour * 30 * MINUTE)
    seen.close()
    assert found(database, shown, AT + 10 * HOUR - SECOND) is not None
    assert found(database, shown, AT + 10 * HOUR) is None


def test_last_seen_is_written_once_a_minute(database: Database, ada: int) -> None:
    row = found(database, begin(database, ada), AT)
    written: list[datetime] = []
    seen = LastSeen(database)
    seen._write = lambda table, key, at: written.append(at)  # type: ignore[method-assign]
    for second in range(181):
        seen.note(session_table, row.id, row.seen_at, AT + second * SECOND)
    seen.close()
    assert written == [AT + MINUTE, AT + 2 * MINUTE, AT + 3 * MINUTE]


def test_old_sessions_are_removed_when_one_begins(database: Database, ada: int) -> None:
    begin(database, ada)
    begin(database, ada, AT + 2 * HOUR)
    with database.read() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(session_table)) == 1


def test_one_ends_only_sessions_of_ones_own(database: Database, ada: int) -> None:
    shown = begin(database, ada)
    key = found(database, shown, AT).id
    with database.write() as connection:
        bo = note_sign_in(connection, Identity("https://idp.example", "bo"), AT)
        assert not sessions.end(connection, bo, key)
        assert [row.id for row in sessions.of(connection, ada, TOLD, AT)] == [key]
        assert sessions.end(connection, ada, key)
    assert found(database, shown, AT) is None


def test_a_provider_ends_a_session_or_all_of_a_subject(database: Database, ada: int) -> None:
    one, two = begin(database, ada, provider_session="1"), begin(database, ada, provider_session="2")
    with database.write() as connection:
        end = sessions.end_at_provider
        assert end(connection, "p", "https://other.example", "ada", None) == []
        assert end(connection, "q", "https://idp.example", "ada", None) == []
        assert end(connection, "p", "https://idp.example", "bo", "1") == []
        assert end(connection, "p", "https://idp.example", None, "1") == ["https://idp.example#ada"]
    assert found(database, one, AT) is None
    assert found(database, two, AT) is not None
    with database.write() as connection:
        assert end(connection, "p", "https://idp.example", "ada", None) == ["https://idp.example#ada"]
    assert found(database, two, AT) is None


def test_who_is_disabled_has_no_session_and_no_token_and_cannot_sign_in(database: Database, ada: int) -> None:
    shown = begin(database, ada)
    with database.write() as connection:
        _, token = tokens.make(connection, ada, "t", {Action.READ}, 1, AT)
        disable(connection, ADA.person, by=LOCAL_USER, at=AT)
        assert sessions.find(connection, shown, TOLD, AT) is None
        assert tokens.find(connection, token, AT) is None
        with pytest.raises(Disabled):
            note_sign_in(connection, ADA, AT)
        enable(connection, ADA.person, by=LOCAL_USER, at=AT)
        assert note_sign_in(connection, ADA, AT) == ada
        assert tokens.find(connection, token, AT) is None
        assert connection.scalars(sa.select(audit.c.what).order_by(audit.c.id)).all() == ["disable", "enable"]
        with pytest.raises(BadInput, match="nobody has signed in as x#y"):
            disable(connection, "x#y", by=LOCAL_USER, at=AT)


def test_somebody_is_signed_out_everywhere(database: Database, ada: int) -> None:
    shown = [begin(database, ada) for _ in range(2)]
    with database.write() as connection:
        _, token = tokens.make(connection, ada, "t", {Action.READ}, 1, AT)
        assert sign_out(connection, ADA.person, by=LOCAL_USER, at=AT) == 2
        assert tokens.find(connection, token, AT) is not None
    assert [found(database, one, AT) for one in shown] == [None, None]


def test_a_token_is_found_until_it_expires_or_is_revoked(database: Database, ada: int) -> None:
    with database.write() as connection:
        key, token = tokens.make(connection, ada, " my  token ", {Action.READ, Action.DISCOVER}, 2, AT)
        row = tokens.find(connection, token, AT + timedelta(days=2) - SECOND)
        assert (row.id, row.scopes, row.person) == (key, ["discover", "read"], ADA.person)  # type: ignore[union-attr]
        assert [one.name for one in tokens.of(connection, ada)] == ["my token"]
        assert tokens.find(connection, token, AT + timedelta(days=2)) is None
        assert tokens.find(connection, token + "x", AT) is None
        assert tokens.revoke(connection, ada + 1, key) is None
        assert tokens.revoke(connection, ada, key) is not None
        assert tokens.find(connection, token, AT) is None
    assert token.startswith("pan_") and len(token) >= 47
    assert token not in everything(database)


def test_a_token_needs_a_name_and_a_scope(database: Database, ada: int) -> None:
    read = {Action.READ}
    for name, scopes in (("", read), ("x" * 101, read), ("a\0", read), ("x", set[Action]())):
        with database.write() as connection, pytest.raises(BadInput):
            tokens.make(connection, ada, name, scopes, 1, AT)


def test_no_account_has_tokens_without_end(database: Database, ada: int) -> None:
    with database.write() as connection:
        for number in range(tokens.MOST):
            tokens.make(connection, ada, str(number), {Action.READ}, 1, AT)
        with pytest.raises(BadInput, match="100 tokens"):
            tokens.make(connection, ada, "one more", {Action.READ}, 1, AT)
        tokens.make(connection, ada, "one more", {Action.READ}, 1, AT + timedelta(days=1))


def test_a_sign_in_is_taken_once_by_its_browser_in_time(database: Database) -> None:
    begun, browser = pending.Begun("p", "/runs"), pending.browser(None)
    with database.write() as connection:
        for held, provider, state, at in (
            ("other" * 9, "p", begun.state, AT),
            (None, "p", begun.state, AT),
            (browser, "q", begun.state, AT),
            (browser, "p", begun.nonce, AT),
            (browser, "p", begun.state, AT + pending.LASTS),
        ):
            pending.keep(connection, begun, browser, AT)
            assert pending.take(connection, state, held, provider, at) is None
            connection.execute(sa.delete(pending_sign_ins))
        pending.keep(connection, begun, browser, AT)
        assert pending.take(connection, begun.state, browser, "p", AT + MINUTE) == begun
        assert pending.take(connection, begun.state, browser, "p", AT + MINUTE) is None
    assert len({begun.state, begun.nonce, begun.verifier, browser}) == 4
    assert pending.browser(browser) == browser
    assert pending.browser("short") != "short"


def test_a_program_gets_its_token_once_somebody_approved(database: Database, ada: int) -> None:
    wanted = {Action.READ, Action.RUN}
    with database.write() as connection:
        asked = devices.ask(connection, "pan on\nlaptop\0", wanted, AT)
        at = AT + SECOND
        assert devices.poll(connection, asked.device_code, 5, at) is devices.Refusal.PENDING
        assert devices.poll(connection, asked.device_code, 5, at + SECOND) is devices.Refusal.SLOW_DOWN
        assert devices.poll(connection, asked.device_code, 5, at + 7 * SECOND) is devices.Refusal.SLOW_DOWN
        at += 30 * SECOND
        assert devices.poll(connection, asked.device_code, 5, at) is devices.Refusal.PENDING
        shown = devices.shown(asked.user_code).lower()
        row = devices.answer(connection, f" {shown} ", ada, at, yes=True)
        assert (row.name, row.scopes) == ("pan on laptop", ["read", "run"])  # type: ignore[union-attr]
        assert devices.answer(connection, shown, ada, at, yes=False) is None
        given = devices.poll(connection, asked.device_code, 5, at + MINUTE)
        assert isinstance(given, devices.Granted)
        assert tokens.find(connection, given.token, at + timedelta(days=4)).person == ADA.person  # type: ignore[union-attr]
        assert devices.poll(connection, asked.device_code, 5, at + 2 * MINUTE) is devices.Refusal.EXPIRED
    assert asked.device_code not in everything(database)
    assert given.token not in everything(database)


def test_a_program_that_is_denied_or_too_late_gets_none(database: Database, ada: int) -> None:
    with database.write() as connection:
        denied, late = (devices.ask(connection, "p", {Action.READ}, AT) for _ in range(2))
        devices.answer(connection, denied.user_code, ada, AT, yes=False)
        assert devices.poll(connection, denied.device_code, 5, AT + MINUTE) is devices.Refusal.DENIED
        assert devices.waiting(connection, late.user_code, AT + devices.LASTS) is None
        assert devices.answer(connection, late.user_code, ada, AT + devices.LASTS, yes=True) is None
        assert devices.poll(connection, late.device_code, 5, AT + devices.LASTS) is devices.Refusal.EXPIRED
        assert devices.poll(connection, "made up", 5, AT) is devices.Refusal.EXPIRED


def test_programs_under_way_are_counted(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "MOST", 2)
    with database.write() as connection:
        for _ in range(2):
            devices.ask(connection, "p", {Action.READ}, AT)
        with pytest.raises(devices.TooMany):
            devices.ask(connection, "p", {Action.READ}, AT)
        devices.ask(connection, "p", {Action.READ}, AT + devices.LASTS)


def test_entitlements_give_roles_while_they_are_fresh(database: Database) -> None:
    known = (one for one in world.records(110, seed=3) if isinstance(one, Instrument | Document))
    load(database, known, policy=read_policy(), by=LOCAL_USER, at=AT)
    group = "urn:geant:facility.example:group"
    told = rules(
        [
            Entitled(entitlement=f"{group}:proposal:{{proposal}}:role=pi", role="principal investigator"),
            Entitled(entitlement=f"{group}:proposal:{{proposal}}", role="member"),
            Entitled(entitlement=f"{group}:staff:{{instrument}}", role="instrument scientist"),
            Entitled(entitlement=f"{group}:data-office", role="data manager"),
        ]
    )
    held = (
        f"{group}:proposal:proposal%2F0:role=pi#facility.example",
        f"{group}:proposal:proposal%2F1",
        f"{group}:proposal:unknown-here",
        f"{group}:proposal:proposal%2F2:role=other",
        "urn:geant:other.example:group:proposal:proposal%2F2",
        f"{group}:staff:instrument%2F1#x",
        f"{group}:data-office:trainees",
        "no entitlement",
    )
    with database.write() as connection:
        note_sign_in(connection, Identity("https://idp.example", "ada", entitlements=held), AT)
        grant(connection, ADA.person, Role.COLLABORATOR, proposal="proposal/2", by=LOCAL_USER, at=AT)
        account = connection.execute(sa.select(accounts)).one()
        who = principal_of(connection, account, told, AT + timedelta(days=30), fresh_days=30)
        late = principal_of(connection, account, told, AT + timedelta(days=31), fresh_days=30)
        documents, places = (
            {row.pid: row.id for row in connection.execute(sa.text(f"SELECT pid, id FROM {table}"))}
            for table in ("documents", "instruments")
        )
    own = {Role.COLLABORATOR: frozenset({documents["proposal/2"]})}
    assert who.proposals == own | {
        Role.PRINCIPAL_INVESTIGATOR: frozenset({documents["proposal/0"]}),
        Role.MEMBER: frozenset({documents["proposal/1"]}),
    }
    assert who.instruments == {Role.INSTRUMENT_SCIENTIST: frozenset({places["instrument/1"]})}
    assert who.everywhere == frozenset()
    assert (late.proposals, late.instruments) == (own, {})
    assert allows(who, Action.PUBLISH, Record(proposal=documents["proposal/0"]), AT)
    assert not allows(who, Action.PUBLISH, Record(proposal=documents["proposal/1"]), AT)


@pytest.mark.parametrize(
    ("entitlement", "role", "problem"),
    [
        ("urn:a:b:group:{proposal}", "boss", "no role 'boss'"),
        ("https://a.example/group", "member", "is no entitlement"),
        ("urn:a:b:group:{proposal}:{instrument}", "member", "once"),
        ("urn:a:b:group:p-{proposal}", "member", "whole element"),
        ("urn:a:{proposal}:group:x", "member", "whole element"),
        ("urn:a:b:group:x:role={proposal}", "member", "whole element"),
    ],
)
def test_a_rule_that_cannot_be_understood(entitlement: str, role: str, problem: str) -> None:
    with pytest.raises(BadInput, match=problem):
        rules([Entitled(entitlement=entitlement, role=role)])
