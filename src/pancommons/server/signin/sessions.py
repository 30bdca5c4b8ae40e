"""Sessions of browsers, kept on the server; a browser holds nothing but a secret."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pancommons.base.settings import SignIn
from pancommons.catalogue.ledger import take
from pancommons.catalogue.people import accounts, sessions
from pancommons.server.signin.secret import digest, secret
from pancommons.store.schema import floor

_BROWSER = 300


@dataclass(frozen=True)
class Begun:
    """How a session came about."""

    account: int
    provider: str
    id_token: str
    provider_session: str | None = None
    browser: str | None = None


def begin(connection: Connection, begun: Begun, told: SignIn, at: datetime) -> str:
    """Make a session and return its secret; those that ended by themselves are removed."""
    connection.execute(sa.delete(sessions).where(sa.not_(_alive(told, at))))
    made = secret()
    row = {
        "id": take(connection, "id", 1)[0],
        "digest": digest(made),
        "account_id": begun.account,
        "provider": begun.provider,
        "provider_session": begun.provider_session,
        "id_token": begun.id_token,
        "browser": begun.browser[:_BROWSER] if begun.browser else None,
        "created_at": at,
        "seen_at": at,
        "ends_at": at + timedelta(hours=told.longest_hours),
    }
    connection.execute(sa.insert(sessions).values(row))
    return made


def find(connection: Connection, shown: str, told: SignIn, at: datetime) -> Any | None:
    """Return the session of a secret with its account, if it goes on and the account is not disabled."""
    whose = ("person", "issuer", "subject", "name", "entitlements", "signed_in_at")
    query = (
        sa.select(sessions, *(accounts.c[name] for name in whose))
        .join(accounts, accounts.c.id == sessions.c.account_id)
        .where(sessions.c.digest == digest(shown), accounts.c.disabled_at.is_(None), _alive(told, at))
    )
    return connection.execute(query).first()


def of(connection: Connection, account: int, told: SignIn, at: datetime) -> Sequence[Any]:
    """List the sessions of an account, the one last seen first."""
    query = sa.select(sessions).where(sessions.c.account_id == account, _alive(told, at))
    return connection.execute(query.order_by(sessions.c.seen_at.desc(), sessions.c.id)).all()


def end(connection: Connection, account: int, key: int) -> bool:
    """End a session of an account; say whether there was one."""
    mine = sa.and_(sessions.c.account_id == account, sessions.c.id == key)
    return bool(connection.execute(sa.delete(sessions).where(mine)).rowcount)


def end_shown(connection: Connection, shown: str) -> Any | None:
    """End the session of a secret and return what it was."""
    gone = sa.delete(sessions).where(sessions.c.digest == digest(shown)).returning(sessions)
    return connection.execute(gone).first()


def end_at_provider(
    connection: Connection, provider: str, issuer: str, subject: str | None, provider_session: str | None
) -> list[str]:
    """End the sessions that a provider says are over; return whose they were."""
    over = (
        sa.select(sessions.c.id, sessions.c.account_id, accounts.c.person)
        .join(accounts, accounts.c.id == sessions.c.account_id)
        .where(sessions.c.provider == provider, accounts.c.issuer == issuer)
    )
    if subject is not None:
        over = over.where(accounts.c.subject == subject)
    if provider_session is not None:
        over = over.where(sessions.c.provider_session == provider_session)
    found = connection.execute(over).all()
    for row in found:
        end(connection, row.account_id, row.id)
    return [row.person for row in found]


def _alive(told: SignIn, at: datetime) -> sa.ColumnElement[bool]:
    idle = floor(at) - timedelta(minutes=told.idle_minutes)
    return sa.and_(sessions.c.seen_at > idle, sessions.c.ends_at > floor(at))
