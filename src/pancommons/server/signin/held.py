"""What somebody is signed in with, sessions and tokens, as those see and end it who run the portal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pancommons.base.errors import BadInput
from pancommons.base.settings import SignIn
from pancommons.catalogue.access import Principal
from pancommons.catalogue.audit import record
from pancommons.catalogue.people import accounts
from pancommons.catalogue.people import sessions as session_table
from pancommons.catalogue.people import tokens as token_table
from pancommons.server.signin import sessions, tokens
from pancommons.server.signin.browsers import called
from pancommons.store.schema import floor, instant_text


@dataclass(frozen=True)
class Held:
    """A session or a token.

    Attributes
    ----------
    number
        By which the audit names it, too.
    name
        What the browser is called, or the token.
    how
        The provider by its name in the settings, or what the token allows.
    """

    kind: Literal["session", "token"]
    number: int
    name: str
    how: tuple[str, ...]
    begun: datetime
    seen: datetime | None
    ends: datetime

    def json(self) -> Mapping[str, Any]:
        """Return it as JSON has it."""
        return {
            "kind": self.kind,
            "number": self.number,
            "name": self.name,
            "provider" if self.kind == "session" else "scopes": self.how[0] if self.kind == "session" else self.how,
            "begun": instant_text(self.begun),
            "seen": instant_text(self.seen) if self.seen else None,
            "ends": instant_text(self.ends),
        }


def held(connection: Connection, person: str, told: SignIn, at: datetime) -> list[Held]:
    """List what somebody is signed in with: sessions, the one last seen first, then tokens, the newest first.

    Raises
    ------
    BadInput
        If nobody has signed in by this name.
    """
    mine = accounts.c.person == person.replace("\0", "")  # PostgreSQL holds no text with one
    key = connection.scalar(sa.select(accounts.c.id).where(mine))
    if key is None:
        raise BadInput(f"nobody has signed in as {person}", field="PERSON", remedy="see: pan people list")
    browsers = [
        Held("session", one.id, called(one.browser), (one.provider,), one.created_at, one.seen_at, one.ends_at)
        for one in sessions.of(connection, key, told, at)
    ]
    programs = [
        Held("token", one.id, one.name, tuple(one.scopes), one.created_at, one.seen_at, one.expires_at)
        for one in tokens.of(connection, key)
        if one.expires_at > floor(at)
    ]
    return browsers + programs


def end(connection: Connection, number: int, *, by: Principal, at: datetime) -> str:
    """End a session or revoke a token, whosever it is; return whose it was.

    Raises
    ------
    BadInput
        If there is none of this number.
    """
    for what, table in (("session", session_table), ("token", token_table)):
        whose = sa.select(accounts.c.person, accounts.c.id).join(table, table.c.account_id == accounts.c.id)
        row = connection.execute(whose.where(table.c.id == number)).first()
        if row is None:
            continue
        gone = (sessions.end if what == "session" else tokens.revoke)(connection, row.id, number)
        if gone:
            word = "end session" if what == "session" else "revoke token"
            record(connection, by, word, at, facts={"person": row.person, what: number})
            return str(row.person)
    raise BadInput(
        f"there is no session and no token {number}", field="NUMBER", remedy="see: pan people sessions PERSON"
    )
