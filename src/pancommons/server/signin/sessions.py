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
from pancommons.server.signin.sealed import Held, seal
from pancommons.server.signin.secret import digest, secret
from pancommons.store.schema import floor

_BROWSER = 300
_WHOSE = ("person", "issuer", "subject", "name", "entitlements", "entitled_at", "signed_in_at")


@dataclass(frozen=True)
class Begun:
    """How a session came about.

    Attributes
    ----------
    auth_time, acr
        When and how the provider saw the person, where it says.
    """

    account: int
    provider: str
    held: Held
    provider_session: str | None = None
    browser: str | None = None
    auth_time: datetime | None = None
    acr: str | None = None


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
        "sealed": seal(begun.held, made),
        "refresh_at": at + timedelta(hours=told.refresh_hours) if begun.held.refresh_token else None,
        "auth_time": begun.auth_time,
        "acr": begun.acr,
        "browser": begun.browser[:_BROWSER] if begun.browser else None,
        "created_at": at,
        "seen_at": at,
        "ends_at": at + timedelta(hours=told.longest_hours),
    }
    connection.execute(sa.insert(sessions).values(row))
    return made


def find(connection: Connection, shown: str, told: SignIn, at: datetime) -> Any | None:
    """Return the session of a secret with its account, if it goes on and the account is not disabled."""
    query = (
        sa.select(sessions, *(accounts.c[name] for name in _WHOSE))
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


def claim(connection: Connection, key: int, told: SignIn, at: datetime, again: timedelta) -> Any | None:
    """Take it on to ask anew what the account of a session is entitled to; return the session with its account.

    One asker gets it, on however many servers, and nobody again before the time given. None if it is not due, or
    another session of the account brought newer entitlements.
    """
    old = floor(at) - timedelta(hours=told.refresh_hours)
    stale = sa.select(accounts.c.id).where(
        sa.func.coalesce(accounts.c.entitled_at, accounts.c.signed_in_at) <= old, accounts.c.disabled_at.is_(None)
    )
    due = sa.and_(
        sessions.c.id == key, sessions.c.refresh_at <= floor(at), sessions.c.account_id.in_(stale), _alive(told, at)
    )
    if not connection.execute(sa.update(sessions).where(due).values(refresh_at=at + again)).rowcount:
        return None
    query = sa.select(sessions, *(accounts.c[name] for name in _WHOSE)).join(
        accounts, accounts.c.id == sessions.c.account_id
    )
    return connection.execute(query.where(sessions.c.id == key)).first()


def renew(connection: Connection, key: int, sealed: str, refresh_at: datetime) -> bool:
    """Keep the newer tokens of a session; say whether it goes on."""
    told = {"sealed": sealed, "refresh_at": refresh_at}
    return bool(connection.execute(sa.update(sessions).where(sessions.c.id == key).values(**told)).rowcount)


def known_at_provider(connection: Connection, provider: str, provider_session: str) -> bool:
    """Say whether there is a session that a provider calls so."""
    same = sa.and_(sessions.c.provider == provider, sessions.c.provider_session == provider_session)
    return connection.execute(sa.select(sessions.c.id).where(same).limit(1)).first() is not None


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
    return [row.person for row in found if end(connection, row.account_id, row.id)]


def _alive(told: SignIn, at: datetime) -> sa.ColumnElement[bool]:
    idle = floor(at) - timedelta(minutes=told.idle_minutes)
    return sa.and_(sessions.c.seen_at > idle, sessions.c.ends_at > floor(at))
