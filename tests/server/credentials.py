"""What browsers and programs show of themselves: made with the portal's own tables, good and no good any more."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pancommons.base.settings import SignIn
from pancommons.catalogue import principals
from pancommons.catalogue.access import ANONYMOUS, LOCAL_USER, Action, Principal, Role
from pancommons.catalogue.people import accounts
from pancommons.catalogue.people import sessions as session_table
from pancommons.catalogue.read import find
from pancommons.server.signin import devices, sessions, tokens
from pancommons.server.signin.accounts import Identity, disable, note_sign_in
from pancommons.server.signin.sealed import Held
from pancommons.server.signin.secret import digest
from tests.server.crawling import Commons, client_of
from tests.server.leaking import ISSUER

COOKIE = "pancommons-session"
GONE = "https://gone.example"
"""Who was a provider once, and is not in the settings any more."""


@dataclass(frozen=True)
class Shown:
    """What a visitor shows, and who that is.

    Attributes
    ----------
    principal
        Whose rights come with it.
    good
        Whether it is: what is not is anybody's, or refused.
    """

    headers: dict[str, str] = field(repr=False)
    principal: Principal = ANONYMOUS
    good: bool = False


def _bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def _cookie(secret: str) -> dict[str, str]:
    return {"cookie": f"{COOKIE}={secret}"}


@dataclass
class Office:
    """Gives out what people show, as the portal does when they sign in and make tokens."""

    connection: Connection
    told: SignIn
    at: datetime

    def account(self, subject: str, role: Role | None = None, issuer: str = ISSUER, **where: str) -> int:
        """Let somebody sign in for the first time, with a role."""
        who = Identity(issuer, subject, name=subject)
        if role is not None:
            principals.grant(self.connection, who.person, role, by=LOCAL_USER, at=self.at, **where)  # type: ignore[arg-type]
        return note_sign_in(self.connection, who, self.at)

    def enabled(self, subject: str) -> sa.Update:
        """Return what lets somebody in again."""
        return sa.update(accounts).where(accounts.c.person == f"{ISSUER}#{subject}").values(disabled_at=None)

    def session(self, account: int, at: datetime | None = None, provider: str = "facility") -> str:
        """Begin a session and return its secret."""
        return sessions.begin(self.connection, sessions.Begun(account, provider, Held("id")), self.told, at or self.at)

    def token(self, account: int, *scopes: Action, at: datetime | None = None) -> str:
        """Make a token that holds for a day."""
        return tokens.make(self.connection, account, "a token", scopes, 1, at or self.at)[1]


def credentials(commons: Commons, at: datetime) -> dict[str, Shown]:
    """Make everything that somebody may show, by what it is."""
    told = commons.app.state.signin.told
    with commons.database.write() as connection:
        office = Office(connection, told, at)
        found = dict(_good(office))
        found |= {name: Shown(headers) for name, headers in _no_good(office)}
    asyncio.run(_sign_out(commons, found["session ended by signing out"]))
    return found


def _good(office: Office) -> Iterator[tuple[str, Shown]]:
    manager = office.account("m", Role.DATA_MANAGER)
    member = office.account("member", Role.MEMBER, proposal="proposal-1")
    proposal = find(office.connection, "document", "proposal-1")
    whose = {
        "manager": (manager, Principal(f"{ISSUER}#m", everywhere=frozenset({Role.DATA_MANAGER}))),
        "member": (member, Principal(f"{ISSUER}#member", {Role.MEMBER: frozenset({proposal or 0})})),
        "owner": (office.account("owner"), Principal(f"{ISSUER}#owner")),
    }
    for name, (account, who) in whose.items():
        yield f"session of the {name}", Shown(_cookie(office.session(account)), who, good=True)
        for scopes in [*([one] for one in Action), list(Action)] if name != "owner" else [[Action.READ]]:
            bounded = Principal(who.person, who.proposals, who.instruments, who.everywhere, frozenset(scopes))
            called = scopes[0].value if len(scopes) == 1 else "do everything"
            yield f"token of the {name} to {called}", Shown(_bearer(office.token(account, *scopes)), bounded, good=True)


def _no_good(office: Office) -> Iterator[tuple[str, dict[str, str]]]:
    connection, at, told = office.connection, office.at, office.told
    account = office.account("late", Role.DATA_MANAGER)
    yield "expired token", _bearer(office.token(account, *Action, at=at - timedelta(days=1)))
    key, revoked = tokens.make(connection, account, "revoked", list(Action), 1, at)
    tokens.revoke(connection, account, key)
    yield "revoked token", _bearer(revoked)
    alive, token = office.session(account), office.token(account, *Action)
    yield "session of another with one character changed", _cookie(_changed(alive))
    yield "token of another with one character changed", _bearer(_changed(token))
    yield "session in place of a token", _bearer(alive)
    yield "token in place of a session", _cookie(token)
    yield "digest of a session", _cookie(digest(alive))
    yield "digest of a token", _bearer(digest(token))
    code = devices.ask(connection, "a program", list(Action), at)
    yield "device code in place of a token", _bearer(code.device_code)
    yield "code of a person in place of a token", _bearer(code.user_code)
    approved = devices.ask(connection, "a program", list(Action), at)
    devices.answer(connection, approved.user_code, account, at, yes=True)
    yield "approved device code in place of a token", _bearer(approved.device_code)
    idle = at - timedelta(minutes=told.idle_minutes)
    yield "session idle for too long", _cookie(office.session(account, idle))
    old = office.session(account, at - timedelta(hours=told.longest_hours))
    _seen(connection, old, at)
    yield "session that lasted too long", _cookie(old)
    yield "session ended by signing out", _cookie(office.session(account))
    left = office.account("left", Role.DATA_MANAGER, GONE)
    yield "session of a provider that is gone", _cookie(office.session(left, provider="gone"))
    yield "token of a provider that is gone", _bearer(office.token(left, *Action))
    for name, ended in (("disabled", True), ("disabled beside all rules", False)):
        banned = office.account(name, Role.DATA_MANAGER)
        yield f"session of somebody {name}", _cookie(office.session(banned))
        yield f"token of somebody {name}", _bearer(office.token(banned, *Action))
        if ended:
            disable(connection, f"{ISSUER}#{name}", by=LOCAL_USER, at=at)
        else:
            connection.execute(sa.update(accounts).where(accounts.c.id == banned).values(disabled_at=at))


def _seen(connection: Connection, secret: str, at: datetime) -> None:
    mine = session_table.c.digest == digest(secret)
    connection.execute(sa.update(session_table).where(mine).values(seen_at=at))


def _changed(secret: str) -> str:
    """Return a secret with a character in its middle changed."""
    place = len(secret) // 2
    return secret[:place] + ("A" if secret[place] != "A" else "B") + secret[place + 1 :]


async def _sign_out(commons: Commons, shown: Shown) -> None:
    """Sign out as a browser does."""
    async with client_of(commons.app, {**shown.headers, "sec-fetch-site": "same-origin"}) as browser:
        assert (await browser.get("/me/sessions", headers={"accept": "text/html"})).status_code == 200
        assert (await browser.post("/signout")).status_code == 200
